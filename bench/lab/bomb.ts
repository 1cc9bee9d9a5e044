// A cardinality bomb: counters and log streams with a request ID that never returns, over three protocols. Run as a worker:
// it sends at a steady rate, whatever the receiver takes, and tells what was acknowledged.
import { parentPort, workerData } from 'node:worker_threads';
import { type Labels, labelsFromRecord } from '../../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../../server/wire/index.ts';

/** Where the bomb goes; what isn't given isn't sent. */
export interface BombTarget {
  /** URLs of remote write, OTLP metrics and Loki push. */
  readonly write: string;
  readonly otlp: string | undefined;
  readonly loki: string | undefined;
  /** Request IDs a minute, over all protocols together. */
  readonly idsPerMinute: number;
  readonly seconds: number;
  /** The number of the first ID; no two bombs of one system may share one. */
  readonly firstId: number;
}

/** What was acknowledged. `sum` is that of the counters' values, each of which was sent once. */
export interface BombReport {
  readonly ids: number;
  readonly writeSum: number;
  readonly otlpSum: number;
  readonly lines: number;
  readonly failed: number;
  /** The first refusal. */
  readonly reason: string | undefined;
  /** By how much the last request was late, milliseconds. */
  readonly lateMs: number;
}

const IDS_A_REQUEST = 1000;
/** Requests that wait for their answers at once; a sender that is slowed down by then is late. */
const MAX_IN_FLIGHT = 12;

let next = 0;

/** 24 hexadecimal digits that look drawn by chance and never come twice. */
function requestId(): string {
  const n = next++;
  const mixed = Math.imul(n, 0x9e3779b1) >>> 0;
  return `req-${mixed.toString(16).padStart(8, '0')}${n.toString(16).padStart(8, '0')}${(mixed ^ 0x5bd1e995).toString(16).slice(-6)}`;
}

const deployment = (i: number) => `chat-${i % 20}`;
const region = (i: number) => `eu-${i % 4}`;
const counted = (i: number) => (i % 9) + 1;

async function post(url: string, body: Uint8Array, headers: Record<string, string>): Promise<string | undefined> {
  const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) });
  const text = await response.text();
  return response.ok ? undefined : `${response.status} ${text.slice(0, 200)}`;
}

function writeBody(): Uint8Array {
  const series = Array.from(
    { length: IDS_A_REQUEST },
    (_, i): Labels =>
      labelsFromRecord({
        __name__: 'bomb_write_total',
        deployment: deployment(i),
        job: 'bomb',
        region: region(i),
        request_id: requestId(),
      }),
  );
  const sampleSeries = Uint32Array.from(series, (_, i) => i);
  const sampleTimestampMs = new Float64Array(IDS_A_REQUEST).fill(Date.now());
  const sampleValue = Float64Array.from(sampleSeries, counted);
  return snappyCompress(encodeWriteRequest({ series, sampleSeries, sampleTimestampMs, sampleValue }));
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) out.push((rest % 128) | 0x80);
  out.push(rest);
  return out;
}

function field(number: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(body.length)]), body]);
}

const text = (number: number, value: string) => field(number, Buffer.from(value));
const attribute = (number: number, key: string, value: string) =>
  field(number, Buffer.concat([text(1, key), field(2, text(1, value))]));

/** An ExportMetricsServiceRequest with one cumulative sum; numbers of fields as in OTLP's metrics.proto. */
function otlpBody(): Uint8Array {
  const time = Buffer.alloc(9);
  time[0] = 3 * 8 + 1;
  time.writeBigUInt64LE(BigInt(Date.now()) * 1_000_000n, 1);
  const points = Array.from({ length: IDS_A_REQUEST }, (_, i) => {
    const value = Buffer.alloc(9);
    value[0] = 4 * 8 + 1;
    value.writeDoubleLE(counted(i), 1);
    const attributes = [
      attribute(7, 'deployment', deployment(i)),
      attribute(7, 'region', region(i)),
      attribute(7, 'request_id', requestId()),
    ];
    return field(1, Buffer.concat([time, value, ...attributes]));
  });
  const sum = Buffer.concat([...points, Buffer.from([2 * 8, 2, 3 * 8, 1])]);
  const metric = Buffer.concat([text(1, 'bomb.otlp'), field(7, sum)]);
  const resource = field(1, attribute(1, 'service.name', 'bomb'));
  return field(1, Buffer.concat([resource, field(2, field(2, metric))]));
}

function lokiBody(): Uint8Array {
  const now = BigInt(Date.now()) * 1_000_000n;
  const streams = Array.from({ length: IDS_A_REQUEST }, (_, i) => ({
    stream: { service_name: 'bomb', deployment: deployment(i), region: region(i), request_id: requestId() },
    values: [[String(now + BigInt(i)), '{"event":"request.finished","outcome":"ok"}']],
  }));
  return Buffer.from(JSON.stringify({ streams }));
}

async function explode({ write, otlp, loki, idsPerMinute, seconds, firstId }: BombTarget): Promise<BombReport> {
  next = firstId;
  const sumOfRequest = Array.from({ length: IDS_A_REQUEST }, (_, i) => counted(i)).reduce((a, b) => a + b, 0);
  const report = { ids: 0, writeSum: 0, otlpSum: 0, lines: 0, failed: 0, reason: undefined, lateMs: 0 };
  const out: { -readonly [K in keyof BombReport]: BombReport[K] } = report;
  const ways = [
    async () => {
      const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
      const refusal = await post(write, writeBody(), headers);
      if (refusal === undefined) out.writeSum += sumOfRequest;
      return refusal;
    },
  ];
  if (otlp !== undefined)
    ways.push(async () => {
      const refusal = await post(otlp, otlpBody(), { 'content-type': 'application/x-protobuf' });
      if (refusal === undefined) out.otlpSum += sumOfRequest;
      return refusal;
    });
  if (loki !== undefined)
    ways.push(async () => {
      const refusal = await post(loki, lokiBody(), { 'content-type': 'application/json' });
      if (refusal === undefined) out.lines += IDS_A_REQUEST;
      return refusal;
    });
  const requests = Math.round((idsPerMinute * seconds) / 60 / IDS_A_REQUEST);
  const pauseMs = (seconds * 1000) / requests;
  const started = performance.now();
  const inFlight = new Set<Promise<void>>();
  for (let i = 0; i < requests; i++) {
    const dueMs = started + i * pauseMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    while (inFlight.size >= MAX_IN_FLIGHT) await Promise.race(inFlight);
    const request = ways[i % ways.length]().then((refusal) => {
      inFlight.delete(request);
      if (refusal === undefined) out.ids += IDS_A_REQUEST;
      else {
        out.failed += IDS_A_REQUEST;
        out.reason ??= refusal;
      }
    });
    inFlight.add(request);
    out.lateMs = Math.max(0, performance.now() - dueMs);
  }
  await Promise.all(inFlight);
  return out;
}

parentPort?.postMessage(await explode(workerData as BombTarget));
