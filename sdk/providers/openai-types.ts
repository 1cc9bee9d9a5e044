// What is read of OpenAI's clients, requests and answers, and of those of servers that speak its API (vLLM, SGLang, TGI,
// llama.cpp, DeepSeek, OpenRouter). Fields that hold content are here to see whether there is any; they are never kept.

/** Usage of chat and text completions. */
export interface CompletionUsage {
  readonly prompt_tokens?: unknown;
  readonly completion_tokens?: unknown;
  readonly prompt_tokens_details?: { readonly cached_tokens?: unknown } | null;
  readonly completion_tokens_details?: { readonly reasoning_tokens?: unknown } | null;
  /** DeepSeek's name for cached tokens. */
  readonly prompt_cache_hit_tokens?: unknown;
}

/** A part of a message, or what a chunk adds to it. */
export interface ChatDelta {
  readonly content?: unknown;
  readonly refusal?: unknown;
  /** Names of the reasoning channel: DeepSeek, vLLM and SGLang; newer vLLM and OpenRouter. */
  readonly reasoning_content?: unknown;
  readonly reasoning?: unknown;
  readonly reasoning_details?: unknown;
  readonly tool_calls?:
    | readonly { readonly function?: { readonly name?: unknown; readonly arguments?: unknown } | null }[]
    | null;
  readonly function_call?: { readonly name?: unknown; readonly arguments?: unknown } | null;
  readonly audio?: { readonly data?: unknown; readonly transcript?: unknown } | null;
}

/** A choice of a chat or text completion, whole or in part. */
export interface Choice {
  readonly index?: number;
  readonly delta?: ChatDelta | null;
  readonly message?: ChatDelta | null;
  /** Text completions. */
  readonly text?: unknown;
  readonly finish_reason?: string | null;
}

/** A chat or text completion, or a chunk of one. */
export interface Completion {
  readonly id?: unknown;
  readonly model?: unknown;
  readonly choices?: readonly Choice[] | null;
  readonly usage?: CompletionUsage | null;
  /** Of servers that answer 200 with an error. */
  readonly error?: unknown;
}

/** An answer of the Responses API. */
export interface ResponseBody {
  readonly id?: unknown;
  readonly model?: unknown;
  readonly status?: string | null;
  readonly error?: { readonly code?: unknown } | null;
  readonly incomplete_details?: { readonly reason?: string | null } | null;
  readonly output?: readonly { readonly type?: string; readonly content?: readonly unknown[] | null }[] | null;
  readonly usage?: {
    readonly input_tokens?: unknown;
    readonly input_tokens_details?: { readonly cached_tokens?: unknown } | null;
    readonly output_tokens?: unknown;
    readonly output_tokens_details?: { readonly reasoning_tokens?: unknown } | null;
  } | null;
}

/** An event of a stream of the Responses API. */
export interface ResponseEvent {
  readonly type?: string;
  readonly delta?: unknown;
  readonly code?: unknown;
  readonly response?: ResponseBody | null;
}

/** What is read of any request. */
export interface OpenAIRequest {
  readonly model?: unknown;
  readonly stream?: unknown;
  readonly n?: unknown;
  readonly max_tokens?: unknown;
  readonly max_completion_tokens?: unknown;
  readonly max_output_tokens?: unknown;
  readonly temperature?: unknown;
  readonly top_p?: unknown;
  readonly stream_options?: { readonly include_usage?: unknown } | null;
}

type Create = (body: never, ...rest: never[]) => unknown;

/** A client, as far as it is observed: `new OpenAI()` or `new AzureOpenAI()` of any version since 4. */
export interface OpenAIClient {
  readonly baseURL?: string;
  readonly chat?: { readonly completions?: { create: Create } };
  readonly completions?: { create: Create };
  readonly responses?: { create: Create };
  readonly embeddings?: { create: Create };
}
