import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelsFromRecord, labelsToRecord } from '../../model/index.ts';
import { MemoryMetricReader } from '../promql/memory-reader.ts';
import { answerCardinality } from './cardinality.ts';
import { LabelJson } from './label-json.ts';

describe('LabelJson', () => {
  it('writes what JSON.stringify writes', () => {
    const text = fc.string({ unit: 'binary', maxLength: 6 });
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true }), { maxLength: 12 }),
        (records) => {
          const out = new LabelJson();
          const all = records.map(labelsFromRecord);
          out.text('[');
          all.forEach((labels, i) => {
            if (i > 0) out.text(',');
            out.labels(labels);
          });
          out.text(']');
          const parsed = JSON.parse(Buffer.from(out.finish()).toString());
          expect(parsed).toEqual(all.map(labelsToRecord));
        },
      ),
    );
  });

  it('grows', () => {
    const out = new LabelJson();
    for (let i = 0; i < 20_000; i++) out.labels(['a', 'é'.repeat(20)]);
    expect(out.finish().length).toBe(20_000 * ('{"a":""}'.length + 40));
  });
});

describe('answerCardinality', () => {
  it('keeps the largest, whatever the order in which they come', async () => {
    const reader = new MemoryMetricReader();
    for (let metric = 0; metric < 60; metric++) {
      for (let i = 0; i <= metric; i++) {
        const labels = labelsFromRecord({ __name__: `m${(metric * 37) % 60}`, i: String(i) });
        reader.add({ labels, timestamps: Float64Array.of(1), values: Float64Array.of(1), histograms: undefined });
      }
    }
    const { data } = JSON.parse(await answerCardinality({ kind: 'cardinality', limit: 3 }, reader));
    expect(data.headStats).toMatchObject({ numSeries: (60 * 61) / 2, numLabelPairs: 120, chunkCount: 0 });
    expect(data.seriesCountByMetricName).toEqual(
      [60, 59, 58].map((value) => ({ name: `m${((value - 1) * 37) % 60}`, value })),
    );
    expect(data.seriesCountByLabelValuePair[0]).toEqual({ name: `__name__=m${(59 * 37) % 60}`, value: 60 });
    expect(data.labelValueCountByLabelName).toEqual([
      { name: '__name__', value: 60 },
      { name: 'i', value: 60 },
    ]);
  });
});
