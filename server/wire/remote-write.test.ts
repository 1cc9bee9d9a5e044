import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BarographError, bitsOf, type NativeHistogram } from '../model/index.ts';
import { oracleDecode, oracleEncode, remoteWriteProto } from './oracle.data.ts';
import { decodeWriteRequest } from './remote-write.ts';
import { WriteRequestBatch } from './remote-write-batch.ts';
import { encodeWriteRequest } from './remote-write-encode.ts';
import { parseSeriesLabels } from './series-labels.ts';

const TYPE = 'prompb.WriteRequest';

/** Decodes five times into one batch that held something else before, so that state that leaks shows. */
function decode(bytes: Uint8Array, batch = new WriteRequestBatch()): WriteRequestBatch {
  for (let i = 0; i < 5; i++) {
    if (i % 2 === 1) decodeWriteRequest(oracleEncode(remoteWriteProto, TYPE, NOISE), batch);
    decodeWriteRequest(bytes, batch);
  }
  return batch;
}

const NOISE = {
  timeseries: Array.from({ length: 5 }, (_, i) => ({
    labels: [
      { name: '__name__', value: `noise_${i}` },
      { name: 'x', value: 'y' },
    ],
    samples: [{ value: 99, timestamp: 99 }],
    exemplars: [{ value: 1, timestamp: 1 }],
    histograms: [{ count_int: 0, timestamp: 5 }],
  })),
  metadata: [{ metric_family_name: 'noise' }],
};

/** The batch in the oracle's shape, labels parsed apart from the decoder's own parser. */
function plain(batch: WriteRequestBatch): unknown {
  const series = Array.from({ length: batch.seriesCount }, (_, i) => ({
    labels: labelsByOracle(batch.labelBytes(i)),
    samples: [] as { value: number; timestamp: number }[],
    exemplars: [] as unknown[],
  }));
  for (let i = 0; i < batch.sampleCount; i++) {
    series[batch.sampleSeries[i]].samples.push({ value: batch.sampleValue[i], timestamp: batch.sampleTimestampMs[i] });
  }
  for (const { series: s, exemplar } of batch.exemplars) {
    series[s].exemplars.push({ value: exemplar.value, timestamp: exemplar.timestampMs });
  }
  return series;
}

function labelsByOracle(bytes: Uint8Array): unknown {
  return oracleDecode(remoteWriteProto, 'prompb.TimeSeries', bytes, true).labels;
}

const text = fc.string({ unit: 'binary', maxLength: 20 }).map((s) => s.toWellFormed());
const label = fc.record({ name: text, value: fc.oneof(text, fc.string({ minLength: 100, maxLength: 300 })) });
const timestamp = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }),
  fc.maxSafeInteger(),
  fc.constantFrom(0, 1, -1, 127, 128, 2 ** 42 - 1, 2 ** 42, 2 ** 35 - 1, 2 ** 35),
);
const sample = fc.record({ value: fc.double(), timestamp });
const series = fc.record({
  labels: fc.array(label, { maxLength: 6 }),
  samples: fc.array(sample, { maxLength: 5 }),
  exemplars: fc.array(fc.record({ value: fc.double(), timestamp }), { maxLength: 2 }),
});
const request = fc.record({ timeseries: fc.array(series, { maxLength: 6 }) });

describe('decodeWriteRequest', () => {
  test('agrees with an independent encoder on random requests', () => {
    fc.assert(
      fc.property(request, (message) => {
        const batch = decode(oracleEncode(remoteWriteProto, TYPE, message));
        const expected = message.timeseries.map((s) => ({
          labels: s.labels,
          samples: s.samples,
          exemplars: s.exemplars,
        }));
        expect(normalise(plain(batch))).toEqual(normalise(expected));
      }),
      { numRuns: 300 },
    );
  });

  test('keeps the bits of staleness markers, in floats and in histograms', () => {
    const bytes = Uint8Array.from([
      ...[0x0a, 0x14, 0x12, 0x12, 0x09, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0x10, 0x80, 0x80, 0xa0, 0xb4, 0xa3, 0x33, 0, 0],
    ]);
    bytes[1] = 18;
    bytes[3] = 16;
    const exact = bytes.subarray(0, 20);
    const batch = decode(exact);
    const bits = bitsOf(batch.sampleValue);
    expect([bits[0], bits[1]]).toEqual([2, 0x7ff00000]);
    const stale = decode(Uint8Array.from([0x0a, 13, 0x22, 11, 0x19, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0x78, 7]));
    expect(stale.histograms).toEqual([]);
    expect(stale.sampleCount).toBe(1);
    expect([stale.sampleBits[0], stale.sampleBits[1], stale.sampleTimestampMs[0]]).toEqual([2, 0x7ff00000, 7]);
  });

  test('gathers labels that stand apart into one range', () => {
    const name = [0x0a, 13, 0x0a, 8, ...Buffer.from('__name__'), 0x12, 1, 97];
    const job = [0x0a, 8, 0x0a, 3, ...Buffer.from('job'), 0x12, 1, 98];
    const value = [0x12, 2, 0x10, 5];
    const one = [...job, ...value, ...name, ...value];
    const two = [...value, ...name];
    const plainSeries = [...name, ...value];
    const bytes = Uint8Array.from([
      0x0a,
      one.length,
      ...one,
      0x0a,
      two.length,
      ...two,
      0x0a,
      plainSeries.length,
      ...plainSeries,
    ]);
    const batch = decode(bytes);
    expect(batch.seriesCount).toBe(3);
    expect(parseSeriesLabels(batch.labelBytes(0))).toEqual(['__name__', 'a', 'job', 'b']);
    expect(parseSeriesLabels(batch.labelBytes(1))).toEqual(['__name__', 'a']);
    expect(parseSeriesLabels(batch.labelBytes(2))).toEqual(['__name__', 'a']);
    expect(Array.from(batch.sampleSeries.subarray(0, batch.sampleCount))).toEqual([0, 0, 1, 2]);
  });

  test('reads metadata', () => {
    const batch = decode(
      oracleEncode(remoteWriteProto, TYPE, {
        metadata: [
          { type: 1, metric_family_name: 'a_total', help: 'As.', unit: 'seconds' },
          { type: 77, metric_family_name: 'b' },
        ],
      }),
    );
    expect(batch.metadata).toEqual([
      { metric: 'a_total', type: 'counter', help: 'As.', unit: 'seconds' },
      { metric: 'b', type: 'unknown', help: '', unit: '' },
    ]);
  });

  test('says where a request is broken', () => {
    const bytes = oracleEncode(remoteWriteProto, TYPE, {
      timeseries: [
        { labels: [{ name: 'a', value: 'b' }] },
        { labels: [{ name: 'a', value: 'b' }], samples: [{ value: 1, timestamp: 1_700_000_000_000 }] },
      ],
    });
    const cut = bytes.slice(0, bytes.length - 3);
    expect(errorOf(() => decode(cut))).toMatchObject({ code: 'malformed', status: 400 });
    expect(errorOf(() => decode(cut)).message).toMatch(
      /^WriteRequest\.timeseries\[1\] at byte \d+: got a length of 26/,
    );
    const wrong = Uint8Array.from([0x0a, 4, 0x12, 2, 0x08, 5]);
    expect(errorOf(() => decode(wrong)).message).toBe(
      'WriteRequest.timeseries[0].samples[0].value at byte 5: got a varint, accepted is 8 fixed bytes',
    );
    const group = Uint8Array.from([0x0b]);
    expect(errorOf(() => decode(group)).message).toContain('the start of a group');
  });

  test('refuses more series or samples than the limits and leaves the batch empty', () => {
    const bytes = oracleEncode(remoteWriteProto, TYPE, {
      timeseries: Array.from({ length: 2000 }, () => ({ samples: [{ value: 1, timestamp: 1_700_000_000_000 }] })),
    });
    const few = new WriteRequestBatch({ maxSeries: 1999 });
    expect(errorOf(() => decodeWriteRequest(bytes, few))).toMatchObject({ code: 'too_large', status: 413 });
    expect(few.seriesCount).toBe(0);
    const small = new WriteRequestBatch({ maxSamples: 1999 });
    // The second time the arrays are large enough, and the limit holds all the same.
    for (let i = 0; i < 2; i++) {
      expect(errorOf(() => decodeWriteRequest(bytes, small))).toMatchObject({ code: 'too_large' });
    }
    expect(small.sampleCount).toBe(0);
    expect(decode(bytes, new WriteRequestBatch({ maxSamples: 2000 })).sampleCount).toBe(2000);
  });

  test('every prefix of a request throws malformed or decodes, and so do random flips of bits', () => {
    const [message] = fc.sample(
      request.filter((r) => r.timeseries.length > 3),
      { numRuns: 1, seed: 7 },
    );
    const bytes = oracleEncode(remoteWriteProto, TYPE, { ...message, ...HISTOGRAMS });
    const batch = new WriteRequestBatch();
    for (let length = 0; length < bytes.length; length++)
      survive(() => decodeWriteRequest(bytes.slice(0, length), batch));
    let seed = 1;
    for (let i = 0; i < 3000; i++) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      const broken = bytes.slice();
      broken[seed % bytes.length] ^= 1 << ((seed >> 8) % 8);
      survive(() => {
        decodeWriteRequest(broken, batch);
        for (let s = 0; s < batch.seriesCount; s++) survive(() => parseSeriesLabels(batch.labelBytes(s)));
      });
    }
  });
});

const HISTOGRAMS = {
  timeseries: [
    {
      histograms: [
        {
          count_int: 12,
          sum: 18.4,
          schema: 1,
          zero_threshold: 0.001,
          zero_count_int: 2,
          positive_spans: [
            { offset: 0, length: 2 },
            { offset: 1, length: 2 },
          ],
          positive_deltas: [1, 1, -1, 0],
          negative_spans: [{ offset: -3, length: 2 }],
          negative_deltas: [0, 3],
          reset_hint: 2,
          timestamp: 1000,
        },
      ],
    },
  ],
};

describe('native histograms', () => {
  test('become buckets with absolute counts', () => {
    const batch = decode(oracleEncode(remoteWriteProto, TYPE, HISTOGRAMS));
    expect(batch.histograms).toEqual([
      {
        series: 0,
        timestampMs: 1000,
        startMs: 0,
        histogram: {
          schema: 1,
          zeroThreshold: 0.001,
          zeroCount: 2,
          count: 12,
          sum: 18.4,
          positiveIndices: Int32Array.of(0, 1, 3, 4),
          positiveCounts: Float64Array.of(1, 2, 1, 1),
          negativeIndices: Int32Array.of(-2),
          negativeCounts: Float64Array.of(3),
          customValues: undefined,
          counterResetHint: 'no_reset',
        },
      },
    ]);
  });

  test('are refused where spans claim buckets that have no counts', () => {
    const bytes = oracleEncode(remoteWriteProto, TYPE, {
      timeseries: [{ histograms: [{ positive_spans: [{ offset: 0, length: 4_000_000_000 }], positive_deltas: [1] }] }],
    });
    expect(errorOf(() => decode(bytes)).message).toContain(
      'spans of 4000000000 buckets, accepted is the 1 that have counts',
    );
  });

  test('come back as they were written, integer and float', () => {
    fc.assert(
      fc.property(histogram, (written) => {
        const bytes = encodeWriteRequest({
          series: [['__name__', 'h']],
          sampleSeries: new Uint32Array(0),
          sampleTimestampMs: new Float64Array(0),
          sampleValue: new Float64Array(0),
          histograms: [{ series: 0, timestampMs: 1234, histogram: written }],
        });
        expect(decode(bytes).histograms).toEqual([{ series: 0, timestampMs: 1234, startMs: 0, histogram: written }]);
      }),
      { numRuns: 200 },
    );
  });
});

const count = fc.oneof(fc.integer({ min: 1, max: 2 ** 40 }), fc.double({ min: 0.001, max: 1e9, noNaN: true }));
const buckets = fc
  .uniqueArray(fc.tuple(fc.integer({ min: -40, max: 40 }), count), { selector: ([i]) => i, maxLength: 8 })
  .map((pairs) => pairs.sort((a, b) => a[0] - b[0]));
const histogram: fc.Arbitrary<NativeHistogram> = fc
  .record({ schema: fc.integer({ min: -4, max: 8 }), sum: fc.double({ noNaN: true }), count, p: buckets, n: buckets })
  .map(({ schema, sum, count: total, p, n }) => ({
    schema,
    sum: sum + 0,
    count: total,
    zeroThreshold: 0.5,
    zeroCount: 3,
    positiveIndices: Int32Array.from(p, ([i]) => i),
    positiveCounts: Float64Array.from(p, ([, c]) => c),
    negativeIndices: Int32Array.from(n, ([i]) => i),
    negativeCounts: Float64Array.from(n, ([, c]) => c),
    customValues: undefined,
    counterResetHint: 'gauge' as const,
  }));

describe('encodeWriteRequest', () => {
  test('is read by an independent decoder as it was meant', () => {
    const bytes = encodeWriteRequest({
      series: [
        ['__name__', 'a', 'job', 'ü'],
        ['__name__', 'b'],
      ],
      sampleSeries: Uint32Array.of(1, 0, 1),
      sampleTimestampMs: Float64Array.of(1_764_000_000_123, -5, 1_764_000_000_124),
      sampleValue: Float64Array.of(1.5, Number.NaN, -0),
      metadata: [{ metric: 'a', type: 'stateset', help: 'h', unit: 'u' }],
      exemplars: [{ series: 1, exemplar: { labels: ['trace_id', 'ff'], value: 2, timestampMs: 3 } }],
    });
    const decoded = oracleDecode(remoteWriteProto, TYPE, bytes);
    expect(decoded.timeseries).toEqual([
      {
        labels: [
          { name: '__name__', value: 'a' },
          { name: 'job', value: 'ü' },
        ],
        samples: [{ value: Number.NaN, timestamp: '-5' }],
        exemplars: [],
        histograms: [],
      },
      {
        labels: [{ name: '__name__', value: 'b' }],
        samples: [
          { value: 1.5, timestamp: '1764000000123' },
          { value: -0, timestamp: '1764000000124' },
        ],
        exemplars: [{ labels: [{ name: 'trace_id', value: 'ff' }], value: 2, timestamp: '3' }],
        histograms: [],
      },
    ]);
    expect(decoded.metadata).toEqual([{ type: 7, metric_family_name: 'a', help: 'h', unit: 'u' }]);
  });
});

describe('parseSeriesLabels', () => {
  const run = (...labels: [string, string][]) =>
    oracleEncode(remoteWriteProto, 'prompb.TimeSeries', { labels: labels.map(([name, value]) => ({ name, value })) });

  test('sorts and leaves out empty values', () => {
    expect(parseSeriesLabels(run(['job', 'x'], ['__name__', 'up'], ['a', '']))).toEqual(['__name__', 'up', 'job', 'x']);
    expect(parseSeriesLabels(run(['__name__', 'up'], ['b', '日本語']))).toEqual(['__name__', 'up', 'b', '日本語']);
  });

  test.each([
    [run(['', 'x'], ['__name__', 'up']), 'bad_labels', 'TimeSeries.label 0: got an empty name, accepted is a name'],
    [run(['__name__', 'up'], ['a', '1'], ['a', '2']), 'bad_labels', 'the name "a" again'],
    [run(['a', '1'], ['__name__', 'up'], ['a', '1']), 'bad_labels', 'the name "a" again'],
    [run(['a', '1']), 'bad_labels', 'no __name__'],
    [run(['a', '1'], ['__name__', '']), 'bad_labels', 'no __name__'],
    [
      Uint8Array.of(0x0a, 3, 0x0a, 1, 0xff),
      'malformed',
      'TimeSeries.labels[0].name at byte 4: got bytes that are not UTF-8',
    ],
    [Uint8Array.of(0x0a, 3, 0x0a, 9, 0x41), 'malformed', 'a length of 9'],
  ])('refuses labels (%#)', (bytes, code, message) => {
    const error = errorOf(() => parseSeriesLabels(bytes));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });
});

/** NaNs compare by being NaN; the oracle's longs and ours are numbers. */
function normalise(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, v) => (typeof v === 'number' && !Number.isFinite(v) ? String(v) : v)));
}

function errorOf(act: () => unknown): BarographError {
  try {
    act();
  } catch (error) {
    if (error instanceof BarographError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function survive(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof BarographError)) throw error;
  }
}
