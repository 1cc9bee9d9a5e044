import { Writer } from './writer.ts';

/** A `google.rpc.Status`, the body of OTLP's failed requests. */
export interface RpcStatus {
  /** A code of google.rpc.Code: 3 invalid argument, 8 resource exhausted, 13 internal, 14 unavailable, … */
  readonly code: number;
  readonly message: string;
  /** Where set, a `google.rpc.RetryInfo` says when to try again: milliseconds, ≥ 0. */
  readonly retryDelayMs?: number;
}

const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';

// message Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }
// message Any { string type_url = 1; bytes value = 2; }
// message RetryInfo { google.protobuf.Duration retry_delay = 1; }
// message Duration { int64 seconds = 1; int32 nanos = 2; }
/** Encodes a status in protobuf. */
export function encodeRpcStatus(status: RpcStatus): Uint8Array {
  const out = new Writer(256);
  if (status.code !== 0) out.int(1, status.code);
  if (status.message !== '') out.string(2, status.message);
  if (status.retryDelayMs !== undefined) {
    const any = out.begin(3);
    out.string(1, RETRY_INFO);
    const info = out.begin(2);
    const delay = out.begin(1);
    out.int(1, Math.floor(status.retryDelayMs / 1000));
    out.int(2, Math.floor((status.retryDelayMs % 1000) * 1e6));
    out.end(delay);
    out.end(info);
    out.end(any);
  }
  return out.finish();
}

/** The same as JSON text, by proto3's mapping. */
export function rpcStatusJson(status: RpcStatus): string {
  const { code, message, retryDelayMs } = status;
  if (retryDelayMs === undefined) return JSON.stringify({ code, message });
  return JSON.stringify({
    code,
    message,
    details: [{ '@type': RETRY_INFO, retryDelay: `${(retryDelayMs / 1000).toFixed(3)}s` }],
  });
}
