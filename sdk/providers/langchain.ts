import { tokenCountOf } from '../codes.ts';
import { instrumentation as defaultInstrumentation } from '../default.ts';
import type { Inference } from '../inference.ts';
import type { InferenceEnd, InferenceRequest, TokenKind } from '../inference-types.ts';
import { type Usage, usageOf } from '../usage.ts';
import { isNonEmpty, type ObserveOptions, textOf } from './client.ts';
import { kindOfDelta } from './openai-chat.ts';

/** Requests that have begun and not ended, at most; the oldest is given up when there are more. */
const MAX_OPEN_RUNS = 10_000;

interface ChatMessage {
  readonly content?: unknown;
  readonly tool_calls?: readonly unknown[];
  readonly tool_call_chunks?: readonly unknown[];
  readonly additional_kwargs?: { readonly reasoning_content?: unknown; readonly tool_calls?: unknown };
  readonly usage_metadata?: {
    readonly input_tokens?: unknown;
    readonly output_tokens?: unknown;
    readonly input_token_details?: { readonly cache_read?: unknown; readonly cache_creation?: unknown };
    readonly output_token_details?: { readonly reasoning?: unknown };
  };
  readonly response_metadata?: {
    readonly finish_reason?: unknown;
    readonly stop_reason?: unknown;
    readonly model_name?: unknown;
    readonly model?: unknown;
  };
}

interface Generation {
  readonly text?: unknown;
  readonly message?: ChatMessage;
  readonly generationInfo?: { readonly finish_reason?: unknown };
}

interface LlmResult {
  readonly generations?: readonly (readonly Generation[])[];
  readonly llmOutput?: {
    readonly tokenUsage?: { readonly promptTokens?: unknown; readonly completionTokens?: unknown };
    readonly model_name?: unknown;
  };
}

/** A callback handler of LangChain.js, for the `callbacks` of a model, a chain or a call. */
export class LangChainHandler {
  readonly name = 'barograph';
  /** Handlers that aren't waited for are queued, and then the time of a token is that of the queue. */
  readonly awaitHandlers = true;
  readonly raiseError = false;
  readonly ignoreLLM = false;
  readonly ignoreChain = true;
  readonly ignoreAgent = true;
  readonly ignoreRetriever = true;
  readonly ignoreCustomEvent = true;
  readonly #options: ObserveOptions;
  readonly #runs = new Map<string, Inference>();

  constructor(options: ObserveOptions = {}) {
    this.#options = options;
  }

  /** LangChain copies handlers for children; the runs must stay together. */
  copy(): this {
    return this;
  }

  handleChatModelStart(llm: unknown, _messages: unknown, runId: string, _parent?: string, extra?: unknown): void {
    this.#start(llm, runId, extra, 'chat');
  }

  handleLLMStart(llm: unknown, _prompts: unknown, runId: string, _parent?: string, extra?: unknown): void {
    this.#start(llm, runId, extra, 'text_completion');
  }

  handleLLMNewToken(
    text: unknown,
    _index: unknown,
    runId: string,
    _parent?: string,
    _tags?: unknown,
    fields?: { readonly chunk?: unknown },
  ): void {
    const inference = this.#runs.get(runId);
    if (!inference) return;
    const kind = kindOfChunk(text, (fields?.chunk as Generation | undefined)?.message);
    if (kind) inference.chunk(kind);
  }

  handleLLMEnd(output: unknown, runId: string): void {
    const inference = this.#take(runId);
    if (!inference) return;
    this.#guard(() => inference.end(endOfResult((output ?? {}) as LlmResult)));
  }

  handleLLMError(error: unknown, runId: string): void {
    this.#take(runId)?.fail(error);
  }

  #start(llm: unknown, runId: string, extra: unknown, operation: InferenceRequest['operation']): void {
    this.#guard(() => {
      const { instrumentation = defaultInstrumentation(), ...options } = this.#options;
      const { kwargs, id } = (llm ?? {}) as { kwargs?: Record<string, unknown>; id?: unknown };
      const params = ((extra ?? {}) as { invocation_params?: Record<string, unknown> }).invocation_params ?? {};
      const className = Array.isArray(id) ? textOf(id.at(-1)) : undefined;
      if (this.#runs.size >= MAX_OPEN_RUNS) {
        const [oldest] = this.#runs.keys();
        this.#runs.delete(oldest);
        instrumentation.tally.drop('open_runs_full');
      }
      const request: InferenceRequest = {
        ...options.labels,
        operation,
        provider: options.provider ?? providerOf(className),
        model: textOf(params.model ?? params.model_name ?? kwargs?.model ?? kwargs?.model_name),
        prompt_class: options.prompt_class,
        streamed: typeof params.stream === 'boolean' ? params.stream : undefined,
        choices: tokenCountOf(params.n),
        maxTokens: tokenCountOf(params.max_tokens ?? params.max_completion_tokens),
        temperature: tokenCountOf(params.temperature),
        topP: tokenCountOf(params.top_p),
      };
      this.#runs.set(runId, instrumentation.inference(request));
    });
  }

  #take(runId: string): Inference | undefined {
    const inference = this.#runs.get(runId);
    this.#runs.delete(runId);
    return inference;
  }

  #guard(work: () => void): void {
    (this.#options.instrumentation ?? defaultInstrumentation()).tally.guard(work);
  }
}

/** A callback handler for LangChain.js: `new ChatOpenAI({ callbacks: [langChainHandler()] })`. */
export function langChainHandler(options: ObserveOptions = {}): LangChainHandler {
  return new LangChainHandler(options);
}

/** Which kind of output a new token has; the callback comes for chunks with a role alone as well. */
function kindOfChunk(text: unknown, message: ChatMessage | undefined): TokenKind | undefined {
  if (typeof text === 'string' && text !== '') return 'visible';
  if (message?.tool_call_chunks && message.tool_call_chunks.length > 0) return 'visible';
  if (Array.isArray(message?.content)) return kindOfParts(message.content);
  return kindOfDelta({
    content: message?.content,
    reasoning_content: message?.additional_kwargs?.reasoning_content,
  });
}

/** Messages of Anthropic's models have a list of parts. */
function kindOfParts(parts: readonly unknown[]): TokenKind | undefined {
  let kind: TokenKind | undefined;
  for (const part of parts) {
    const { type, text, thinking, input } = (part ?? {}) as Record<string, unknown>;
    if (isNonEmpty(text) || isNonEmpty(input) || type === 'tool_use') return 'visible';
    if (isNonEmpty(thinking)) kind = 'reasoning';
  }
  return kind;
}

function endOfResult(result: LlmResult): InferenceEnd {
  const generations = (result.generations ?? []).flat();
  const message = generations[0]?.message;
  return {
    finishReasons: generations.map(({ message: each, generationInfo }) =>
      textOf(
        each?.response_metadata?.finish_reason ?? each?.response_metadata?.stop_reason ?? generationInfo?.finish_reason,
      ),
    ),
    hasOutput: generations.some(
      (each) =>
        isNonEmpty(each.text) ||
        (each.message?.tool_calls?.length ?? 0) > 0 ||
        kindOfDelta({ content: textOf(each.message?.content) }) === 'visible',
    ),
    usage: resultUsageOf(result, message),
    responseModel: textOf(message?.response_metadata?.model_name ?? message?.response_metadata?.model),
  };
}

function resultUsageOf(result: LlmResult, message: ChatMessage | undefined): Usage | undefined {
  const usage = message?.usage_metadata;
  if (usage) {
    return usageOf({
      inputTokens: usage.input_tokens,
      outputTokens: usage.output_tokens,
      cachedTokens: usage.input_token_details?.cache_read,
      cacheWriteTokens: usage.input_token_details?.cache_creation,
      reasoningTokens: usage.output_token_details?.reasoning,
    });
  }
  const total = result.llmOutput?.tokenUsage;
  // LangChain fills in zeros where a provider said nothing.
  if (!total || (total.promptTokens === 0 && total.completionTokens === 0)) return undefined;
  return usageOf({ inputTokens: total.promptTokens, outputTokens: total.completionTokens });
}

function providerOf(className: string | undefined): string | undefined {
  if (className === undefined) return undefined;
  if (className.startsWith('Azure')) return 'azure.ai.openai';
  const known = ['OpenAI', 'Anthropic', 'Groq', 'Cohere', 'DeepSeek', 'Mistral', 'Bedrock', 'Vertex'].find((name) =>
    className.includes(name),
  );
  switch (known) {
    case 'Mistral':
      return 'mistral_ai';
    case 'Bedrock':
      return 'aws.bedrock';
    case 'Vertex':
      return 'gcp.vertex_ai';
    default:
      return known?.toLowerCase();
  }
}
