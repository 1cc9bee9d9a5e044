import {
  encodeLokiPush,
  encodeLokiPushJson,
  encodeOtlpRequest,
  encodeWriteRequest,
  encodeWriteRequestV2,
  snappyCompress,
  WRITE_V2_CONTENT_TYPE,
} from '../wire/index.ts';
import type { Hider } from './hide.ts';
import { pushEntries } from './loki-messages.ts';
import { logRequest, type MessageShape, metricRequest, traceRequest } from './otlp-messages.ts';
import { writeRequest } from './prometheus-messages.ts';
import { type Answer, type CanaryTargets, type GrpcSender, sendHttp } from './send.ts';

/** What sends to the receivers. */
export interface Sender {
  readonly targets: CanaryTargets;
  readonly grpc: GrpcSender;
  readonly hider: Hider;
  readonly shape: MessageShape;
  readonly signal: AbortSignal;
}

/** Sends to one receiver, or asks one API, and gives back what it said. */
type SendPath = (sender: Sender) => Promise<readonly Answer[]>;

const JSON_TYPE = 'application/json';
const PROTOBUF_TYPE = 'application/x-protobuf';
const SIGNALS = {
  traces: traceRequest,
  logs: logRequest,
  metrics: metricRequest,
} as const;
type Signal = keyof typeof SIGNALS;

/** Every receiver but the scraper, and every API that takes a text. */
export function sendPaths(): readonly (readonly [name: string, send: SendPath])[] {
  const signals = Object.keys(SIGNALS) as Signal[];
  return [
    ...signals.map((signal) => [`otlp_http_json_${signal}`, otlpHttp(signal, 'json')] as const),
    ...signals.map((signal) => [`otlp_http_protobuf_${signal}`, otlpHttp(signal, 'protobuf')] as const),
    ...signals.map((signal) => [`otlp_grpc_${signal}`, otlpGrpc(signal)] as const),
    ['remote_write_1', remoteWrite(PROTOBUF_TYPE, encodeWriteRequest)],
    ['remote_write_2', remoteWrite(WRITE_V2_CONTENT_TYPE, encodeWriteRequestV2)],
    ['loki_json', lokiPush(JSON_TYPE, encodeLokiPushJson)],
    ['loki_protobuf', lokiPush(PROTOBUF_TYPE, (entries) => snappyCompress(encodeLokiPush(entries)))],
    ['broken_requests', sendBroken],
    ['queries', sendQueries],
  ];
}

/** What travels beside the body of an instrumented client's request. */
function contextHeaders(hider: Hider): Record<string, string> {
  return {
    baggage: `note=${encodeURIComponent(hider.plain('baggage header'))}`,
    tracestate: `vendor=${encodeURIComponent(hider.plain('trace state header'))}`,
    'user-agent': encodeURIComponent(hider.plain('user agent header')),
  };
}

async function post(
  { targets, hider, signal }: Sender,
  address: string,
  body: Uint8Array | string,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const request = { method: 'POST' as const, body, headers: { ...contextHeaders(hider), ...headers } };
  return sendHttp(targets, address, request, signal);
}

function otlpHttp(signal: Signal, encoding: 'json' | 'protobuf'): SendPath {
  return async (sender) => {
    const message = SIGNALS[signal](sender.hider, sender.shape);
    const isJson = encoding === 'json';
    const body = isJson ? JSON.stringify(message) : encodeOtlpRequest(signal, message);
    const type = { 'content-type': isJson ? JSON_TYPE : PROTOBUF_TYPE };
    return [await post(sender, `${sender.targets.otlpHttpUrl}/v1/${signal}`, body, type)];
  };
}

function otlpGrpc(signal: Signal): SendPath {
  return async ({ grpc, hider, shape }) => {
    const body = encodeOtlpRequest(signal, SIGNALS[signal](hider, shape));
    return [await grpc.send(signal, body, `note=${encodeURIComponent(hider.plain('baggage header'))}`)];
  };
}

function remoteWrite(type: string, encode: (columns: ReturnType<typeof writeRequest>) => Uint8Array): SendPath {
  return async (sender) => {
    const body = snappyCompress(encode(writeRequest(sender.hider, sender.shape)));
    const headers = { 'content-type': type, 'content-encoding': 'snappy' };
    return [await post(sender, `${sender.targets.url}/api/v1/write`, body, headers)];
  };
}

function lokiPush(type: string, encode: (entries: ReturnType<typeof pushEntries>) => Uint8Array): SendPath {
  return async (sender) => {
    const body = encode(pushEntries(sender.hider, sender.shape));
    return [await post(sender, `${sender.targets.url}/loki/api/v1/push`, body, { 'content-type': type })];
  };
}

/** Requests that can't be read; what they hold must not be in what is said about it. */
async function sendBroken(sender: Sender): Promise<Answer[]> {
  const { hider, targets } = sender;
  const { url } = targets;
  const json = { 'content-type': JSON_TYPE };
  const protobuf = { 'content-type': PROTOBUF_TYPE };
  const answers: Answer[] = [];
  for (const route of ['/v1/traces', '/v1/logs', '/v1/metrics', '/loki/api/v1/push']) {
    const broken = JSON.stringify({ resourceSpans: hider.plain(`${route} wrong type`), streams: 'x' });
    answers.push(await post(sender, `${url}${route}`, broken, json));
    answers.push(await post(sender, `${url}${route}`, `{"streams": ["${hider.plain(`${route} no JSON`)}`, json));
  }
  for (const route of ['/v1/traces', '/v1/logs', '/v1/metrics', '/api/v1/write', '/loki/api/v1/push']) {
    const text = Buffer.from(`\x0a\x7f${hider.plain(`${route} no protobuf`)}`);
    answers.push(await post(sender, `${url}${route}`, text, protobuf));
    answers.push(await post(sender, `${url}${route}`, snappyCompress(text), protobuf));
  }
  return answers;
}

/** A prompt in a query belongs to whoever asks, and to nobody's log. */
async function sendQueries({ hider, targets, signal }: Sender): Promise<Answer[]> {
  const ask = async (method: 'GET' | 'POST', route: string, name: string, query: string): Promise<void> => {
    const parameters = new URLSearchParams({ [name]: query });
    const request =
      method === 'GET'
        ? { method }
        : { method, body: String(parameters), headers: { 'content-type': 'application/x-www-form-urlencoded' } };
    const address = method === 'GET' ? `${targets.url}${route}?${parameters}` : `${targets.url}${route}`;
    await sendHttp(targets, address, request, signal);
  };
  const quoted = (place: string): string => JSON.stringify(hider.plain(place));
  for (const method of ['GET', 'POST'] as const) {
    await ask(method, '/api/v1/query', 'query', `up{instance=${quoted('PromQL')}}`);
    await ask(method, '/api/v1/query', 'query', hider.plain('PromQL that is none'));
    await ask(method, '/api/v1/series', 'match[]', `{instance=~${quoted('selector')}}`);
    await ask(method, '/loki/api/v1/query_range', 'query', `{deployment="x"} |= ${quoted('LogQL')}`);
    await ask(method, '/loki/api/v1/query_range', 'query', hider.plain('LogQL that is none'));
  }
  await ask('GET', '/api/search', 'q', `{ span.note = ${quoted('TraceQL')} }`);
  await ask('GET', '/api/search', 'q', hider.plain('TraceQL that is none'));
  await ask('GET', `/${encodeURIComponent(hider.plain('path'))}`, 'q', hider.plain('parameter'));
  // What is answered to who asked may quote the question.
  return [];
}
