import { tokenCountOf } from '../codes.ts';
import { instrumentation as defaultInstrumentation } from '../default.ts';
import type { Inference } from '../inference.ts';
import type { InferenceRequest } from '../inference-types.ts';
import type { Instrumentation } from '../instrumentation.ts';
import { observeAttempts } from './attempts.ts';
import { isPromise, isStream, markObserved, type ObserveOptions, observeCopies, serverOf, textOf } from './client.ts';
import { observeCall } from './observe-call.ts';
import { observeStream, type StreamReader } from './observe-stream.ts';
import { ChatStreamReader, chatUsageOf, endChat } from './openai-chat.ts';
import { endResponse, ResponseStreamReader } from './openai-responses.ts';
import type { Completion, OpenAIClient, OpenAIRequest, ResponseBody } from './openai-types.ts';

/** One of the client's ways to ask, and what is done with what it answers. */
interface Endpoint {
  readonly operation: NonNullable<InferenceRequest['operation']>;
  readonly readStream: (inference: Inference, hidesUsage: boolean, wasAborted: () => boolean) => StreamReader<never>;
  readonly endWhole: (inference: Inference, body: never) => void;
  /** Whether `stream_options.include_usage` is known to it. */
  readonly takesUsageOption: boolean;
}

const COMPLETIONS: Endpoint = {
  operation: 'chat',
  readStream: (inference, hidesUsage, wasAborted) => new ChatStreamReader(inference, { hidesUsage, wasAborted }),
  endWhole: (inference, body: Completion) => endChat(inference, body),
  takesUsageOption: true,
};
const TEXT_COMPLETIONS: Endpoint = { ...COMPLETIONS, operation: 'text_completion' };
const RESPONSES: Endpoint = {
  operation: 'chat',
  readStream: (inference, _hidesUsage, wasAborted) => new ResponseStreamReader(inference, wasAborted),
  endWhole: (inference, body: ResponseBody) => endResponse(inference, body),
  takesUsageOption: false,
};
const EMBEDDINGS: Endpoint = {
  ...COMPLETIONS,
  operation: 'embeddings',
  endWhole: (inference, body: Completion) =>
    inference.end({ httpStatus: 200, usage: chatUsageOf(body.usage), responseModel: textOf(body.model) }),
};

/**
 * Observes a client of OpenAI, or of a server that speaks its API: chat and text completions, responses, embeddings,
 * streamed and not, with the helpers that are built on them (`stream`, `parse`, `runTools`). The client is the same
 * object as before, and what it answers is what it answered. Observing it again changes nothing.
 */
export function observeOpenAI<Client extends OpenAIClient>(client: Client, options: ObserveOptions = {}): Client {
  if (!markObserved(client)) return client;
  const instrumentation = options.instrumentation ?? defaultInstrumentation();
  const wrap = (resource: { create: unknown } | undefined, endpoint: Endpoint): void => {
    if (typeof resource?.create !== 'function') return;
    const create = resource.create.bind(resource) as (body: unknown, ...rest: unknown[]) => unknown;
    resource.create = (body: unknown, ...rest: unknown[]) =>
      callEndpoint({ client, instrumentation, options, endpoint, create }, body, rest);
  };
  wrap(client.chat?.completions, COMPLETIONS);
  wrap(client.completions, TEXT_COMPLETIONS);
  wrap(client.responses, RESPONSES);
  wrap(client.embeddings, EMBEDDINGS);
  observeAttempts(client, instrumentation);
  observeCopies(client, (copy) => observeOpenAI(copy, options));
  return client;
}

interface ObservedCall {
  readonly client: OpenAIClient;
  readonly instrumentation: Instrumentation;
  readonly options: ObserveOptions;
  readonly endpoint: Endpoint;
  readonly create: (body: unknown, ...rest: unknown[]) => unknown;
}

function callEndpoint(call: ObservedCall, body: unknown, rest: unknown[]): unknown {
  const { instrumentation, options, endpoint, create } = call;
  const { tally } = instrumentation;
  const request = (typeof body === 'object' && body !== null ? body : {}) as OpenAIRequest;
  const inference = instrumentation.inference(describe(call, request));
  const asksUsage =
    options.requestUsage === true && endpoint.takesUsageOption && request.stream === true && !request.stream_options;
  const sent = asksUsage ? { ...request, stream_options: { include_usage: true } } : body;
  let answer: unknown;
  try {
    answer = instrumentation.run(inference, () => create(sent, ...rest));
  } catch (error) {
    inference.fail(error);
    throw error;
  }
  if (!isPromise(answer)) return answer;
  const signal = (rest[0] as { signal?: AbortSignal } | undefined)?.signal;
  const reader = {
    answered: (value: unknown): void => {
      if (!isStream(value)) {
        endpoint.endWhole(inference, value as never);
        return;
      }
      const { controller } = value as { controller?: AbortController };
      const wasAborted = (): boolean => controller?.signal.aborted === true || signal?.aborted === true;
      observeStream(value, endpoint.readStream(inference, asksUsage, wasAborted) as StreamReader<unknown>, tally);
    },
    failed: (error: unknown): void => inference.fail(error),
    tookResponse: (): void => {
      // Its body is the caller's to read, so how it ends isn't known, and a guess would be wrong.
      if (!inference.hasEnded) tally.drop('raw_response');
    },
  };
  return observeCall(answer, reader, tally);
}

function describe({ client, options, endpoint }: ObservedCall, request: OpenAIRequest): InferenceRequest {
  const server = serverOf(client.baseURL);
  return {
    ...options.labels,
    operation: endpoint.operation,
    provider: options.provider ?? providerOf(server.serverAddress),
    model: textOf(request.model),
    prompt_class: options.prompt_class,
    streamed: request.stream === true,
    choices: tokenCountOf(request.n),
    maxTokens: tokenCountOf(request.max_completion_tokens ?? request.max_output_tokens ?? request.max_tokens),
    temperature: tokenCountOf(request.temperature),
    topP: tokenCountOf(request.top_p),
    ...server,
  };
}

/** OpenTelemetry's names of providers that speak OpenAI's API, by the end of their host's name. */
const PROVIDERS: readonly (readonly [host: string, provider: string])[] = [
  ['.openai.azure.com', 'azure.ai.openai'],
  ['.services.ai.azure.com', 'azure.ai.inference'],
  ['api.deepseek.com', 'deepseek'],
  ['api.groq.com', 'groq'],
  ['api.mistral.ai', 'mistral_ai'],
  ['api.moonshot.ai', 'moonshot_ai'],
  ['api.perplexity.ai', 'perplexity'],
  ['api.x.ai', 'x_ai'],
];

function providerOf(host: string | undefined): string {
  return PROVIDERS.find(([end]) => host?.endsWith(end))?.[1] ?? 'openai';
}
