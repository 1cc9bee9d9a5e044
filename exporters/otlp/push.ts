import { ExporterError } from '../error.ts';
import { type OtlpTarget, sendOtlp } from './send.ts';

/** What is sent again and again. */
export interface KeepSending {
  readonly target: OtlpTarget;
  readonly everyMs: number;
  readonly timeoutMs: number;
  /** What is sent this time. */
  readonly bodies: () => readonly string[] | Promise<readonly string[]>;
  readonly onOutcome?: (outcome: 'sent' | 'failed') => void;
  /** Told when something changes: of failures each kind once until it works again. */
  readonly log: (level: 'info' | 'error', message: string) => void;
}

/** Sends now and at every interval. A receiver that is slower gets fewer points rather than a queue. @returns What ends it. */
export function keepSendingOtlp({ target, everyMs, timeoutMs, bodies, onOutcome, log }: KeepSending): () => void {
  let [isSending, failed] = [false, ''];
  const send = async (): Promise<void> => {
    if (isSending) return;
    isSending = true;
    try {
      await sendOtlp(target, await bodies(), timeoutMs);
      onOutcome?.('sent');
      if (failed !== '') log('info', 'OTLP is accepted again');
      failed = '';
    } catch (error) {
      onOutcome?.('failed');
      const message = error instanceof ExporterError ? error.message : `OTLP: an error (${(error as Error).name})`;
      if (failed !== message) log('error', message);
      failed = message;
    } finally {
      isSending = false;
    }
  };
  void send();
  const timer = setInterval(() => void send(), everyMs);
  return () => clearInterval(timer);
}
