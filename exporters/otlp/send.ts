import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { connectionWord, ExporterError } from '../error.ts';
import { shownUrl } from '../http/index.ts';

const pack = promisify(gzip);

/** Where metrics are sent. */
export interface OtlpTarget {
  /** With its path, such as `http://127.0.0.1:4318/v1/metrics`. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Sends bodies to a receiver, one after the other. Nothing is sent again: points are totals and moments, so the next
 * request says all that a lost one did but for one moment.
 *
 * @throws ExporterError `http_status`, `otlp_rejected` (the receiver took less than all points), `unreachable`, `timeout`.
 */
export async function sendOtlp(target: OtlpTarget, bodies: readonly string[], timeoutMs: number): Promise<void> {
  for (const body of bodies) await sendBody(target, await pack(body), timeoutMs);
}

async function sendBody({ url, headers }: OtlpTarget, body: Buffer, timeoutMs: number): Promise<void> {
  const where = `OTLP › ${shownUrl(url)}`;
  const signal = AbortSignal.timeout(timeoutMs);
  let [status, text] = [0, ''];
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip', ...headers },
      body: new Uint8Array(body),
      signal,
    });
    [status, text] = [response.status, await response.text()];
  } catch (cause) {
    if (signal.aborted) throw new ExporterError({ code: 'timeout', where, got: `no answer in ${timeoutMs} ms`, cause });
    throw new ExporterError({ code: 'unreachable', where, got: connectionWord(cause), cause });
  }
  if (status < 200 || status >= 300)
    throw new ExporterError({ code: 'http_status', where, got: `HTTP ${status}`, accepted: '2xx' });
  const rejected = rejectedPoints(text);
  if (rejected > 0)
    throw new ExporterError({
      ...{ code: 'otlp_rejected', where, got: `${rejected} refused points` },
      fix: "look at the receiver's log for why",
    });
}

function rejectedPoints(answer: string): number {
  try {
    const { partialSuccess } = JSON.parse(answer) as { partialSuccess?: { rejectedDataPoints?: unknown } };
    return Number(partialSuccess?.rejectedDataPoints ?? 0);
  } catch {
    // An answer without a body is a success.
    return 0;
  }
}
