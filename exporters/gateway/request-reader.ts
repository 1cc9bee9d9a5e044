import type { InferenceRequest } from '@barograph/sdk';
import { modelOf, type Way } from './route.ts';
import { TopLevelScanner } from './top-level-scanner.ts';

/** What is read of a request's body; nothing of it is content. */
const WANTED: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'stream_options',
  'n',
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'temperature',
  'top_p',
]);
const OPEN_BRACE = 0x7b;
const ASK_FOR_USAGE = Buffer.from('"stream_options":{"include_usage":true},');

/** What a request says of itself beside its prompt. */
export type RequestParts = Pick<
  InferenceRequest,
  'operation' | 'model' | 'streamed' | 'choices' | 'maxTokens' | 'temperature' | 'topP'
>;

/** Reads a request's body as it passes. */
export class RequestReader {
  readonly #way: Way;
  readonly #scanner = new TopLevelScanner(WANTED);

  constructor(way: Way) {
    this.#way = way;
  }

  get isComplete(): boolean {
    return this.#scanner.isComplete;
  }

  feed(chunk: Buffer): void {
    this.#scanner.feed(chunk);
  }

  /** What was read so far. */
  parts(): RequestParts {
    const scanner = this.#scanner;
    const max =
      scanner.value('max_completion_tokens') ?? scanner.value('max_output_tokens') ?? scanner.value('max_tokens');
    const stream = scanner.value('stream');
    return {
      operation: this.#way === 'embeddings' ? 'embeddings' : this.#way === 'completions' ? 'text_completion' : 'chat',
      model: modelOf(scanner.value('model')),
      streamed: scanner.isComplete || stream !== undefined ? stream === true : undefined,
      choices: numberOf(scanner.value('n')),
      maxTokens: numberOf(max),
      temperature: numberOf(scanner.value('temperature')),
      topP: numberOf(scanner.value('top_p')),
    };
  }

  /** Whether usage may be asked for: a stream of completions whose client says nothing about it. */
  get mayAskForUsage(): boolean {
    const scanner = this.#scanner;
    return (
      (this.#way === 'chat' || this.#way === 'completions') &&
      scanner.isComplete &&
      scanner.value('stream') === true &&
      !scanner.has('stream_options')
    );
  }
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/**
 * A request's body that asks for usage at the end of the stream. The rest of its bytes stay as they are.
 * @param body a JSON object that has a key and no `stream_options`
 */
export function withUsageAsked(body: readonly Buffer[]): Buffer {
  const whole = Buffer.concat(body);
  const place = whole.indexOf(OPEN_BRACE) + 1;
  return Buffer.concat([whole.subarray(0, place), ASK_FOR_USAGE, whole.subarray(place)]);
}
