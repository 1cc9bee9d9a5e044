import type { IncomingHttpHeaders } from 'node:http';
import type { Inference, InferenceEnd } from '@barograph/sdk';
import { DecodedCopy } from './decoded-copy.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { OwnMetrics, UnmeasuredReason } from './own-metrics.ts';
import type { Way } from './route.ts';
import { StreamedBody } from './streamed-body.ts';
import { WholeBody } from './whole-body.ts';

/** What measuring may use. */
export interface MeterLimits {
  readonly budget: MemoryBudget;
  readonly own: OwnMetrics;
  /** Largest event that is looked at; bytes. */
  readonly maxEventBytes: number;
  /** Largest body that is looked at where an answer isn't streamed; bytes. */
  readonly maxBodyBytes: number;
}

/** A body that is read for what it says of itself. */
export interface MeasuredBody {
  feed(chunk: Buffer): void;
  /** It came to its end. Ends the inference. */
  done(): void;
  /** The upstream broke it off. Ends the inference. */
  broken(errorType: string): void;
  /** The client left before its end. Ends the inference. */
  left(): void;
  /** It can't be read any further; what was read still counts. */
  lost(): void;
}

/** What is known of an answer when its head has come. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Measures one answer as it passes: tells its inference of tokens, usage and end. Whatever happens to it, the inference is
 * ended once, and nothing that is thrown here reaches the request.
 */
export class AnswerMeter {
  readonly #body: MeasuredBody;
  readonly #decoder: DecodedCopy | undefined;
  readonly #own: OwnMetrics;
  readonly #inference: Inference;
  readonly #status: number;
  /** The last events of a client or upstream that left, which wait for nothing. */
  #isOver = false;
  #isLost = false;
  /** Whether a copy is still being decoded, so that the end is yet to be told. */
  isDecoding = false;
  /** Called when the end has been told of an answer that was still being decoded. */
  onEnd: () => void = () => undefined;

  /** @param output Where bytes of a stream go that are passed on event by event; see EventScanner. */
  constructor(
    way: Way,
    inference: Inference,
    { status, headers }: AnswerHead,
    limits: MeterLimits,
    output?: (bytes: Buffer) => void,
  ) {
    this.#own = limits.own;
    this.#inference = inference;
    this.#status = status;
    const isStream = status < 400 && (headers['content-type'] ?? '').includes('event-stream');
    this.#body = isStream
      ? new StreamedBody(way, inference, limits, output)
      : new WholeBody(way, inference, status, limits);
    const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
    if (encoding === 'identity' || encoding === '') return;
    this.#decoder = new DecodedCopy(
      encoding,
      {
        bytes: (chunk) => this.#guard(() => this.#body.feed(chunk)),
        end: () => this.#decoded(),
        failed: (reason) => this.#lost(reason),
      },
      limits.budget,
    );
  }

  /** Bytes of the answer as they came from the upstream. */
  data(chunk: Buffer): void {
    if (this.#decoder) this.#decoder.write(chunk);
    else this.#guard(() => this.#body.feed(chunk));
  }

  /** The answer came to its end. */
  done(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#decoder && !this.#isLost) {
      this.isDecoding = true;
      this.#decoder.end();
    } else this.#guard(() => this.#body.done());
  }

  /** The upstream broke the answer off. */
  broken(errorType: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#decoder?.stop();
    this.#guard(() => this.#body.broken(errorType));
  }

  /** The client left. */
  left(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#decoder?.stop();
    this.#guard(() => this.#body.left());
  }

  #decoded(): void {
    this.#guard(() => this.#body.done());
    this.isDecoding = false;
    this.onEnd();
  }

  #lost(reason: UnmeasuredReason): void {
    this.#own.notMeasured(reason);
    this.#isLost = true;
    this.#body?.lost();
    if (this.#isOver) this.#decoded();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch {
      // Telemetry's failure must not become the request's. The error isn't told, since its message may quote an answer.
      this.#own.notMeasured('not_json');
      const end: InferenceEnd = { httpStatus: this.#status };
      this.#inference.end(end);
    }
  }
}
