import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type OtlpEncoding, type OtlpSignal, type OtlpWays, takeOtlp } from '../ingest/index.ts';
import { BarographError } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import { DEFAULT_MAX_BYTES, inflateInBackground, parseContentEncoding } from '../wire/index.ts';
import { exportAnswer, isRetryable, RETRY_AFTER_S, statusAnswer } from './otlp-answer.ts';

/** What the OTLP receivers, over HTTP and gRPC, need from the program. */
export interface OtlpReceiver {
  readonly store: Store;
  readonly ways: OtlpWays;
  /** Counts a request by receiver and HTTP status. */
  readonly count: (receiver: string, status: number) => void;
}

const SIGNALS: readonly OtlpSignal[] = ['metrics', 'logs', 'traces'];
const CONTENT_TYPES: Readonly<Record<OtlpEncoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};
/**
 * Adds `POST /v1/metrics`, `/v1/logs` and `/v1/traces`: OTLP over HTTP in protobuf and JSON. The answer comes once the
 * telemetry is durable, in the encoding of the request.
 * @param prefixes what stands before these paths; beside the empty one, `/otlp` as on Mimir, Loki and Tempo's gateways, and
 * `/api/v1/otlp` as on Prometheus.
 */
export function addOtlpRoutes(app: FastifyInstance, receiver: OtlpReceiver, prefixes: readonly string[] = ['']): void {
  for (const [signal, prefix] of SIGNALS.flatMap((name) => prefixes.map((before) => [name, before] as const))) {
    app.route({
      method: 'POST',
      url: `${prefix}/v1/${signal}`,
      handler: (request, reply) => take(receiver, signal, request, reply),
      // Errors before the handler (a body over the limit) are answered as the protocol wants them, too.
      errorHandler: (error, request, reply) => refuse(receiver, signal, request, reply, error),
    });
  }
}

async function take(
  receiver: OtlpReceiver,
  signal: OtlpSignal,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const encoding = encodingOf(request);
  if (!encoding) {
    throw new BarographError({
      code: 'unsupported_media_type',
      status: 415,
      where: 'Content-Type',
      got: JSON.stringify((request.headers['content-type'] ?? '').slice(0, 80)),
      accepted: 'application/x-protobuf or application/json',
    });
  }
  const body = (request.body as Buffer | null | undefined) ?? Buffer.alloc(0);
  const inflated = await inflateInBackground(
    body,
    parseContentEncoding(request.headers['content-encoding']),
    DEFAULT_MAX_BYTES,
  );
  const outcome = takeOtlp(receiver.ways, signal, inflated, encoding);
  await receiver.store.writer.commit();
  receiver.count(`otlp_http_${signal}`, 200);
  return reply.type(CONTENT_TYPES[encoding]).send(exportAnswer(signal, outcome, encoding));
}

/** Answers an error as a google.rpc.Status in the encoding of the request, JSON where that isn't known. */
function refuse(
  receiver: OtlpReceiver,
  signal: OtlpSignal,
  request: FastifyRequest,
  reply: FastifyReply,
  error: Error & { statusCode?: number },
): FastifyReply {
  const { status, message } = describe(error);
  receiver.count(`otlp_http_${signal}`, status);
  if (isRetryable(status)) reply.header('retry-after', String(RETRY_AFTER_S));
  const encoding = encodingOf(request) ?? 'json';
  return reply
    .code(status)
    .type(CONTENT_TYPES[encoding])
    .send(statusAnswer(status, message, encoding));
}

function describe(error: Error & { statusCode?: number }): { status: number; message: string } {
  if (error instanceof BarographError) return { status: error.status, message: error.message };
  if (error.statusCode === 413) {
    return { status: 413, message: 'request body: larger than server.max_body_bytes; send smaller batches' };
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return { status: error.statusCode, message: error.message };
  }
  return { status: 500, message: 'an unexpected error; nothing of the request was acknowledged' };
}

function encodingOf(request: FastifyRequest): OtlpEncoding | undefined {
  const type = (request.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
  if (type === 'application/x-protobuf' || type === 'application/protobuf') return 'protobuf';
  return type === 'application/json' ? 'json' : undefined;
}
