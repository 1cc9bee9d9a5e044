import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BarographError, type LogEntry, labelsFromRecord, labelsToRecord } from '../model/index.ts';
import { parseLabelSet } from './label-set.ts';
import { detectLevel } from './log-level.ts';
import { decodeLokiPush, decodeLokiPushJson, encodeLokiPushJson } from './loki-push.ts';
import { lokiProto, oracleEncode } from './oracle.data.ts';
import { toLogEntries } from './otlp-log-entries.ts';
import type { OtlpLogRecord } from './otlp-logs.ts';

const PLAIN = { discoverServiceName: false, discoverLevel: false };
const jsonBody = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('Loki push in JSON', () => {
  test('reads streams, lines and structured metadata', () => {
    const body = jsonBody({
      streams: [
        { stream: { app: 'vllm', level: 'WARNING' }, values: [['1764000000000000001', 'line', { trace_id: 'ab' }]] },
        {
          stream: { container: 'c' },
          values: [
            ['5', ''],
            ['6', 'ERROR: x'],
          ],
        },
      ],
    });
    const entries = decodeLokiPushJson(body);
    expect(entries).toEqual([
      {
        stream: ['app', 'vllm', 'level', 'WARNING', 'service_name', 'vllm'],
        timestampNs: 1_764_000_000_000_000_001n,
        line: 'line',
        metadata: ['detected_level', 'warn', 'trace_id', 'ab'],
      },
      {
        stream: ['container', 'c', 'service_name', 'c'],
        timestampNs: 5n,
        line: '',
        metadata: ['detected_level', 'unknown'],
      },
      {
        stream: ['container', 'c', 'service_name', 'c'],
        timestampNs: 6n,
        line: 'ERROR: x',
        metadata: ['detected_level', 'error'],
      },
    ]);
    expect(entries[1].stream).toBe(entries[2].stream);
  });

  test.each<[unknown, string]>([
    [{ streams: {} }, 'PushRequest.streams: got an object, accepted is a list'],
    [{ streams: [{}] }, 'PushRequest.streams[0].stream: got nothing, accepted is an object of labels'],
    [{ streams: [{ stream: {}, values: [] }] }, 'PushRequest.streams[0].stream: got no labels'],
    [
      { streams: [{ stream: { 'a.b': 'x' } }] },
      'PushRequest.streams[0].stream[0]: got a string of 3 characters, accepted is a name of letters',
    ],
    [{ streams: [{ stream: { a: 1 } }] }, 'PushRequest.streams[0].stream[0]: got a number, accepted is a string'],
    [
      {
        streams: [
          {
            stream: { a: 'x' },
            values: [
              ['1', 'l'],
              [1764000000, 'l'],
            ],
          },
        ],
      },
      'PushRequest.streams[0].values[1].timestamp: got a number, accepted is nanoseconds since the epoch as a string',
    ],
    [
      { streams: [{ stream: { a: 'x' }, values: [['1']] }] },
      'PushRequest.streams[0].values[0]: got a list, accepted is a list of a timestamp',
    ],
    [{ streams: [{ stream: { a: 'x' }, values: [['1', 2]] }] }, 'values[0].line: got a number, accepted is a string'],
    [
      { streams: [{ stream: { a: 'x' }, values: [['1', 'l', { k: { n: 1 } }]] }] },
      'values[0].metadata[0]: got an object, accepted is a string',
    ],
  ])('says what is wrong (%#)', (body, message) => {
    expect(() => decodeLokiPushJson(jsonBody(body))).toThrow(message);
  });

  test('what is encoded comes back', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
        const decoded = decodeLokiPushJson(encodeLokiPushJson(entries), PLAIN);
        expect(decoded.map(show).sort()).toEqual(entries.map(show).sort());
      }),
    );
  });
});

const name = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/);
const value = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).map((s) => s.toWellFormed());
const labels = fc.dictionary(name, value, { minKeys: 1, maxKeys: 4 }).map(labelsFromRecord);
const entry: fc.Arbitrary<LogEntry> = fc.record({
  stream: labels,
  timestampNs: fc.bigInt({ min: 0n, max: 9_223_372_035_999_999_999n }),
  line: value,
  metadata: labels,
});
const show = (e: LogEntry) => JSON.stringify({ ...e, timestampNs: String(e.timestampNs) });

/** Quotes as Go's strconv does for printable text, with every other character escaped in one of Go's forms. */
function goQuote(text: string): string {
  const escaped = [...text].map((char) => {
    const code = char.codePointAt(0)!;
    if (char === '"' || char === '\\') return `\\${char}`;
    if (char === '\n') return '\\n';
    if (code < 0x20) return `\\x${code.toString(16).padStart(2, '0')}`;
    if (code > 0xffff) return `\\U${code.toString(16).padStart(8, '0')}`;
    if (code > 0xff) return code % 2 === 0 ? char : `\\u${code.toString(16).padStart(4, '0')}`;
    if (code > 0x7f) return [...Buffer.from(char)].map((b) => `\\${b.toString(8).padStart(3, '0')}`).join('');
    return char;
  });
  return `"${escaped.join('')}"`;
}

describe('Loki push in protobuf', () => {
  test('agrees with an independent encoder', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 6 }), (entries) => {
        const streams = entries.map((e) => ({
          labels: `{${Object.entries(labelsToRecord(e.stream))
            .map(([k, v]) => `${k}=${goQuote(v)}`)
            .join(', ')}}`,
          entries: [
            {
              timestamp: {
                seconds: String(e.timestampNs / 1_000_000_000n),
                nanos: Number(e.timestampNs % 1_000_000_000n),
              },
              line: e.line,
              structuredMetadata: Object.entries(labelsToRecord(e.metadata)).map(([k, v]) => ({ name: k, value: v })),
            },
          ],
          hash: '123456789012345',
        }));
        const bytes = oracleEncode(lokiProto, 'logproto.PushRequest', { streams });
        expect(decodeLokiPush(bytes, PLAIN)).toEqual(entries);
      }),
    );
  });

  test('every prefix and random flips of bits throw malformed or decode', () => {
    const streams = [
      {
        labels: '{app="a", x="\\u00e9"}',
        entries: [
          { timestamp: { seconds: 5, nanos: 7 }, line: 'héllo', structuredMetadata: [{ name: 'a', value: 'b' }] },
        ],
      },
    ];
    const bytes = oracleEncode(lokiProto, 'logproto.PushRequest', { streams });
    for (let length = 0; length < bytes.length; length++) survive(() => decodeLokiPush(bytes.slice(0, length)));
    for (let i = 0; i < bytes.length * 8; i++) {
      const broken = bytes.slice();
      broken[i >> 3] ^= 1 << (i & 7);
      survive(() => decodeLokiPush(broken));
    }
  });

  test('says what is wrong', () => {
    const push = (stream: object) => () =>
      decodeLokiPush(oracleEncode(lokiProto, 'logproto.PushRequest', { streams: [stream] }));
    expect(push({ labels: '{a="b"}', entries: [{ line: 'x' }] })).toThrow(
      /^PushRequest\.streams\[0\]\.entries\[0\]\.timestamp at byte \d+: got nothing/,
    );
    expect(push({ labels: '{a="b"}', entries: [{ timestamp: { nanos: -1 } }] })).toThrow('nanos at byte');
    expect(push({ labels: '{}' })).toThrow('got no labels');
    expect(push({ entries: [] })).toThrow('labels at byte');
  });
});

describe('parseLabelSet', () => {
  test.each([
    ['{a="b"}', { a: 'b' }],
    [' { a = "b" , c="" , } ', { a: 'b' }],
    ['{a=`raw\\n"`}', { a: 'raw\\n"' }],
    [String.raw`{a="\x41\102\u00e9\U0001F600\t\"\\"}`, { a: 'ABé😀\t"\\' }],
    [String.raw`{a="\xc3\xa9"}`, { a: 'é' }],
    ['{}', {}],
  ])('%s', (text, expected) => {
    expect(labelsToRecord(parseLabelSet(text, 'labels'))).toEqual(expected);
  });

  test.each([
    ['', 'labels, character 0: got something else, accepted is "{"'],
    ['{a="b"', 'labels, character 6'],
    ['{a="b" c="d"}', 'accepted is ","'],
    ['{a="b", a="c"}', 'a label name that came before'],
    ['{1a="b"}', 'accepted is a name of letters, digits and _'],
    ['{a=b}', 'accepted is a quoted value'],
    ['{a="b', 'accepted is a closing "'],
    ['{a=`b', 'accepted is a closing `'],
    [String.raw`{a="\q"}`, 'an unknown escape'],
    [String.raw`{a="\ud800"}`, 'an unknown escape'],
    [String.raw`{a="\xff"}`, 'escaped bytes that are not UTF-8'],
    ['{a="b"} x', 'more text'],
  ])('refuses %s', (text, message) => {
    expect(() => parseLabelSet(text, 'labels')).toThrow(message);
  });
});

describe('detectLevel', () => {
  test.each([
    ['INFO 11-24 08:15:00 [metrics.py:455] Avg prompt throughput: 12.0 tokens/s', 'info'],
    ['WARNING 11-24 08:15:00 [scheduler.py:12] Sequence group preempted', 'warn'],
    ['2026-11-24 08:15:00,123 - ERROR - CUDA error: out of memory', 'error'],
    ['{"ts":1,"level":"debug","msg":"an error that was handled"}', 'debug'],
    ['level=critical msg="engine dead"', 'critical'],
    ['ts=1 severity: "Fatal"', 'fatal'],
    ['[error] upstream timed out', 'error'],
    ['the information desk was told of errors', 'unknown'],
    [`${'x'.repeat(300)} ERROR`, 'unknown'],
    ['', 'unknown'],
  ])('%s → %s', (line, level) => {
    expect(detectLevel(line)).toBe(level);
  });
});

describe('toLogEntries', () => {
  const record: OtlpLogRecord = {
    resource: {
      'service.name': 'gateway',
      'k8s.pod.name': 'p-1',
      'host.name': 'n1',
      'cloud.region': 'eu',
      nested: { a: { b: 1 }, l: [1] },
    },
    scopeName: 'lib',
    scopeVersion: '1.2',
    scopeAttributes: { kind: 'x' },
    scopeDroppedAttributesCount: 2,
    timestampNs: 20n,
    observedNs: 21n,
    hasTime: true,
    severityNumber: 17,
    severityText: 'Error',
    body: 'the line',
    attributes: { 'gen_ai.request.model': 'm', severity_number: 'mine', 日: 'x' },
    droppedAttributesCount: 3,
    flags: 1,
    traceId: 'ab'.repeat(16),
    spanId: 'cd'.repeat(8),
    eventName: 'done',
  };

  test("follows Loki's rules", () => {
    const [entry] = toLogEntries([record]);
    expect(labelsToRecord(entry.stream)).toEqual({ cloud_region: 'eu', k8s_pod_name: 'p-1', service_name: 'gateway' });
    expect(entry.timestampNs).toBe(20n);
    expect(entry.line).toBe('the line');
    expect(labelsToRecord(entry.metadata)).toEqual({
      host_name: 'n1',
      nested_a_b: '1',
      nested_l: '[1]',
      scope_name: 'lib',
      scope_version: '1.2',
      scope_dropped_attributes_count: '2',
      kind: 'x',
      gen_ai_request_model: 'm',
      observed_timestamp: '21',
      severity_number: '17',
      severity_text: 'Error',
      dropped_attributes_count: '3',
      flags: '1',
      trace_id: 'ab'.repeat(16),
      span_id: 'cd'.repeat(8),
      event_name: 'done',
      detected_level: 'error',
    });
  });

  test('records of one resource share the stream; the observed time that stands in is not repeated', () => {
    const [a, b] = toLogEntries([record, { ...record, hasTime: false, timestampNs: 21n }]);
    expect(a.stream).toBe(b.stream);
    expect(labelsToRecord(b.metadata).observed_timestamp).toBeUndefined();
  });

  test('finds a service name and a level where none is given', () => {
    const bare = {
      ...record,
      resource: { 'k8s.container.name': 'c' },
      severityNumber: 0,
      severityText: '',
      body: 'WARN: slow',
    };
    const [entry] = toLogEntries([bare]);
    expect(labelsToRecord(entry.stream)).toEqual({ k8s_container_name: 'c', service_name: 'c' });
    expect(labelsToRecord(entry.metadata).detected_level).toBe('warn');
    expect(toLogEntries([{ ...bare, resource: {} }])[0].stream).toEqual(['service_name', 'unknown_service']);
    expect(toLogEntries([{ ...bare, resource: {} }], PLAIN)[0].stream).toEqual([]);
  });

  test('refuses what would repeat a large resource over and over', () => {
    const resource = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, 'v']));
    const records = new Array<OtlpLogRecord>(1000).fill({ ...record, resource });
    expect(() => toLogEntries(records)).toThrow(/too much structured metadata/);
    const deep = { ['x'.repeat(1_000_000)]: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, 1])) };
    expect(() => toLogEntries([{ ...record, attributes: deep }])).toThrow(/too much structured metadata/);
  });

  test.each<[OtlpLogRecord['body'], string]>([
    [{ b: 1, a: ['x', null] }, '{"a":["x",null],"b":1}'],
    [null, ''],
    [12.5, '12.5'],
    [true, 'true'],
  ])('writes the body as text (%#)', (body, line) => {
    expect(toLogEntries([{ ...record, body }])[0].line).toBe(line);
  });
});

function survive(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof BarographError)) throw error;
  }
}
