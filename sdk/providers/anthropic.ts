import { tokenCountOf } from '../codes.ts';
import { instrumentation as defaultInstrumentation } from '../default.ts';
import type { Inference } from '../inference.ts';
import type { InferenceEnd, InferenceRequest, TokenKind } from '../inference-types.ts';
import { type Usage, usageOf } from '../usage.ts';
import { observeAttempts } from './attempts.ts';
import {
  isNonEmpty,
  isPromise,
  isStream,
  markObserved,
  type ObserveOptions,
  observeCopies,
  serverOf,
  textOf,
} from './client.ts';
import { observeCall } from './observe-call.ts';
import { observeStream, type StreamReader } from './observe-stream.ts';
import { errorCodeOf } from './openai-chat.ts';

/** Usage as Anthropic counts: input without what a cache gave or took. */
interface AnthropicUsage {
  readonly input_tokens?: unknown;
  readonly output_tokens?: unknown;
  readonly cache_read_input_tokens?: unknown;
  readonly cache_creation_input_tokens?: unknown;
}

interface ContentBlock {
  readonly type?: string;
  readonly text?: unknown;
  readonly name?: unknown;
}

/** A message as an answer. */
export interface Message {
  readonly id?: unknown;
  readonly type?: unknown;
  readonly model?: unknown;
  readonly content?: readonly ContentBlock[] | null;
  readonly stop_reason?: string | null;
  readonly usage?: AnthropicUsage | null;
  readonly error?: unknown;
}

/** An event of a stream of messages. */
export interface MessageEvent {
  readonly type?: string;
  readonly message?: Message | null;
  readonly content_block?: ContentBlock | null;
  readonly delta?: {
    readonly type?: string;
    readonly text?: unknown;
    readonly partial_json?: unknown;
    readonly thinking?: unknown;
    readonly stop_reason?: string | null;
  } | null;
  readonly usage?: AnthropicUsage | null;
  readonly error?: unknown;
}

interface MessageRequest {
  readonly model?: unknown;
  readonly stream?: unknown;
  readonly max_tokens?: unknown;
  readonly temperature?: unknown;
  readonly top_p?: unknown;
}

type Create = (body: never, ...rest: never[]) => unknown;

/** A client of Anthropic's API, as far as it is observed: `new Anthropic()`, also for Bedrock and Vertex AI. */
export interface AnthropicClient {
  readonly baseURL?: string;
  readonly messages?: { create: Create };
  readonly beta?: { readonly messages?: { create: Create } };
}

/**
 * Observes a client of Anthropic: messages, streamed and not, with the helpers that are built on them. The client is the
 * same object as before, and what it answers is what it answered. Observing it again changes nothing.
 */
export function observeAnthropic<Client extends AnthropicClient>(client: Client, options: ObserveOptions = {}): Client {
  if (!markObserved(client)) return client;
  const instrumentation = options.instrumentation ?? defaultInstrumentation();
  const { tally } = instrumentation;
  const wrap = (resource: { create: unknown } | undefined): void => {
    if (typeof resource?.create !== 'function') return;
    const create = resource.create.bind(resource) as (...args: unknown[]) => unknown;
    resource.create = (...args: unknown[]) => {
      const request = (args[0] ?? {}) as MessageRequest;
      const inference = instrumentation.inference(describe(client, options, request));
      let answer: unknown;
      try {
        answer = instrumentation.run(inference, () => create(...args));
      } catch (error) {
        inference.fail(error);
        throw error;
      }
      if (!isPromise(answer)) return answer;
      const signal = (args[1] as { signal?: AbortSignal } | undefined)?.signal;
      return observeCall(
        answer,
        {
          answered(value) {
            if (!isStream(value)) return endMessage(inference, value as Message);
            const { controller } = value as { controller?: AbortController };
            const wasAborted = (): boolean => controller?.signal.aborted === true || signal?.aborted === true;
            const reader: StreamReader<unknown> = new MessageStreamReader(inference, wasAborted);
            observeStream(value, reader, tally);
          },
          failed: (error) => inference.fail(error, { errorType: nestedErrorType(error) }),
          tookResponse() {
            if (!inference.hasEnded) tally.drop('raw_response');
          },
        },
        tally,
      );
    };
  };
  wrap(client.messages);
  wrap(client.beta?.messages);
  observeAttempts(client, instrumentation);
  observeCopies(client, (copy) => observeAnthropic(copy, options));
  return client;
}

function describe(client: AnthropicClient, options: ObserveOptions, request: MessageRequest): InferenceRequest {
  return {
    ...options.labels,
    operation: 'chat',
    provider: options.provider ?? 'anthropic',
    model: textOf(request.model),
    prompt_class: options.prompt_class,
    streamed: request.stream === true,
    maxTokens: tokenCountOf(request.max_tokens),
    temperature: tokenCountOf(request.temperature),
    topP: tokenCountOf(request.top_p),
    ...serverOf(client.baseURL),
  };
}

/** The contract's input tokens are all of the prompt, so what a cache gave and took is added. */
function messageUsageOf(usage: AnthropicUsage | null | undefined): Usage | undefined {
  if (!usage) return undefined;
  const uncached = tokenCountOf(usage.input_tokens);
  const read = tokenCountOf(usage.cache_read_input_tokens);
  const written = tokenCountOf(usage.cache_creation_input_tokens);
  return usageOf({
    inputTokens: uncached === undefined ? undefined : uncached + (read ?? 0) + (written ?? 0),
    outputTokens: usage.output_tokens,
    cachedTokens: read,
    cacheWriteTokens: written,
  });
}

/** The client's errors hold the body: `{ type: 'error', error: { type: 'overloaded_error' } }`. */
function nestedErrorType(error: unknown): string | undefined {
  const body = (error as { error?: { error?: unknown } } | null | undefined)?.error;
  return body ? errorCodeOf(body.error ?? body) : undefined;
}

function isAnswer(block: ContentBlock): boolean {
  if (block.type === 'text') return typeof block.text === 'string' && block.text !== '';
  return block.type !== 'thinking' && block.type !== 'redacted_thinking';
}

/** Ends a request whose message came as a whole. */
export function endMessage(inference: Inference, message: Message): void {
  const isError = message.type === 'error' || Boolean(message.error);
  inference.end({
    httpStatus: 200,
    hasErrorBody: isError,
    errorType: isError ? errorCodeOf(message.error) : undefined,
    finishReasons: [message.stop_reason],
    hasOutput: message.content?.some(isAnswer) ?? false,
    usage: messageUsageOf(message.usage),
    responseModel: textOf(message.model),
    responseId: textOf(message.id),
  });
}

/** Looks at the events of a stream of messages. */
export class MessageStreamReader implements StreamReader<MessageEvent> {
  readonly #inference: Inference;
  readonly #wasAborted: () => boolean;
  #begun: Message | undefined;
  #stopReason: string | undefined;
  #hasOutput = false;
  #hasStopped = false;
  #errorType: string | undefined;
  #hasError = false;

  constructor(inference: Inference, wasAborted: () => boolean) {
    this.#inference = inference;
    this.#wasAborted = wasAborted;
  }

  item(event: MessageEvent): 'pass' {
    switch (event.type) {
      case 'message_start':
        // The count of output here is of what was generated so far, and a later report replaces it.
        this.#begun = { id: event.message?.id, model: event.message?.model };
        this.#inference.report(messageUsageOf(event.message?.usage));
        break;
      case 'content_block_start':
        // A block of text begins empty; the name of a tool is output.
        if (event.content_block?.name !== undefined) this.#token('visible');
        else if (event.content_block?.type === 'redacted_thinking') this.#token('reasoning');
        break;
      case 'content_block_delta':
        this.#delta(event.delta);
        break;
      case 'message_delta':
        this.#stopReason = event.delta?.stop_reason ?? this.#stopReason;
        this.#inference.report(messageUsageOf(event.usage));
        break;
      case 'message_stop':
        this.#hasStopped = true;
        break;
      case 'error':
        this.#hasError = true;
        this.#errorType = errorCodeOf(event.error);
        break;
    }
    return 'pass';
  }

  done(): void {
    if (!this.#hasStopped && this.#wasAborted()) this.#inference.end({ ...this.#known(), errorType: 'aborted' });
    else this.#inference.end({ ...this.#known(), streamEnded: this.#hasStopped });
  }

  failed(error: unknown): void {
    const errorType = nestedErrorType(error);
    this.#inference.fail(error, { ...this.#known(), ...(errorType ? { errorType } : {}), streamEnded: false });
  }

  left(): void {
    if (this.#hasStopped || this.#stopReason !== undefined)
      this.#inference.end({ ...this.#known(), streamEnded: true });
    else this.#inference.end({ ...this.#known(), errorType: 'client_disconnected', streamEnded: false });
  }

  #delta(delta: MessageEvent['delta']): void {
    if (isNonEmpty(delta?.text) || isNonEmpty(delta?.partial_json)) this.#token('visible');
    else if (isNonEmpty(delta?.thinking)) this.#token('reasoning');
  }

  #token(kind: TokenKind): void {
    if (kind === 'visible') this.#hasOutput = true;
    this.#inference.chunk(kind);
  }

  #known(): InferenceEnd {
    return {
      httpStatus: 200,
      hasErrorBody: this.#hasError,
      errorType: this.#errorType,
      finishReasons: [this.#stopReason],
      hasOutput: this.#hasOutput,
      responseModel: textOf(this.#begun?.model),
      responseId: textOf(this.#begun?.id),
    };
  }
}
