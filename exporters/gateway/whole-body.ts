import { endChat, endMessage, endResponse, errorCodeOf, type Inference, usageOf } from '@barograph/sdk';
import type { MeasuredBody, MeterLimits } from './answer-meter.ts';
import type { UnmeasuredReason } from './own-metrics.ts';
import { modelOf, type Way } from './route.ts';
import { TopLevelScanner } from './top-level-scanner.ts';

/** Error bodies are short; more of one isn't kept. */
const MAX_ERROR_BYTES = 64 * 1024;
/** What is read of an answer that is too large to be parsed, and of embeddings, whose vectors needn't be. */
const WANTED: ReadonlySet<string> = new Set(['model', 'usage', 'error']);

/** An answer that isn't streamed: parsed once it is there, as far as it is small enough. */
export class WholeBody implements MeasuredBody {
  readonly #way: Way;
  readonly #inference: Inference;
  readonly #status: number;
  readonly #limits: MeterLimits;
  readonly #scanner = new TopLevelScanner(WANTED);
  /** The body so far; undefined where it isn't kept. */
  #parts: Buffer[] | undefined;
  #bytes = 0;
  #isLost = false;

  constructor(way: Way, inference: Inference, status: number, limits: MeterLimits) {
    this.#way = way;
    this.#inference = inference;
    this.#status = status;
    this.#limits = limits;
    this.#parts = way === 'embeddings' && status < 400 ? undefined : [];
  }

  feed(chunk: Buffer): void {
    if (this.#isLost) return;
    this.#scanner.feed(chunk);
    if (!this.#parts) return;
    const max = this.#status >= 400 ? MAX_ERROR_BYTES : this.#limits.maxBodyBytes;
    if (this.#bytes + chunk.length > max) this.#drop('body_too_large');
    else if (!this.#limits.budget.take(chunk.length)) this.#drop('memory');
    else {
      this.#bytes += chunk.length;
      this.#parts.push(chunk);
    }
  }

  done(): void {
    const parts = this.#parts;
    this.#release();
    if (this.#isLost) this.#inference.end({ httpStatus: this.#status });
    else if (this.#status >= 400) this.#endFailed(parts);
    else if (parts) this.#endParsed(parts);
    else this.#endScanned();
  }

  broken(errorType: string): void {
    this.#release();
    this.#inference.end({ httpStatus: this.#status, errorType, streamEnded: false });
  }

  left(): void {
    this.#release();
    this.#inference.end({ httpStatus: this.#status, errorType: 'client_disconnected' });
  }

  lost(): void {
    this.#isLost = true;
    this.#release();
  }

  #endFailed(parts: readonly Buffer[] | undefined): void {
    const body = parts ? parse(parts) : undefined;
    const error = (body as { error?: unknown } | undefined)?.error ?? body;
    this.#inference.end({ httpStatus: this.#status, hasErrorBody: body !== undefined, errorType: errorCodeOf(error) });
  }

  #endParsed(parts: readonly Buffer[]): void {
    const body = parse(parts);
    if (body === undefined) {
      // Some answers aren't JSON, such as a transcription; that they came is all that is known.
      if (parts.length > 0) this.#limits.own.notMeasured('not_json');
      this.#inference.end({ httpStatus: this.#status, hasOutput: parts.length > 0 });
      return;
    }
    switch (this.#way) {
      case 'responses':
        return endResponse(this.#inference, body);
      case 'messages':
        return endMessage(this.#inference, body);
      case 'chat':
      case 'completions':
      case 'embeddings':
        return endChat(this.#inference, body);
    }
  }

  /** What stands at the top of the body: how the choices ended isn't known. */
  #endScanned(): void {
    const usage = (this.#scanner.value('usage') ?? {}) as Record<string, unknown>;
    const error = this.#scanner.value('error');
    this.#inference.end({
      httpStatus: this.#status,
      hasErrorBody: Boolean(error),
      errorType: errorCodeOf(error),
      responseModel: modelOf(this.#scanner.value('model')),
      usage: usageOf({
        // Anthropic's input is without what a cache gave and took, which only a parse of the whole adds up.
        inputTokens: this.#way === 'messages' ? undefined : (usage.prompt_tokens ?? usage.input_tokens),
        outputTokens: usage.completion_tokens ?? usage.output_tokens,
      }),
    });
  }

  #drop(reason: UnmeasuredReason): void {
    this.#limits.own.notMeasured(reason);
    this.#release();
  }

  #release(): void {
    this.#limits.budget.give(this.#bytes);
    this.#bytes = 0;
    this.#parts = undefined;
  }
}

/** The body as an object; undefined where it isn't one. */
function parse(parts: readonly Buffer[]): object | undefined {
  try {
    const body: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? body : undefined;
  } catch {
    return undefined;
  }
}
