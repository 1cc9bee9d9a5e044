import type { Labels } from './labels.ts';
import type { RequestEnd } from './outcome.ts';
import type { Usage } from './usage.ts';

/** Where a piece of output belongs: reasoning that the model thinks aloud, or what the user gets (text, tool calls). */
export type TokenKind = 'reasoning' | 'visible';

/** What is known of a request when it begins. There is no field for what is asked. */
export interface InferenceRequest extends Labels {
  /** OpenTelemetry's name of the operation (default `chat`). Embeddings give a span and no metric of inference. */
  readonly operation?: 'chat' | 'text_completion' | 'generate_content' | 'embeddings';
  /** OpenTelemetry's name of the provider, such as `openai` or `anthropic`; servers that speak its API are `openai`. */
  readonly provider?: string;
  /** The model that is asked for; the label model_version until the answer names another. */
  readonly model?: string;
  /** When it arrived, on the instrumentation's clock (`nowMs`), where that was before it could be described. Milliseconds. */
  readonly arrivedMs?: number;
  /** The kind of prompt as a short code, such as `rag`. */
  readonly prompt_class?: string;
  /** Whether the answer is asked for as a stream. */
  readonly streamed?: boolean;
  readonly maxTokens?: number;
  /** Answers asked for at once. */
  readonly choices?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly outputType?: 'text' | 'json' | 'image' | 'speech';
  /** Host and port of the server that is asked. */
  readonly serverAddress?: string;
  readonly serverPort?: number;
}

/** What is known of a request when it has ended. There is no field for what was answered. */
export interface InferenceEnd extends RequestEnd {
  /** The provider's count of tokens; without it counts are estimates, or absent. */
  readonly usage?: Usage;
  /** The model that answered; it becomes the label model_version. */
  readonly responseModel?: string;
  /** The provider's identifier of the answer; it stands on the span alone. */
  readonly responseId?: string;
}
