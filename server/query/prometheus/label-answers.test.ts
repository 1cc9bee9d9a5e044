import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareLabels, type Labels, labelsFromPairs, labelsFromRecord, labelsKey } from '../../model/index.ts';
import { MemoryMetricReader } from '../promql/memory-reader.ts';
import { answerCardinality } from './cardinality.ts';
import { answerLabels, type LabelQuery } from './label-answers.ts';

function readerOf(all: readonly Labels[]): MemoryMetricReader {
  const reader = new MemoryMetricReader();
  for (const labels of all) {
    reader.add({ labels, timestamps: Float64Array.of(1), values: Float64Array.of(1), histograms: undefined });
  }
  return reader;
}

async function answered(
  request: Omit<LabelQuery & { kind: 'series' }, 'kind' | 'startMs' | 'endMs'>,
  all: readonly Labels[],
) {
  const body = await answerLabels(
    { kind: 'series', startMs: 0, endMs: 2, ...request },
    readerOf(all),
    new AbortController().signal,
  );
  return JSON.parse(Buffer.from(body as Uint8Array).toString());
}

describe('series', () => {
  it('are answered whatever their labels hold', async () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 });
    const labels = fc.dictionary(fc.oneof(text, fc.constant('__proto__')), text, { maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(labels, { maxLength: 12 }), async (records) => {
        const all = records.map((record) =>
          labelsFromPairs([...Object.entries(record), ['__name__', 'm']] as [string, string][]),
        );
        const { data } = await answered({ match: ['m'], limit: 0 }, all);
        const distinct = new Map(all.map((one) => [labelsKey(one), one]));
        const expected = [...distinct.values()].sort(compareLabels).map((one) => {
          return Object.fromEntries(one.flatMap((name, i) => (i % 2 === 0 ? [[name, one[i + 1]]] : [])));
        });
        expect(JSON.stringify(data)).toBe(JSON.stringify(expected));
      }),
    );
  });

  it('are cut at the limit with a warning, over more than one batch', async () => {
    const all = Array.from({ length: 2500 }, (_, i) => ['__name__', 'm', 'i', String(i).padStart(4, '0')]);
    const whole = await answered({ match: ['m'], limit: 2500 }, all);
    expect(whole.warnings).toBeUndefined();
    expect(whole.data.map(({ i }: { i: string }) => Number(i))).toEqual(Array.from({ length: 2500 }, (_, i) => i));
    const cut = await answered({ match: ['m'], limit: 2000 }, all);
    expect(cut.data).toHaveLength(2000);
    expect(cut.warnings).toEqual(['results truncated due to limit']);
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
    const { data } = JSON.parse(
      await answerCardinality({ kind: 'cardinality', limit: 3 }, reader, new AbortController().signal),
    );
    expect(data.headStats).toMatchObject({ numSeries: (60 * 61) / 2, numLabelPairs: 120, chunkCount: 1830 });
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
