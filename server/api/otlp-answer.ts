import type { OtlpEncoding, OtlpSignal } from '../ingest/index.ts';
import { encodeExportResponse, encodeRpcStatus, exportResponseJson, rpcStatusJson } from '../wire/index.ts';
import { bufferOf } from './answer.ts';

/** What a sender waits before it tries again, seconds. */
export const RETRY_AFTER_S = 5;

/** Numbers of google.rpc.Code, which are gRPC's, by HTTP status. */
const RPC_CODES: Readonly<Record<number, number>> = { 400: 3, 401: 16, 404: 5, 413: 8, 415: 3, 429: 8, 503: 14 };
const RPC_INTERNAL = 13;

/** The number of gRPC's code that says what an HTTP status says. */
export function rpcCodeOf(status: number): number {
  return RPC_CODES[status] ?? RPC_INTERNAL;
}

/** Whether a sender should try again later. */
export function isRetryable(status: number): boolean {
  return status === 429 || status === 503;
}

/** An `Export…ServiceResponse`, with a partial success where something was refused. */
export function exportAnswer(
  signal: OtlpSignal,
  outcome: { readonly rejected: number; readonly reason: string | undefined },
  encoding: OtlpEncoding,
): Buffer {
  const partial = { rejected: outcome.rejected, message: outcome.reason ?? '' };
  if (encoding === 'json') return Buffer.from(exportResponseJson(signal, partial));
  return bufferOf(encodeExportResponse(partial));
}

/** A `google.rpc.Status` for an HTTP status; it says when to try again where that helps. */
export function statusAnswer(status: number, message: string, encoding: OtlpEncoding): Buffer {
  const retryDelayMs = isRetryable(status) ? RETRY_AFTER_S * 1000 : undefined;
  const body = { code: rpcCodeOf(status), message, retryDelayMs };
  return encoding === 'json' ? Buffer.from(rpcStatusJson(body)) : bufferOf(encodeRpcStatus(body));
}
