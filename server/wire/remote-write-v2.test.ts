import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BarographError, labelsFromPairs, type NativeHistogram } from '../model/index.ts';
import { oracleDecode, oracleEncode, remoteWriteProto, remoteWriteV2Proto } from './oracle.data.ts';
import { decodeWriteRequest } from './remote-write.ts';
import { WriteRequestBatch } from './remote-write-batch.ts';
import { encodeWriteRequest } from './remote-write-encode.ts';
import { decodeWriteRequestV2, type WriteRequestV2Report } from './remote-write-v2.ts';
import { encodeWriteRequestV2, WRITE_V2_CONTENT_TYPE } from './remote-write-v2-encode.ts';
import { parseSeriesLabels } from './series-labels.ts';
import { writeVersionOf } from './write-version.ts';

const TYPE = 'v2.Request';
const NOISE = encodeWriteRequestV2({
  series: [
    ['__name__', 'noise', 'x', 'y'],
    ['__name__', 'noise_2'],
  ],
  sampleSeries: Uint32Array.of(0, 1, 1),
  sampleTimestampMs: Float64Array.of(1, 2, 3),
  sampleValue: Float64Array.of(9, 9, 9),
  sampleStartMs: Float64Array.of(7, 7, 7),
  metadata: [{ metric: 'noise', type: 'gauge', help: 'h', unit: 'u' }],
});

/** Decodes five times into one batch that held something else before, so that state that leaks shows. */
function decode(bytes: Uint8Array, batch = new WriteRequestBatch()): [WriteRequestBatch, WriteRequestV2Report] {
  let report = decodeWriteRequestV2(bytes, batch);
  for (let i = 0; i < 4; i++) {
    decodeWriteRequestV2(NOISE, batch);
    report = decodeWriteRequestV2(bytes, batch);
  }
  return [batch, report];
}

function encode(message: object): Uint8Array {
  return oracleEncode(remoteWriteV2Proto, TYPE, message);
}

const SYMBOLS = ['', '__name__', 'up', 'job', 'api', 'zone', 'eu'];
const SAMPLE = { value: 1.5, timestamp: 1_764_000_000_000 };

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).map((s) => s.toWellFormed());
const value = fc.oneof(text, fc.string({ minLength: 100, maxLength: 300 }));
const labels = fc
  .tuple(text, fc.array(fc.tuple(text, value), { maxLength: 6 }))
  .map(([name, pairs]) => labelsFromPairs([...pairs, ['__name__', name]]));
const timestamp = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }),
  fc.maxSafeInteger(),
  fc.constantFrom(0, 1, -1, 127, 128, 2 ** 42 - 1, 2 ** 42, 2 ** 35),
);
const sample = fc.record({ value: fc.double(), timestamp, start: fc.oneof(fc.constant(0), timestamp) });
const series = fc.record({
  labels,
  samples: fc.array(sample, { minLength: 1, maxLength: 4 }),
  exemplars: fc.array(fc.record({ labels, value: fc.double(), timestampMs: timestamp }), { maxLength: 2 }),
});
const request = fc.array(series, { maxLength: 6 });

/** The message that an independent encoder makes, symbols in the order of first use, names sorted by code points. */
function toMessage(all: { labels: readonly string[]; samples: object[]; exemplars: object[] }[]): object {
  const symbols = [''];
  const refsOf = (set: readonly string[]) => {
    const pairs: [string, string][] = [];
    for (let i = 0; i < set.length; i += 2) pairs.push([set[i], set[i + 1]]);
    pairs.sort((a, b) => Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0])));
    return pairs.flat().map((s) => {
      if (!symbols.includes(s)) symbols.push(s);
      return symbols.indexOf(s);
    });
  };
  const timeseries = all.map((s) => ({
    labels_refs: refsOf(s.labels),
    samples: (s.samples as { value: number; timestamp: number; start: number }[]).map((x) => ({
      value: x.value,
      timestamp: x.timestamp,
      start_timestamp: x.start,
    })),
    exemplars: (s.exemplars as { labels: string[]; value: number; timestampMs: number }[]).map((x) => ({
      labels_refs: refsOf(x.labels),
      value: x.value,
      timestamp: x.timestampMs,
    })),
  }));
  return { symbols, timeseries };
}

function plain(batch: WriteRequestBatch): unknown[] {
  const out = Array.from({ length: batch.seriesCount }, (_, i) => ({
    labels: parseSeriesLabels(batch.labelBytes(i)),
    samples: [] as object[],
    exemplars: [] as object[],
  }));
  for (let i = 0; i < batch.sampleCount; i++) {
    const [v, t, start] = [batch.sampleValue[i], batch.sampleTimestampMs[i], batch.sampleStartMs[i]];
    out[batch.sampleSeries[i]].samples.push({ value: v, timestamp: t, start });
  }
  for (const { series: s, exemplar } of batch.exemplars) out[s].exemplars.push({ ...exemplar });
  return out;
}

describe('decodeWriteRequestV2', () => {
  test('agrees with an independent encoder on random requests', () => {
    fc.assert(
      fc.property(request, (all) => {
        const [batch, report] = decode(encode(toMessage(all)));
        expect(report.refused).toEqual([]);
        expect(normalise(plain(batch))).toEqual(normalise(all));
        expect(report.samples).toBe(batch.sampleCount);
        expect(report.exemplars).toBe(batch.exemplars.length);
      }),
      { numRuns: 200 },
    );
  });

  test('gives a series the key bytes that it has in 1.0', () => {
    fc.assert(
      fc.property(fc.array(labels, { minLength: 1, maxLength: 5 }), (sets) => {
        const columns = {
          series: sets.map(byCodePoint),
          sampleSeries: Uint32Array.from(sets, (_, i) => i),
          sampleTimestampMs: new Float64Array(sets.length),
          sampleValue: new Float64Array(sets.length),
        };
        const one = new WriteRequestBatch();
        decodeWriteRequest(encodeWriteRequest(columns), one);
        const [two] = decode(encodeWriteRequestV2(columns));
        expect(two.seriesCount).toBe(sets.length);
        for (let i = 0; i < sets.length; i++) {
          expect(Buffer.from(two.labelBytes(i)).toString('hex')).toBe(Buffer.from(one.labelBytes(i)).toString('hex'));
        }
      }),
      { numRuns: 100 },
    );
  });

  test.each([
    [[1, 2, 3], 'no even number'],
    [[1, 2, 3, 7], 'label reference 7 beyond the 7 symbols'],
    [[3, 4, 1, 2], 'not sorted'],
    [[1, 2, 3, 4, 3, 6], 'there twice'],
    [[3, 4], 'no metric name'],
    [[1, 0], 'no metric name'],
    [[], 'no metric name'],
    [[0, 2, 1, 2], 'an empty label name'],
  ])('refuses a series with the label references %j and keeps the others', (refs, reason) => {
    const good = { labels_refs: [1, 2, 3, 4], samples: [SAMPLE], exemplars: [{ labels_refs: [5, 6], value: 1 }] };
    const bad = { labels_refs: refs, samples: [SAMPLE, { ...SAMPLE, start_timestamp: 5 }], exemplars: [{ value: 2 }] };
    const [batch, report] = decode(encode({ symbols: SYMBOLS, timeseries: [good, bad, good] }));
    expect(batch.seriesCount).toBe(2);
    expect(report).toMatchObject({ samples: 2, histograms: 0, exemplars: 2, refusedCount: 1 });
    expect(report.refused[0].series).toBe(1);
    expect(report.refused[0].reason).toContain(reason);
    expect(Array.from(batch.sampleStartMs.subarray(0, 4))).toEqual([0, 0, 0, 0]);
    expect(plain(batch)).toEqual([
      {
        labels: ['__name__', 'up', 'job', 'api'],
        samples: [{ value: 1.5, timestamp: 1_764_000_000_000, start: 0 }],
        exemplars: [{ labels: ['zone', 'eu'], value: 1, timestampMs: 0 }],
      },
      {
        labels: ['__name__', 'up', 'job', 'api'],
        samples: [{ value: 1.5, timestamp: 1_764_000_000_000, start: 0 }],
        exemplars: [{ labels: ['zone', 'eu'], value: 1, timestampMs: 0 }],
      },
    ]);
  });

  test('refuses series without anything, or with points of both kinds', () => {
    const histograms = [{ count_int: 0, timestamp: 5 }];
    const [batch, report] = decode(
      encode({
        symbols: SYMBOLS,
        timeseries: [{ labels_refs: [1, 2] }, { labels_refs: [1, 2], samples: [SAMPLE], histograms }],
      }),
    );
    expect(batch.seriesCount).toBe(0);
    expect(report.refused.map((r) => r.reason)).toEqual(['nothing but labels', 'both samples and histograms']);
  });

  test('copies labels from no series that was refused', () => {
    const symbols = ['', '__name__', 'a_long_metric_name', 'job', 'one', 'two', 'zone', 'z'];
    const timeseries = [
      { labels_refs: [1, 2, 3, 4, 6, 7] },
      { labels_refs: [1, 2, 3, 5, 6, 7], samples: [SAMPLE] },
      { labels_refs: [3, 4, 1, 2], samples: [SAMPLE] },
      { labels_refs: [1, 2, 3, 4, 6, 7], samples: [SAMPLE] },
      { labels_refs: [1, 2, 6, 7], samples: [SAMPLE] },
    ];
    const [batch] = decode(encode({ symbols, timeseries }));
    expect([0, 1, 2].map((i) => parseSeriesLabels(batch.labelBytes(i)).join())).toEqual([
      '__name__,a_long_metric_name,job,two,zone,z',
      '__name__,a_long_metric_name,job,one,zone,z',
      '__name__,a_long_metric_name,zone,z',
    ]);
  });

  test('takes exemplars that come as a series of their own, as Prometheus sends them', () => {
    const exemplars = [{ labels_refs: [5, 6], value: 1, timestamp: 2 }];
    const [batch, report] = decode(encode({ symbols: SYMBOLS, timeseries: [{ labels_refs: [1, 2], exemplars }] }));
    expect(report).toMatchObject({ samples: 0, exemplars: 1, refusedCount: 0 });
    expect(batch.seriesCount).toBe(1);
  });

  test('leaves out a histogram that says nonsense, and keeps its series', () => {
    const good = { count_int: 3, sum: 2, positive_spans: [{ offset: 1, length: 2 }], positive_deltas: [1, 1] };
    const [batch, report] = decode(
      encode({
        symbols: SYMBOLS,
        timeseries: [
          {
            labels_refs: [1, 2],
            created_timestamp: 77,
            histograms: [
              { ...good, timestamp: 1, start_timestamp: 9 },
              { ...good, count_int: 4, timestamp: 2 },
              { ...good, schema: 9, timestamp: 3 },
              { ...good, sum: Number.NaN, count_int: 4, timestamp: 4 },
              { ...good, positive_deltas: [1], timestamp: 5 },
            ],
          },
        ],
      }),
    );
    expect(batch.histograms.map((h) => [h.timestampMs, h.startMs])).toEqual([
      [1, 9],
      [4, 77],
    ]);
    expect(report).toMatchObject({ histograms: 2, samples: 0, refusedCount: 1 });
    expect(report.refused[0].reason).toMatch(/^Request.timeseries\[0\].histograms\[4\].positive_spans/);
  });

  test('counts staleness markers in histograms as histograms', () => {
    const bytes = Uint8Array.from(encode({ symbols: SYMBOLS, timeseries: [{ labels_refs: [1, 2] }] }));
    // TimeSeries { labels_refs, histograms { sum: staleness marker, timestamp: 7 } }, by hand: the oracle loses NaN bits.
    const stale = [0x1a, 11, 0x19, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0x78, 7];
    const withStale = Buffer.concat([bytes, Uint8Array.from(stale)]);
    withStale[bytes.length - 5] += stale.length;
    const [batch, report] = decode(withStale);
    expect(report).toMatchObject({ samples: 0, histograms: 1, refusedCount: 0 });
    expect([batch.sampleBits[0], batch.sampleBits[1], batch.sampleTimestampMs[0]]).toEqual([2, 0x7ff00000, 7]);
  });

  test('reads metadata once a family', () => {
    const symbols = ['', '__name__', 'h_bucket', 'h_sum', 'le', '1.0', 'help', 'seconds', 'c_total'];
    const [batch] = decode(
      encode({
        symbols,
        timeseries: [
          { labels_refs: [1, 2, 4, 5], samples: [SAMPLE], metadata: { type: 3, help_ref: 6, unit_ref: 7 } },
          { labels_refs: [1, 3], samples: [SAMPLE], metadata: { type: 3, help_ref: 6, unit_ref: 7 } },
          { labels_refs: [1, 8], samples: [SAMPLE], metadata: { type: 1 } },
          { labels_refs: [1, 5], samples: [SAMPLE], metadata: { type: 0 } },
        ],
      }),
    );
    expect(batch.metadata).toEqual([
      { metric: 'h', type: 'histogram', help: 'help', unit: 'seconds' },
      { metric: 'c_total', type: 'counter', help: '', unit: '' },
    ]);
  });

  test('reads symbols behind the series, and references that are not packed', () => {
    const series = [0x08, 1, 0x08, 2, 0x12, 2, 0x10, 5];
    const symbol = (s: string) => [0x22, s.length, ...Buffer.from(s)];
    const bytes = [0x2a, series.length, ...series, ...symbol(''), ...symbol('__name__'), ...symbol('up')];
    const [batch] = decode(Uint8Array.from(bytes));
    expect(plain(batch)).toMatchObject([{ labels: ['__name__', 'up'], samples: [{ timestamp: 5 }] }]);
  });

  test('refuses a message that ends within its label references', () => {
    // TimeSeries of one byte: the tag of the references, and then nothing.
    const bytes = Uint8Array.from([...encode({ symbols: SYMBOLS }), 0x2a, 1, 0x0a]);
    expect(errorOf(() => decode(bytes)).code).toBe('malformed');
  });

  test('says what is not such a message', () => {
    const one = encodeWriteRequest({
      series: [['__name__', 'a']],
      sampleSeries: Uint32Array.of(0),
      sampleTimestampMs: Float64Array.of(1),
      sampleValue: Float64Array.of(1),
    });
    expect(errorOf(() => decode(one)).message).toContain('got a remote write 1.0 message');
    expect(errorOf(() => decode(encode({ symbols: ['a'] }))).message).toContain('Request.symbols[0]');
  });

  test('bounds series, samples and the length of resolved labels', () => {
    const bytes = encode({
      symbols: SYMBOLS,
      timeseries: Array.from({ length: 20 }, () => ({ labels_refs: [1, 2], samples: [SAMPLE] })),
    });
    expect(errorOf(() => decode(bytes, new WriteRequestBatch({ maxSeries: 19 })))).toMatchObject({ status: 413 });
    expect(errorOf(() => decode(bytes, new WriteRequestBatch({ maxSamples: 19 })))).toMatchObject({ status: 413 });
    const huge = encode({
      symbols: ['', '__name__', 'a', 'x'.repeat(2_000_000)],
      timeseries: Array.from({ length: 200 }, () => ({ labels_refs: [1, 2, 3, 3], samples: [SAMPLE] })),
    });
    const batch = new WriteRequestBatch();
    expect(errorOf(() => decodeWriteRequestV2(huge, batch))).toMatchObject({ code: 'too_large' });
    expect(batch.seriesCount).toBe(0);
  });

  test('every prefix of a request throws malformed or decodes, and so do random flips of bits', () => {
    const [message] = fc.sample(
      request.filter((r) => r.length > 3),
      { numRuns: 1, seed: 5 },
    );
    const bytes = encode(toMessage(message));
    const batch = new WriteRequestBatch();
    for (let length = 0; length < bytes.length; length++)
      survive(() => decodeWriteRequestV2(bytes.slice(0, length), batch));
    let seed = 1;
    for (let i = 0; i < 3000; i++) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      const broken = bytes.slice();
      broken[seed % bytes.length] ^= 1 << ((seed >> 8) % 8);
      survive(() => {
        decodeWriteRequestV2(broken, batch);
        for (let s = 0; s < batch.seriesCount; s++) parseSeriesLabels(batch.labelBytes(s));
      });
    }
  });
});

describe('writeVersionOf', () => {
  test.each([
    [undefined, 1],
    ['application/x-protobuf', 1],
    ['application/x-protobuf;proto=prometheus.WriteRequest', 1],
    [WRITE_V2_CONTENT_TYPE, 2],
    ['Application/X-Protobuf; proto="io.prometheus.write.v2.Request"', 2],
  ])('%s is %d', (contentType, version) => {
    expect(writeVersionOf(contentType)).toBe(version);
  });

  test.each(['application/json', 'application/x-protobuf;proto=other', 'nonsense'])('%s is refused', (contentType) => {
    expect(errorOf(() => writeVersionOf(contentType))).toMatchObject({ code: 'unsupported_media_type', status: 415 });
  });
});

describe('encodeWriteRequestV2', () => {
  test('comes back as it was written', () => {
    const histogram: NativeHistogram = {
      schema: -53,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 3,
      sum: 5,
      positiveIndices: Int32Array.of(0, 2),
      positiveCounts: Float64Array.of(1, 2),
      negativeIndices: new Int32Array(0),
      negativeCounts: new Float64Array(0),
      customValues: Float64Array.of(1, 2.5),
      counterResetHint: 'no_reset',
    };
    const exemplar = { labels: ['trace_id', 'ff'], value: 2, timestampMs: 3 };
    const bytes = encodeWriteRequestV2({
      series: [
        ['__name__', 'c_total', 'job', 'ü'],
        ['__name__', 'h'],
      ],
      sampleSeries: Uint32Array.of(0, 0),
      sampleTimestampMs: Float64Array.of(1_764_000_000_123, -5),
      sampleValue: Float64Array.of(1.5, -0),
      sampleStartMs: Float64Array.of(1_764_000_000_000, 0),
      histograms: [{ series: 1, timestampMs: 4, startMs: 2, histogram }],
      exemplars: [{ series: 0, exemplar }],
      metadata: [{ metric: 'c_total', type: 'counter', help: 'Cs.', unit: '' }],
    });
    const [batch, report] = decode(bytes);
    expect(report).toEqual({ samples: 2, histograms: 1, exemplars: 1, refusedCount: 0, refused: [] });
    expect(batch.histograms).toEqual([{ series: 1, timestampMs: 4, startMs: 2, histogram }]);
    expect(batch.exemplars).toEqual([{ series: 0, exemplar }]);
    expect(batch.metadata).toEqual([{ metric: 'c_total', type: 'counter', help: 'Cs.', unit: '' }]);
    expect(Array.from(batch.sampleStartMs.subarray(0, 2))).toEqual([1_764_000_000_000, 0]);
    const seen = oracleDecode(remoteWriteV2Proto, TYPE, bytes) as { symbols: string[]; timeseries: object[] };
    expect(seen.symbols.slice(0, 3)).toEqual(['', '__name__', 'c_total']);
    expect(seen.timeseries[1]).toMatchObject({
      labels_refs: [1, seen.symbols.indexOf('h')],
      histograms: [{ count_int: '3', custom_values: [1, 2.5], start_timestamp: '2' }],
    });
    // A 2.0 message is an empty one to a 1.0 decoder, as its reserved numbers promise.
    expect(oracleDecode(remoteWriteProto, 'prompb.WriteRequest', bytes)).toEqual({ timeseries: [], metadata: [] });
  });
});

function byCodePoint(set: readonly string[]): string[] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < set.length; i += 2) pairs.push([set[i], set[i + 1]]);
  return pairs.sort((a, b) => Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0]))).flat();
}

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
