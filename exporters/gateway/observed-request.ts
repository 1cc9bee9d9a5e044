import type { IncomingHttpHeaders } from 'node:http';
import type { Inference, InferenceRequest, Instrumentation } from '@barograph/sdk';
import {
  type Context,
  context as contexts,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api';
import { spanOfTraceparent, traceparentOf } from './headers.ts';
import type { RequestParts } from './request-reader.ts';
import { type Classing, classOf, modelVersionOf, type Way } from './route.ts';

/** The header in which clients that Stainless generated (OpenAI's and Anthropic's) number their attempts, from 0. */
const RETRY_COUNT = 'x-stainless-retry-count';

/** What requests are observed with. */
export interface Observation {
  readonly instrumentation: Instrumentation;
  readonly classing: Classing;
  readonly upstreamHost: string;
  readonly upstreamPort: number;
}

/**
 * The telemetry of one request: a span `gateway` from its arrival, which continues the trace that its client began, and in
 * it the inference, once it is known what is asked for.
 */
export class ObservedRequest {
  readonly #observation: Observation;
  readonly #arrivedMs: number;
  #context: Context = ROOT_CONTEXT;
  #endStep: () => void = () => undefined;
  #inference: Inference | undefined;

  constructor(observation: Observation, headers: IncomingHttpHeaders) {
    const { instrumentation } = observation;
    this.#observation = observation;
    this.#arrivedMs = instrumentation.nowMs();
    const parent = spanOfTraceparent(headers.traceparent);
    const traceState = typeof headers.tracestate === 'string' ? createTraceState(headers.tracestate) : undefined;
    const around = parent ? trace.setSpanContext(ROOT_CONTEXT, { ...parent, traceState }) : ROOT_CONTEXT;
    contexts.with(around, () => {
      instrumentation.step({ name: 'gateway', kind: 'server', attributes: {} }, () => {
        this.#context = contexts.active();
        return new Promise<void>((resolve) => {
          this.#endStep = resolve;
        });
      });
    });
  }

  /** The request goes to the upstream. @param path with its query, for the policy by route. */
  begin(way: Way, path: string, headers: IncomingHttpHeaders, parts: RequestParts): Inference {
    const { instrumentation, classing, upstreamHost, upstreamPort } = this.#observation;
    const request: InferenceRequest = {
      ...classOf(classing, path, headers),
      ...parts,
      model_version: modelVersionOf(classing.models, parts.model),
      provider: way === 'messages' ? 'anthropic' : 'openai',
      arrivedMs: this.#arrivedMs,
      serverAddress: upstreamHost,
      serverPort: upstreamPort,
    };
    const inference = instrumentation.inference(request, this.#context);
    this.#inference = inference;
    if ((parts.choices ?? 1) > 1) inference.isParallel = true;
    if (Number(headers[RETRY_COUNT]) > 0) inference.retry('client_retry');
    return inference;
  }

  /** The header that tells the upstream of the inference's span; undefined where there are no spans. */
  get traceparent(): string | undefined {
    const span = this.#inference?.span.spanContext();
    return span && isSpanContextValid(span) && !span.isRemote ? traceparentOf(span) : undefined;
  }

  /** The request is over, however it ended. Ends the inference too, if nothing else did. */
  end(status: number | undefined, errorType?: string): void {
    if (this.#inference && !this.#inference.hasEnded) this.#inference.end({ httpStatus: status, errorType });
    this.#endStep();
  }
}
