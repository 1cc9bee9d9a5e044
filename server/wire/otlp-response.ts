import { Writer } from './writer.ts';

/** What an OTLP receiver answers to an export that it took, at least in part. */
export interface PartialSuccess {
  /** Points, records or spans that were refused; 0 with a message is a warning. */
  readonly rejected: number;
  readonly message: string;
}

/** OTLP's signals, which name the field of refused items in JSON. */
export type ResponseSignal = 'metrics' | 'logs' | 'traces';

const REJECTED_FIELD: Readonly<Record<ResponseSignal, string>> = {
  metrics: 'rejectedDataPoints',
  logs: 'rejectedLogRecords',
  traces: 'rejectedSpans',
};

// message Export…ServiceResponse { Export…PartialSuccess partial_success = 1; }
// message Export…PartialSuccess { int64 rejected_… = 1; string error_message = 2; }
/** Encodes an `Export…ServiceResponse` in protobuf; the three signals look the same. Full success is 0 bytes. */
export function encodeExportResponse(partial: PartialSuccess = { rejected: 0, message: '' }): Uint8Array {
  const out = new Writer(256);
  if (!isFull(partial)) {
    const message = out.begin(1);
    if (partial.rejected !== 0) out.int(1, partial.rejected);
    if (partial.message !== '') out.string(2, partial.message);
    out.end(message);
  }
  return out.finish();
}

/** The same as JSON text; full success is `{}`. */
export function exportResponseJson(
  signal: ResponseSignal,
  partial: PartialSuccess = { rejected: 0, message: '' },
): string {
  if (isFull(partial)) return '{}';
  return JSON.stringify({
    partialSuccess: { [REJECTED_FIELD[signal]]: String(partial.rejected), errorMessage: partial.message },
  });
}

function isFull(partial: PartialSuccess): boolean {
  return partial.rejected === 0 && partial.message === '';
}
