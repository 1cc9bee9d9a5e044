import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelsFromRecord, labelsKey } from '../../model/index.ts';
import { queryPromql } from './engine.ts';
import { MemoryMetricReader } from './memory-reader.ts';

const STEP_MS = 15_000;
const RANGE = { startMs: 0, endMs: 7 * STEP_MS, stepMs: STEP_MS };

const VALUE = fc.oneof(
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1.7e308, -1.7e308, 0, -0, 1),
);
const SERIES = fc.record({
  job: fc.constantFrom('a', 'b', ''),
  zone: fc.constantFrom('x', 'y'),
  values: fc.array(fc.option(VALUE, { nil: undefined }), { minLength: 8, maxLength: 8 }),
});

/** What a query gives, by labels and step. */
async function ask(
  query: string,
  reader: MemoryMetricReader,
  streams: boolean,
): Promise<Map<string, (number | undefined)[]>> {
  // Names that are dropped at once rule streaming out; the result is the same where the result has no name.
  const { value } = await queryPromql(query, { ...RANGE, lookbackMs: STEP_MS, delayedNameRemoval: streams }, reader);
  if (value.kind !== 'vector') throw new Error(`got a ${value.kind}`);
  const cells = value.series.map(
    ({ labels, values, has }) => [labelsKey(labels), Array.from(values, (v, i) => (has[i] ? v : undefined))] as const,
  );
  return new Map([...cells].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('an aggregation that is streamed', () => {
  it.each([
    ...['sum', 'avg', 'count', 'min', 'max', 'group', 'stddev', 'stdvar'].flatMap((op) => [
      `${op} by (job) (load)`,
      `${op} without (job) (max_over_time(load[30s]))`,
      `${op}(delta(load[45s]))`,
    ]),
    ...['topk', 'bottomk'].flatMap((op) => [`${op}(2, load)`, `${op} by (zone) (1, load)`, `${op}(9, load)`]),
  ])('gives what one of whole columns gives: %s', async (query) => {
    await fc.assert(
      fc.asyncProperty(fc.array(SERIES, { maxLength: 6 }), async (list) => {
        const reader = new MemoryMetricReader();
        list.forEach(({ job, zone, values }, i) => {
          const kept = values.flatMap((value, k) => (value === undefined ? [] : [[k * STEP_MS, value] as const]));
          reader.add({
            labels: labelsFromRecord({ __name__: 'load', job, zone, i: String(i) }),
            timestamps: Float64Array.from(kept, ([ms]) => ms),
            values: Float64Array.from(kept, ([, value]) => value),
            histograms: undefined,
          });
        });
        expect(await ask(query, reader, true)).toEqual(await ask(query, reader, false));
      }),
      { numRuns: 60 },
    );
  });
});
