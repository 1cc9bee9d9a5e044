import type { Inference } from '../inference.ts';
import type { InferenceEnd } from '../inference-types.ts';
import { type Usage, usageOf } from '../usage.ts';
import { isNonEmpty } from './client.ts';
import type { StreamReader } from './observe-stream.ts';
import type { ResponseBody, ResponseEvent } from './openai-types.ts';

function responseUsageOf(usage: ResponseBody['usage']): Usage | undefined {
  if (!usage) return undefined;
  return usageOf({
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
    cachedTokens: usage.input_tokens_details?.cached_tokens,
    reasoningTokens: usage.output_tokens_details?.reasoning_tokens,
  });
}

/** What a whole response says of its end. */
function endOf(body: ResponseBody): InferenceEnd {
  const output = body.output ?? [];
  const isRefusal = output.some((item) =>
    item.content?.some((part) => (part as { type?: unknown } | null)?.type === 'refusal'),
  );
  const reason = body.incomplete_details?.reason ?? body.status;
  return {
    httpStatus: 200,
    hasErrorBody: Boolean(body.error),
    errorType: typeof body.error?.code === 'string' ? body.error.code : undefined,
    finishReasons: isRefusal ? [reason, 'refusal'] : [reason],
    // Reasoning alone is nothing to the user; a call of a tool is an answer.
    hasOutput: output.some(
      (item) => item.type !== 'reasoning' && (item.type !== 'message' || Boolean(item.content?.length)),
    ),
    usage: responseUsageOf(body.usage),
    responseModel: typeof body.model === 'string' ? body.model : undefined,
    responseId: typeof body.id === 'string' ? body.id : undefined,
  };
}

/** Ends a request of the Responses API whose answer came as a whole. */
export function endResponse(inference: Inference, body: ResponseBody): void {
  inference.end(endOf(body));
}

/** Looks at the events of a stream of the Responses API. */
export class ResponseStreamReader implements StreamReader<ResponseEvent> {
  readonly #inference: Inference;
  readonly #wasAborted: () => boolean;
  #end: InferenceEnd | undefined;
  #begun: ResponseBody | undefined;
  #hasOutput = false;

  constructor(inference: Inference, wasAborted: () => boolean) {
    this.#inference = inference;
    this.#wasAborted = wasAborted;
  }

  item(event: ResponseEvent): 'pass' {
    switch (event.type) {
      case 'response.output_text.delta':
      case 'response.refusal.delta':
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
      case 'response.mcp_call_arguments.delta':
      case 'response.code_interpreter_call_code.delta':
      case 'response.audio.delta':
        if (isNonEmpty(event.delta)) this.#token('visible');
        break;
      case 'response.reasoning_text.delta':
        if (isNonEmpty(event.delta)) this.#token('reasoning');
        break;
      case 'response.reasoning_summary_text.delta':
        // A summary is what the user sees first, but its pieces aren't the tokens of the reasoning.
        if (isNonEmpty(event.delta)) {
          this.#token('reasoning');
          this.#inference.streamedReasoning = false;
        }
        break;
      case 'response.created':
        this.#begun = event.response ?? undefined;
        break;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
      case 'response.cancelled':
        if (event.response) this.#end = endOf(event.response);
        break;
      case 'error':
        this.#end = {
          ...this.#known(),
          hasErrorBody: true,
          errorType: typeof event.code === 'string' ? event.code : undefined,
        };
        break;
    }
    return 'pass';
  }

  done(): void {
    if (this.#end) this.#inference.end({ ...this.#end, streamEnded: true });
    else if (this.#wasAborted()) this.#inference.end({ ...this.#known(), errorType: 'aborted' });
    else this.#inference.end({ ...this.#known(), streamEnded: false });
  }

  failed(error: unknown): void {
    this.#inference.fail(error, { ...this.#known(), streamEnded: false });
  }

  left(): void {
    if (this.#end) this.done();
    else this.#inference.end({ ...this.#known(), errorType: 'client_disconnected', streamEnded: false });
  }

  #token(kind: 'visible' | 'reasoning'): void {
    if (kind === 'visible') this.#hasOutput = true;
    this.#inference.chunk(kind);
  }

  #known(): InferenceEnd {
    const begun = this.#begun;
    return {
      httpStatus: 200,
      hasOutput: this.#hasOutput,
      responseModel: typeof begun?.model === 'string' ? begun.model : undefined,
      responseId: typeof begun?.id === 'string' ? begun.id : undefined,
    };
  }
}
