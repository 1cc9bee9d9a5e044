import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelsFromRecord } from '../../model/index.ts';
import { queryPromql } from './engine.ts';
import { MemoryMetricReader } from './memory-reader.ts';

describe('topk and bottomk', () => {
  it('keep what sorting and cutting would keep, NaN last', async () => {
    const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(Number.NaN, Infinity, -Infinity));
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 0, max: 35 }),
        fc.constantFrom('topk', 'bottomk'),
        async (values, k, op) => {
          const reader = new MemoryMetricReader();
          values.forEach((v, i) => {
            reader.add({
              labels: labelsFromRecord({ __name__: 'm', i: String(i).padStart(2, '0') }),
              timestamps: Float64Array.of(0),
              values: Float64Array.of(v),
              histograms: undefined,
            });
          });
          const result = await queryPromql(`${op}(${k}, m)`, { startMs: 0, endMs: 0, stepMs: 0 }, reader);
          const got = result.value.kind === 'vector' ? result.value.series.map((s) => s.values[0]) : [];
          const sign = op === 'topk' ? -1 : 1;
          const sorted = [...values].sort((a, b) => {
            if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
            return a === b ? 0 : sign * (a < b ? -1 : 1);
          });
          expect(got).toEqual(sorted.slice(0, k));
        },
      ),
      { numRuns: 200 },
    );
  });
});
