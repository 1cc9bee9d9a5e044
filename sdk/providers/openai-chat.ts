import type { Inference } from '../inference.ts';
import type { InferenceEnd, TokenKind } from '../inference-types.ts';
import { type Usage, usageOf } from '../usage.ts';
import type { StreamReader } from './observe-stream.ts';
import type { ChatDelta, Choice, Completion, CompletionUsage } from './openai-types.ts';

/** Choices of a request that are told apart; OpenAI gives 128 at most. */
const MAX_CHOICES = 128;

/** Usage as OpenAI counts: input includes cached tokens, output includes reasoning, and n answers are added up. */
export function chatUsageOf(usage: CompletionUsage | null | undefined): Usage | undefined {
  if (!usage) return undefined;
  return usageOf({
    inputTokens: usage.prompt_tokens,
    outputTokens: usage.completion_tokens,
    cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? usage.prompt_cache_hit_tokens,
    reasoningTokens: usage.completion_tokens_details?.reasoning_tokens,
  });
}

/** Which kind of output a message or a part of one has; undefined where it has none, such as a role alone. */
export function kindOfDelta(delta: ChatDelta | null | undefined): TokenKind | undefined {
  if (!delta) return undefined;
  if (isText(delta.content) || isText(delta.refusal) || isText(delta.audio?.data) || isText(delta.audio?.transcript))
    return 'visible';
  if (isText(delta.function_call?.name) || isText(delta.function_call?.arguments)) return 'visible';
  const calls = delta.tool_calls;
  if (calls && calls.length > 0)
    for (const call of calls) if (isText(call.function?.name) || isText(call.function?.arguments)) return 'visible';
  if (isText(delta.reasoning_content) || isText(delta.reasoning)) return 'reasoning';
  return Array.isArray(delta.reasoning_details) && delta.reasoning_details.length > 0 ? 'reasoning' : undefined;
}

/** Non-empty text, or parts of content of which there is any. */
function isText(value: unknown): boolean {
  return (typeof value === 'string' || Array.isArray(value)) && value.length > 0;
}

function kindOfChoice(choice: Choice): TokenKind | undefined {
  return isText(choice.text) ? 'visible' : kindOfDelta(choice.delta ?? choice.message);
}

/** Looks at the chunks of a chat or text completion. */
export class ChatStreamReader implements StreamReader<Completion> {
  readonly #inference: Inference;
  readonly #hidesUsage: boolean;
  readonly #wasAborted: () => boolean;
  readonly #finishReasons: (string | undefined)[] = [];
  #model: string | undefined;
  #id: unknown;
  #hasOutput = false;
  #isRefusal = false;
  #hasErrorBody = false;
  #errorType: string | undefined;
  #isUsageRunning = false;

  /** @param options.hidesUsage Whether the chunk that holds usage alone was asked for by the SDK only. */
  constructor(inference: Inference, options: { hidesUsage: boolean; wasAborted: () => boolean }) {
    this.#inference = inference;
    this.#hidesUsage = options.hidesUsage;
    this.#wasAborted = options.wasAborted;
  }

  item(chunk: Completion): 'pass' | 'hide' {
    const { choices, usage } = chunk;
    if (chunk.error) {
      this.#hasErrorBody = true;
      this.#errorType = errorCodeOf(chunk.error);
    }
    if (this.#model === undefined && typeof chunk.model === 'string' && chunk.model !== '') this.#model = chunk.model;
    this.#id ??= chunk.id;
    let kind: TokenKind | undefined;
    if (choices) for (let i = 0; i < choices.length; i++) kind = this.#choice(choices[i]) ?? kind;
    if (usage) this.#usage(usage, kind, choices?.length ?? 0);
    else if (kind) this.#inference.chunk(kind);
    return this.#hidesUsage && usage && !choices?.length ? 'hide' : 'pass';
  }

  done(): void {
    // The client ends an aborted stream without a word.
    if (!this.#hasFinished() && this.#wasAborted()) this.#end({ errorType: 'aborted' });
    else this.#end({ streamEnded: this.#hasFinished() });
  }

  failed(error: unknown): void {
    this.#inference.fail(error, { ...this.#known(), streamEnded: false });
  }

  left(): void {
    if (this.#hasFinished()) this.#end({ streamEnded: true });
    else this.#end({ errorType: 'client_disconnected', streamEnded: false });
  }

  #choice(choice: Choice): TokenKind | undefined {
    const index = indexOf(choice);
    if (index > 0) this.#inference.isParallel = true;
    // Choices that haven't finished are there as undefined; the stream has ended when none is left.
    while (this.#finishReasons.length <= index) this.#finishReasons.push(undefined);
    if (choice.finish_reason) this.#finishReasons[index] = choice.finish_reason;
    if (isText(choice.delta?.refusal)) this.#isRefusal = true;
    const kind = kindOfChoice(choice);
    if (kind === 'visible') this.#hasOutput = true;
    return kind;
  }

  /** Usage of a chunk. Where it comes with chunks of output it runs along with them and tells their tokens. */
  #usage(usage: CompletionUsage, kind: TokenKind | undefined, choices: number): void {
    const reported = chatUsageOf(usage);
    const inference = this.#inference;
    inference.report(reported);
    if (choices === 0 || !kind) return;
    const total = reported?.outputTokens;
    if (total !== undefined && total > inference.countedTokens && (this.#isUsageRunning || inference.chunks === 0)) {
      this.#isUsageRunning = true;
      inference.tokensSoFar(total, kind);
    } else inference.chunk(kind);
  }

  #hasFinished(): boolean {
    return this.#finishReasons.length > 0 && this.#finishReasons.every((reason) => reason !== undefined);
  }

  #end(end: InferenceEnd): void {
    this.#inference.end({ ...this.#known(), ...end, errorType: end.errorType ?? this.#errorType });
  }

  #known(): InferenceEnd {
    const reasons = this.#isRefusal ? [...this.#finishReasons, 'refusal'] : this.#finishReasons;
    return {
      httpStatus: 200,
      hasErrorBody: this.#hasErrorBody,
      finishReasons: [...reasons],
      hasOutput: this.#hasOutput,
      responseModel: this.#model,
      responseId: typeof this.#id === 'string' ? this.#id : undefined,
    };
  }
}

/** The number of a choice; what isn't a reasonable one is the first, so that no server makes the list a long one. */
function indexOf({ index }: Choice): number {
  return Number.isInteger(index) && index! >= 0 && index! < MAX_CHOICES ? index! : 0;
}

/** Ends a request whose answer came as a whole. */
export function endChat(inference: Inference, body: Completion): void {
  const choices = body.choices ?? [];
  const isRefusal = choices.some((choice) => isText(choice.message?.refusal));
  inference.end({
    httpStatus: 200,
    hasErrorBody: Boolean(body.error),
    errorType: body.error ? errorCodeOf(body.error) : undefined,
    finishReasons: [...choices.map((choice) => choice.finish_reason), ...(isRefusal ? ['refusal'] : [])],
    hasOutput: choices.some((choice) => kindOfChoice(choice) === 'visible'),
    usage: chatUsageOf(body.usage),
    responseModel: typeof body.model === 'string' ? body.model : undefined,
    responseId: typeof body.id === 'string' ? body.id : undefined,
  });
}

/** The code of an error object in a body; its message is never read. */
export function errorCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, type } = error as { code?: unknown; type?: unknown };
  if (typeof code === 'number') return String(code);
  return typeof code === 'string' && code !== '' ? code : typeof type === 'string' ? type : undefined;
}
