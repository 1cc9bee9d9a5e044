import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BarographError,
  bitsOf,
  type Labels,
  type NativeHistogram,
  type SeriesSamples,
  setStale,
} from '../model/index.ts';
import { crc32c } from './crc32c.ts';
import { inflate, snappyCompress } from './inflate.ts';
import { oracleDecode, oracleEncode, remoteReadProto } from './oracle.data.ts';
import { encodeChunks } from './read-chunks.ts';
import { decodeReadRequest } from './remote-read.ts';
import { encodeReadFrames, encodeReadResponse } from './remote-read-encode.ts';

const encode = (message: object) => oracleEncode(remoteReadProto, 'prompb.ReadRequest', message);

describe('decodeReadRequest', () => {
  test('reads matchers, hints and the wanted type', () => {
    const request = decodeReadRequest(
      encode({
        queries: [
          {
            start_timestamp_ms: -5,
            end_timestamp_ms: 1_764_000_000_000,
            matchers: [
              { type: 0, name: '__name__', value: 'up' },
              { type: 1, name: 'a', value: '' },
              { type: 2, name: 'b', value: 'x|y' },
              { type: 3, name: 'c', value: 'z.*' },
            ],
            hints: { step_ms: 15000, func: 'rate', start_ms: 1, end_ms: 2, grouping: ['g'], by: true, range_ms: 3 },
          },
          {},
        ],
        accepted_response_types: [7, 1, 0],
      }),
    );
    expect(request.responseType).toBe('streamed_xor_chunks');
    expect(request.queries).toHaveLength(2);
    const [query, empty] = request.queries;
    expect([query.startMs, query.endMs]).toEqual([-5, 1_764_000_000_000]);
    expect(query.matchers.map((m) => `${m.name}${m.op}${m.value}`)).toEqual(['__name__=up', 'a!=', 'b=~x|y', 'c!~z.*']);
    expect(query.matchers[3].matches('zz')).toBe(false);
    expect(query.hints).toEqual({
      stepMs: 15000,
      func: 'rate',
      startMs: 1,
      endMs: 2,
      grouping: ['g'],
      by: true,
      rangeMs: 3,
    });
    expect(empty).toEqual({ startMs: 0, endMs: 0, matchers: [], hints: undefined });
    expect(decodeReadRequest(encode({})).responseType).toBe('samples');
  });

  test.each([
    [encode({ accepted_response_types: [9] }), 'bad_parameter', 'none that is known'],
    [encode({ queries: [{ matchers: [{ type: 4 }] }] }), 'malformed', 'ReadRequest.queries[0].matchers[0].type'],
    [encode({ queries: [{ matchers: [{ type: 2, value: '(' }] }] }), 'bad_regex', 'RE2'],
    [encode({ queries: Array.from({ length: 1001 }, () => ({})) }), 'too_large', 'more than 1000 queries'],
    [
      encode({ queries: Array.from({ length: 11 }, () => ({ matchers: Array.from({ length: 1000 }, () => ({})) })) }),
      'too_large',
      'more than 10000 matchers',
    ],
  ])('refuses a request (%#)', (bytes, code, message) => {
    const error = errorOf(() => decodeReadRequest(bytes));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  test('every prefix of a request throws or decodes', () => {
    const bytes = encode({
      queries: [{ start_timestamp_ms: 5, matchers: [{ name: 'a', value: 'b' }], hints: { func: 'x' } }],
    });
    for (let length = 0; length < bytes.length; length++) {
      try {
        decodeReadRequest(bytes.slice(0, length));
      } catch (error) {
        if (!(error instanceof BarographError)) throw error;
      }
    }
  });
});

function samples(
  labels: Labels,
  points: [number, number][],
  histograms?: (NativeHistogram | undefined)[],
): SeriesSamples {
  return {
    labels,
    timestamps: Float64Array.from(points, ([t]) => t),
    values: Float64Array.from(points, ([, v]) => v),
    histograms,
  };
}

function histogram(overrides: Partial<NativeHistogram> = {}): NativeHistogram {
  return {
    schema: 1,
    zeroThreshold: 2 ** -128,
    zeroCount: 1,
    count: 4,
    sum: 2.5,
    positiveIndices: Int32Array.of(0, 1),
    positiveCounts: Float64Array.of(1, 2),
    negativeIndices: new Int32Array(0),
    negativeCounts: new Float64Array(0),
    customValues: undefined,
    counterResetHint: 'unknown',
    ...overrides,
  };
}

describe('encodeReadResponse', () => {
  test('is read by an independent decoder, sorted, one result a query', () => {
    const values = samples(
      ['__name__', 'b'],
      [
        [1_764_000_000_000, 1.5],
        [1_764_000_015_000, 0],
      ],
    );
    setStale(bitsOf(values.values), 1);
    const other = samples(['__name__', 'a', 'x', 'y'], [[5, 0]], [histogram()]);
    const body = encodeReadResponse([[values, other], []]);
    const block = snappyCompress(body);
    const decoded = oracleDecode(remoteReadProto, 'prompb.ReadResponse', inflate(block, 'snappy')) as {
      results: { timeseries: { labels: object[]; samples: object[]; histograms: object[] }[] }[];
    };
    expect(decoded.results).toHaveLength(2);
    const [first, second] = decoded.results[0].timeseries;
    expect(first.labels).toEqual([
      { name: '__name__', value: 'a' },
      { name: 'x', value: 'y' },
    ]);
    expect(first.histograms).toMatchObject([{ count_int: '4', sum: 2.5, timestamp: '5', positive_deltas: ['1', '1'] }]);
    expect(second.samples).toEqual([
      { value: 1.5, timestamp: '1764000000000' },
      { value: Number.NaN, timestamp: '1764000015000' },
    ]);
    expect(Buffer.from(body).includes(Buffer.of(9, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f))).toBe(true);
    expect(decoded.results[1].timeseries).toEqual([]);
  });
});

test('crc32c is what RFC 3720 says it is', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(crc32c(new Uint8Array(0))).toBe(0);
});

/** A reader of bits made of a text of zeros and ones: slow, and nothing like the writer. */
class Bits {
  readonly #text: string;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#text = Array.from(bytes, (b) => b.toString(2).padStart(8, '0')).join('');
  }

  take(count: number): bigint {
    if (this.#at + count > this.#text.length) throw new Error('no more bits');
    this.#at += count;
    return count === 0 ? 0n : BigInt(`0b${this.#text.slice(this.#at - count, this.#at)}`);
  }

  /** How many ones come before a zero, at most `most`; the zero is taken too. */
  ones(most: number): number {
    let count = 0;
    while (count < most && this.take(1) === 1n) count++;
    return count;
  }

  uvarint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.take(8);
      value |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) return value;
    }
  }

  varint(): bigint {
    const value = this.uvarint();
    return (value & 1n) === 1n ? ~(value >> 1n) : value >> 1n;
  }

  /** Numbers above half of the range are negative ones. */
  signed(width: number): bigint {
    const value = this.take(width);
    if (width === 64) return BigInt.asIntN(64, value);
    return value > 1n << BigInt(width - 1) ? value - (1n << BigInt(width)) : value;
  }

  varbit(signed: boolean): bigint {
    const width = [0, 3, 6, 9, 12, 18, 25, 56, 64][this.ones(8)];
    return signed ? this.signed(width) : this.take(width);
  }

  zeros(): number {
    return this.#text.length - this.#at;
  }
}

class XorReader {
  value = 0n;
  leading = 0;
  width = 64;

  next(bits: Bits): bigint {
    if (bits.take(1) === 0n) return this.value;
    if (bits.take(1) === 1n) {
      this.leading = Number(bits.take(5));
      this.width = Number(bits.take(6)) || 64;
    }
    this.value ^= bits.take(this.width) << BigInt(64 - this.leading - this.width);
    return this.value;
  }
}

function double(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0];
}

/** Timestamps and the bits of values. */
function readXor(data: Uint8Array): [number, bigint][] {
  const bits = new Bits(data);
  const count = Number(bits.take(16));
  const out: [number, bigint][] = [];
  const value = new XorReader();
  let [t, delta] = [0n, 0n];
  for (let i = 0; i < count; i++) {
    if (i === 0) {
      t = bits.varint();
      value.value = bits.take(64);
    } else {
      if (i === 1) delta = bits.uvarint();
      else delta += bits.signed([0, 14, 17, 20, 64][bits.ones(4)]);
      t += delta;
      value.next(bits);
    }
    out.push([Number(t), value.value]);
  }
  expect(bits.zeros()).toBeLessThan(8);
  return out;
}

interface ReadHistogram {
  timestampMs: number;
  header: number;
  schema: number;
  zeroThreshold: number;
  count: number;
  zeroCount: number;
  sum: number;
  positive: [number, number][];
  negative: [number, number][];
  custom: number[];
}

function readHistograms(data: Uint8Array): ReadHistogram[] {
  const bits = new Bits(data);
  const samples = Number(bits.take(16));
  const header = Number(bits.take(8));
  const exponent = Number(bits.take(8));
  const zeroThreshold = exponent === 0 ? 0 : exponent === 255 ? double(bits.take(64)) : 0.5 * 2 ** (exponent - 243);
  const schema = Number(bits.varbit(true));
  const spans = () => {
    const indexes: number[] = [];
    let next = 0;
    const count = Number(bits.varbit(false));
    for (let i = 0; i < count; i++) {
      const length = Number(bits.varbit(false));
      next += Number(bits.varbit(true));
      for (let k = 0; k < length; k++) indexes.push(next++);
    }
    return indexes;
  };
  const positive = spans();
  const negative = spans();
  const custom: number[] = [];
  if (schema === -53) {
    const count = Number(bits.varbit(false));
    for (let i = 0; i < count; i++) {
      const bound = Number(bits.varbit(false));
      custom.push(bound === 0 ? double(bits.take(64)) : (bound - 1) / 1000);
    }
  }
  const values = Array.from({ length: 3 + positive.length + negative.length }, () => new XorReader());
  let [t, delta] = [0n, 0n];
  return Array.from({ length: samples }, (_, i) => {
    if (i === 0) {
      t = bits.varbit(true);
      for (const value of values) value.value = bits.take(64);
    } else {
      delta += bits.varbit(true);
      t += delta;
      for (const value of values) value.next(bits);
    }
    const [count, zeroCount, sum, ...counts] = values.map((v) => double(v.value));
    const pairs = (indexes: number[], at: number) =>
      indexes.map((index, k): [number, number] => [index, counts[at + k]]).filter(([, c]) => c !== 0);
    return {
      timestampMs: Number(t),
      header,
      schema,
      zeroThreshold,
      count,
      zeroCount,
      sum,
      positive: pairs(positive, 0),
      negative: pairs(negative, positive.length),
      custom,
    };
  });
}

const step = fc.oneof(
  fc.constantFrom(15_000, 15_000, 15_000, 15_001, 14_999, 1, 8192 + 15_000, 65_537 + 15_000, 524_289 + 15_000),
  fc.integer({ min: 1, max: 2 ** 40 }),
);
const value = fc.oneof(
  fc.double(),
  fc.constantFrom(0, 1, 2, 2, -0, Infinity, 5e-324),
  fc.integer({ min: 0, max: 100 }),
);
const points = fc
  .tuple(
    fc.oneof(fc.constant(1_764_000_000_000), fc.integer({ min: -(2 ** 45), max: 2 ** 45 })),
    fc.array(fc.tuple(step, value), { minLength: 1, maxLength: 300 }),
  )
  .map(([start, steps]) => {
    let t = start;
    return steps.map(([by, v]): [number, number] => {
      t += by;
      return [t, v];
    });
  });

describe('chunks', () => {
  test('of floats are read back bit by bit by an independent decoder', () => {
    fc.assert(
      fc.property(points, fc.integer({ min: 0, max: 299 }), (all, stale) => {
        const series = samples(['a', 'b'], all);
        const bits = bitsOf(series.values);
        if (stale < all.length) setStale(bits, stale);
        const chunks = [...encodeChunks(series)];
        expect(chunks).toHaveLength(Math.ceil(all.length / 120));
        const seen = chunks.flatMap(({ data, encoding, minMs, maxMs }) => {
          expect(encoding).toBe(1);
          const read = readXor(data);
          expect([read[0][0], read.at(-1)?.[0]]).toEqual([minMs, maxMs]);
          return read;
        });
        const words = new BigUint64Array(series.values.buffer);
        expect(seen).toEqual(all.map(([t], i) => [t, words[i]]));
      }),
      { numRuns: 150 },
    );
  });

  test('of regular samples take little room', () => {
    const flat = samples(
      ['a', 'b'],
      Array.from({ length: 120 }, (_, i) => [1_764_000_000_000 + i * 15_000, 1]),
    );
    const [chunk] = encodeChunks(flat);
    expect(chunk.data.length).toBeLessThan(50);
  });

  test('of histograms hold the union of their buckets, and begin anew with resets and layouts', () => {
    const h = [
      histogram(),
      histogram({ count: 6, positiveIndices: Int32Array.of(0, 1, 5), positiveCounts: Float64Array.of(1, 2, 2) }),
      histogram({ count: 2, positiveCounts: Float64Array.of(0.5, 0.5) }),
      histogram({ schema: 0, zeroThreshold: 0.3, counterResetHint: 'no_reset' }),
      histogram({ counterResetHint: 'gauge', zeroThreshold: 0 }),
      histogram({
        counterResetHint: 'gauge',
        zeroThreshold: 0,
        negativeIndices: Int32Array.of(-7, 3),
        negativeCounts: Float64Array.of(1, 1),
      }),
      histogram({
        schema: -53,
        zeroThreshold: 0,
        zeroCount: 0,
        count: 3,
        customValues: Float64Array.of(-1, 0.005, 0.1234567, 40_000),
      }),
    ];
    const series = samples(
      ['a', 'b'],
      h.map((_, i) => [1_764_000_000_000 + i * 15_000 + (i % 3), 0]),
      h,
    );
    const chunks = [...encodeChunks(series)];
    expect(chunks.map((c) => c.encoding)).toEqual([3, 3, 3, 3, 3]);
    const seen = chunks.map((c) => readHistograms(c.data));
    expect(seen.map((c) => c.length)).toEqual([2, 1, 1, 2, 1]);
    expect(seen.map((c) => c[0].header)).toEqual([0, 0x80, 0x40, 0xc0, 0]);
    seen.flat().forEach((got, i) => {
      expect(got).toMatchObject({
        timestampMs: series.timestamps[i],
        schema: h[i].schema,
        zeroThreshold: h[i].zeroThreshold,
        count: h[i].count,
        zeroCount: h[i].zeroCount,
        sum: h[i].sum,
        positive: Array.from(h[i].positiveIndices, (index, k) => [index, h[i].positiveCounts[k]]),
        negative: Array.from(h[i].negativeIndices, (index, k) => [index, h[i].negativeCounts[k]]),
        custom: Array.from(h[i].customValues ?? []),
      });
    });
  });

  test('of mixed series follow each other in time', () => {
    const series = samples(
      ['a', 'b'],
      [
        [1, 1],
        [2, 0],
        [3, 0],
        [4, 4],
      ],
      [undefined, histogram(), histogram(), undefined],
    );
    expect([...encodeChunks(series)].map((c) => [c.encoding, c.minMs, c.maxMs])).toEqual([
      [1, 1, 1],
      [3, 2, 3],
      [1, 4, 4],
    ]);
  });
});

describe('encodeReadFrames', () => {
  test('frames carry length, checksum and whole series in order', () => {
    const long = samples(
      ['__name__', 'z'],
      Array.from({ length: 1000 }, (_, i) => [i * 15_000, Math.sin(i)]),
    );
    const frames = [
      ...encodeReadFrames(3, [long, samples(['__name__', 'a'], [[1, 2]]), samples(['x', 'y'], [])], 2000),
    ];
    const messages = frames.map((frame) => {
      const bits = new Bits(frame.subarray(0, 10));
      const length = Number(bits.uvarint());
      const head = frame.length - length;
      expect(Buffer.from(frame).readUInt32BE(head - 4)).toBe(crc32c(frame.subarray(head)));
      return oracleDecode(remoteReadProto, 'prompb.ChunkedReadResponse', frame.subarray(head)) as {
        query_index: string;
        chunked_series: { labels: { value: string }[]; chunks: { data: string; type: number }[] }[];
      };
    });
    expect(messages.map((m) => m.query_index)).toEqual(messages.map(() => '3'));
    const names = messages.map((m) => m.chunked_series[0].labels[0].value);
    expect(names[0]).toBe('a');
    expect(names.slice(1).every((n) => n === 'z')).toBe(true);
    expect(names.length).toBeGreaterThan(3);
    const seen = messages
      .slice(1)
      .flatMap((m) => m.chunked_series[0].chunks.flatMap((c) => readXor(Buffer.from(c.data, 'base64'))));
    expect(seen.map(([t, v]) => [t, double(v)])).toEqual(Array.from(long.timestamps, (t, i) => [t, long.values[i]]));
  });
});

function errorOf(act: () => unknown): BarographError {
  try {
    act();
  } catch (error) {
    if (error instanceof BarographError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
