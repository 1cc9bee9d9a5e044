import { errorTypeOf, tokenCountOf } from '../codes.ts';
import { instrumentation as defaultInstrumentation } from '../default.ts';
import type { Inference } from '../inference.ts';
import type { InferenceEnd, InferenceRequest, TokenKind } from '../inference-types.ts';
import type { Instrumentation } from '../instrumentation.ts';
import { type LooseUsage, type Usage, usageOf } from '../usage.ts';
import { isNonEmpty, type ObserveOptions, textOf } from './client.ts';

/** A model as the AI SDK gives it to a middleware. */
interface LanguageModel {
  readonly modelId?: unknown;
  readonly provider?: unknown;
}

interface CallParams {
  readonly maxOutputTokens?: unknown;
  readonly maxTokens?: unknown;
  readonly temperature?: unknown;
  readonly topP?: unknown;
}

/** A count, or from version 6 of the AI SDK a count with its parts. */
type Count = unknown;

interface AiUsage {
  readonly inputTokens?: Count;
  readonly outputTokens?: Count;
  readonly reasoningTokens?: unknown;
  readonly cachedInputTokens?: unknown;
  /** Version 4. */
  readonly promptTokens?: unknown;
  readonly completionTokens?: unknown;
}

interface GenerateResult {
  readonly content?: readonly { readonly type?: string; readonly text?: unknown }[];
  /** Version 4. */
  readonly text?: unknown;
  readonly toolCalls?: readonly unknown[];
  readonly finishReason?: unknown;
  readonly usage?: AiUsage;
  readonly response?: { readonly id?: unknown; readonly modelId?: unknown };
}

/** A part of a stream; only whether its texts are empty is looked at. */
interface StreamPart {
  readonly type?: string;
  readonly delta?: unknown;
  readonly textDelta?: unknown;
  readonly argsTextDelta?: unknown;
  readonly id?: unknown;
  readonly modelId?: unknown;
  readonly usage?: AiUsage;
  readonly finishReason?: unknown;
  readonly error?: unknown;
}

/** A middleware of the Vercel AI SDK, versions 4 to 6. */
export interface AiMiddleware {
  readonly specificationVersion: 'v3';
  readonly middlewareVersion: 'v2';
  wrapGenerate<Result>(call: {
    doGenerate: () => PromiseLike<Result>;
    params?: unknown;
    model?: unknown;
  }): Promise<Result>;
  wrapStream<Result extends { stream: ReadableStream }>(call: {
    doStream: () => PromiseLike<Result>;
    params?: unknown;
    model?: unknown;
  }): Promise<Result>;
}

/**
 * A middleware for the Vercel AI SDK: `wrapLanguageModel({ model, middleware: aiMiddleware() })`. A failure of a call
 * goes on as it came; parts of streams go through unchanged.
 */
export function aiMiddleware(options: ObserveOptions = {}): AiMiddleware {
  const instrumentation = options.instrumentation ?? defaultInstrumentation();
  return {
    specificationVersion: 'v3',
    middlewareVersion: 'v2',
    async wrapGenerate(call) {
      const inference = instrumentation.inference(describe(options, call, false));
      try {
        const result = await instrumentation.run(inference, () => call.doGenerate());
        instrumentation.tally.guard(() => inference.end(endOfResult(result as GenerateResult)));
        return result;
      } catch (error) {
        inference.fail(error);
        throw error;
      }
    },
    async wrapStream(call) {
      const inference = instrumentation.inference(describe(options, call, true));
      try {
        const result = await instrumentation.run(inference, () => call.doStream());
        return { ...result, stream: observeParts(result.stream, inference, instrumentation) };
      } catch (error) {
        inference.fail(error);
        throw error;
      }
    },
  };
}

function describe(
  options: ObserveOptions,
  call: { params?: unknown; model?: unknown },
  streamed: boolean,
): InferenceRequest {
  const { modelId, provider } = (call.model ?? {}) as LanguageModel;
  const params = (call.params ?? {}) as CallParams;
  return {
    ...options.labels,
    operation: 'chat',
    // `openai.chat` is the provider's `openai`.
    provider: options.provider ?? textOf(provider)?.split('.')[0],
    model: textOf(modelId),
    prompt_class: options.prompt_class,
    streamed,
    maxTokens: tokenCountOf(params.maxOutputTokens ?? params.maxTokens),
    temperature: tokenCountOf(params.temperature),
    topP: tokenCountOf(params.topP),
  };
}

function aiUsageOf(usage: AiUsage | undefined): Usage | undefined {
  if (!usage) return undefined;
  const input = (typeof usage.inputTokens === 'object' ? usage.inputTokens : undefined) as
    | { total?: unknown; cacheRead?: unknown; cacheWrite?: unknown }
    | null
    | undefined;
  const output = (typeof usage.outputTokens === 'object' ? usage.outputTokens : undefined) as
    | { total?: unknown; reasoning?: unknown }
    | null
    | undefined;
  const loose: LooseUsage = {
    inputTokens: input ? input.total : (usage.inputTokens ?? usage.promptTokens),
    outputTokens: output ? output.total : (usage.outputTokens ?? usage.completionTokens),
    cachedTokens: input ? input.cacheRead : usage.cachedInputTokens,
    cacheWriteTokens: input?.cacheWrite,
    reasoningTokens: output ? output.reasoning : usage.reasoningTokens,
  };
  return usageOf(loose);
}

/** The AI SDK's finish reasons in the contract's spelling; `other` and `unknown` say nothing. */
function finishReasonOf(reason: unknown): string | undefined {
  const unified = typeof reason === 'object' && reason !== null ? (reason as { unified?: unknown }).unified : reason;
  if (typeof unified !== 'string' || unified === 'other' || unified === 'unknown') return undefined;
  return unified.replaceAll('-', '_');
}

function endOfResult(result: GenerateResult): InferenceEnd {
  const parts = result.content ?? [];
  const hasPart = parts.some((part) => part.type !== 'reasoning' && (part.type !== 'text' || isNonEmpty(part.text)));
  return {
    finishReasons: [finishReasonOf(result.finishReason)],
    hasOutput: hasPart || isNonEmpty(result.text) || (result.toolCalls?.length ?? 0) > 0,
    usage: aiUsageOf(result.usage),
    responseModel: textOf(result.response?.modelId),
    responseId: textOf(result.response?.id),
  };
}

/** Which kind of output a part has; undefined where it has none. */
function kindOfPart(part: StreamPart): TokenKind | undefined {
  switch (part.type) {
    case 'text-delta':
      return isNonEmpty(part.delta) || isNonEmpty(part.textDelta) ? 'visible' : undefined;
    case 'tool-input-delta':
    case 'tool-call-delta':
      return isNonEmpty(part.delta) || isNonEmpty(part.argsTextDelta) ? 'visible' : undefined;
    case 'reasoning-delta':
    case 'reasoning':
      return isNonEmpty(part.delta) || isNonEmpty(part.textDelta) ? 'reasoning' : undefined;
    // The name of a tool is output; a whole call repeats what came before as parts, but models may give it alone.
    case 'tool-input-start':
      return 'visible';
    case 'tool-call':
    case 'file':
      return 'visible';
    default:
      return undefined;
  }
}

/** What of a stream is known so far. */
interface PartsSeen {
  end: InferenceEnd;
  hasOutput: boolean;
  hasToolInput: boolean;
  hasFinished: boolean;
}

function observeParts(stream: ReadableStream, inference: Inference, { tally }: Instrumentation): ReadableStream {
  const seen: PartsSeen = { end: {}, hasOutput: false, hasToolInput: false, hasFinished: false };
  const end = (more: InferenceEnd): void =>
    tally.guard(() => inference.end({ hasOutput: seen.hasOutput, ...seen.end, ...more }));
  const reader = stream.getReader();
  // It asks for a part when it is asked for one, as the stream would by itself.
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            end({ streamEnded: seen.hasFinished });
            controller.close();
            return;
          }
          tally.guard(() => see(value as StreamPart, seen, inference));
          controller.enqueue(value);
        } catch (error) {
          tally.guard(() => inference.fail(error, { ...seen.end, streamEnded: false }));
          controller.error(error);
        }
      },
      async cancel(reason) {
        end(seen.hasFinished ? { streamEnded: true } : { errorType: 'client_disconnected', streamEnded: false });
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

function see(part: StreamPart, seen: PartsSeen, inference: Inference): void {
  const kind = kindOfPart(part);
  const isRepeated = part.type === 'tool-call' && seen.hasToolInput;
  if (part.type === 'tool-input-start' || part.type === 'tool-call-delta') seen.hasToolInput = true;
  if (kind === 'visible') seen.hasOutput = true;
  if (kind && !isRepeated) inference.chunk(kind);
  switch (part.type) {
    case 'response-metadata':
      seen.end = { ...seen.end, responseModel: textOf(part.modelId), responseId: textOf(part.id) };
      break;
    case 'finish':
      seen.hasFinished = true;
      seen.end = { ...seen.end, finishReasons: [finishReasonOf(part.finishReason)], usage: aiUsageOf(part.usage) };
      break;
    case 'error':
      seen.end = { ...seen.end, hasErrorBody: true, errorType: errorTypeOf(part.error) };
      break;
  }
}
