import {
  type Attributes,
  type Context,
  context as contexts,
  createContextKey,
  type MeterProvider,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { errorTypeOf, refusalOfCode } from './codes.ts';
import { checkFields, type EventFields, EventGate, type EventLevel, writeEvent } from './events.ts';
import { endSpan, finish, finishedFields, type MeasuredStage, recordMetrics, startAttributes } from './finished.ts';
import { Inference, type InferenceHost } from './inference.ts';
import type { InferenceEnd, InferenceRequest } from './inference-types.ts';
import { InstrumentSource, SCOPE_NAME } from './instruments.ts';
import { count, type LabelSet, LabelSets } from './label-sets.ts';
import { LabelJudge, type Labels } from './labels.ts';
import { type LogSinkProvider, LogSinkSource } from './log-sink.ts';
import { ContractMetricProducer } from './metric-producer.ts';
import { Tally } from './tally.ts';

/** How a program is observed. Everything may be left out. */
export interface InstrumentationOptions {
  /** Labels that every request of this program has. Resource attributes (`service.name`, `cloud.region`) do as well. */
  readonly labels?: Labels;
  /** Where the program stands; the label stage of the time to the first token (default `client`). */
  readonly stage?: MeasuredStage;
  /** Events a second at most, twice as many at once (default 1,000); what comes faster is dropped and counted. */
  readonly maxEventsPerSecond?: number;
  /** Whether each request's end is an event too (default true). */
  readonly requestEvents?: boolean;
  /** OpenTelemetry's providers; the global ones are the default, also when they are set up later. */
  readonly meterProvider?: MeterProvider;
  readonly tracerProvider?: TracerProvider;
  readonly loggerProvider?: LogSinkProvider;
  /** Milliseconds since the epoch, never going back; for replays. The default measures with `performance.now()`. */
  readonly clock?: () => number;
}

/** The signals of an answer's quality. They never page. */
export interface Signals {
  /** A guardrail decided against a prompt or an answer. @param policy A short code such as `pii`. */
  guardrail(policy: string, labels?: Labels): void;
  /** @param score From 0 to 1. @param evaluation A short code such as `groundedness`. */
  quality(evaluation: string, score: number, labels?: Labels): void;
  /** The model's own confidence. @param confidence From 0 to 1. */
  confidence(confidence: number, labels?: Labels): void;
  /** @param dollars By price list or GPU time. */
  cost(dollars: number, labels?: Labels): void;
}

/** The inference that a piece of code runs for, found by its retries. */
const INFERENCE = createContextKey('barograph inference');

/** Observes one program: makes inferences, spans of the semantic path, events and signals. Nothing here throws. */
export class Instrumentation implements InferenceHost, Signals {
  readonly tally = new Tally();
  readonly nowMs: () => number;
  readonly #options: InstrumentationOptions;
  readonly #labels: Labels;
  readonly #judge = new LabelJudge(this.tally);
  readonly #sets = new LabelSets(this.#judge, this.tally);
  readonly #instruments: InstrumentSource;
  readonly #logs: LogSinkSource;
  readonly #gate: EventGate;
  readonly #tracer: Tracer;
  readonly #producer: ContractMetricProducer;

  constructor(options: InstrumentationOptions = {}) {
    this.#options = options;
    this.#labels = options.labels ?? {};
    this.nowMs = options.clock ?? (() => performance.now());
    this.#instruments = new InstrumentSource(options.meterProvider, this.#sets, this.tally);
    this.#logs = new LogSinkSource(options.loggerProvider);
    this.#gate = new EventGate(options.maxEventsPerSecond ?? 1000, this.tally);
    // A tracer of the API follows the provider that is set up later by itself.
    this.#tracer = (options.tracerProvider ?? trace).getTracer(SCOPE_NAME);
    this.#producer = new ContractMetricProducer(this.#sets, () => this.#epochMs());
    this.tally.guard(() => this.#instruments.refresh());
  }

  /**
   * The histograms, for a metric reader of an OpenTelemetry SDK of your own. Take it before the first request: from then on
   * the SDK keeps its histograms itself, which is faster than OpenTelemetry's. Taken later, or by nobody, all of them but
   * the gaps between tokens are OpenTelemetry's.
   */
  get metricProducer(): ContractMetricProducer {
    this.#instruments.keepHistograms();
    return this.#producer;
  }

  /** The gaps between tokens alone, for a reader beside a meter provider that has everything else. */
  get gapProducer(): ContractMetricProducer {
    return this.#producer;
  }

  /** A request to a model begins. End it with `end` or `fail`. @param parent The context of its span. */
  inference(request: InferenceRequest = {}, parent: Context = contexts.active()): Inference {
    try {
      const labels = this.#sets.find(this.#labels, request, request.model);
      const isEmbeddings = request.operation === 'embeddings';
      const span = this.#tracer.startSpan(
        isEmbeddings ? 'embeddings' : 'model_inference',
        {
          kind: SpanKind.CLIENT,
          startTime: this.spanTime(),
          attributes: startAttributes(request, labels, this.#judge),
        },
        parent,
      );
      return new Inference(this, request, span, trace.setSpan(parent, span), labels);
    } catch {
      this.tally.drop('internal_error');
      return new Inference(this, {}, trace.wrapSpanContext(INVALID_SPAN), ROOT_CONTEXT);
    }
  }

  /** Runs code in the context of an inference, so that its spans are children and its retries are counted. */
  run<Result>(inference: Inference, code: () => Result): Result {
    return contexts.with(inference.context.setValue(INFERENCE, inference), code);
  }

  /** The inference that the running code works for; undefined outside of `run`. */
  activeInference(): Inference | undefined {
    return contexts.active().getValue(INFERENCE) as Inference | undefined;
  }

  /**
   * Runs a step of the semantic path in a span of its own, in whose context the step's code runs across its awaits. The
   * step's result and its failure are the code's own.
   */
  step<Result>(step: StepSpec, code: (span: StepSpan) => Result): Result {
    const span = this.#startStep(step);
    const stepSpan = new StepSpan(span, this);
    let result: Result;
    try {
      result = contexts.with(trace.setSpan(contexts.active(), span), code, undefined, stepSpan);
    } catch (error) {
      stepSpan.close(error, true);
      throw error;
    }
    if (!isThenable(result)) {
      stepSpan.close(undefined, false);
      return result;
    }
    return result.then(
      (value) => {
        stepSpan.close(undefined, false);
        return value;
      },
      (error: unknown) => {
        stepSpan.close(error, true);
        throw error;
      },
    ) as Result;
  }

  /** Writes an event with the contract's fields, in the trace that is active. @param name A short code. */
  event(name: string, fields: EventFields = {}): void {
    this.tally.guard(() => {
      const refusal = refusalOfCode(name);
      if (refusal) {
        this.tally.refuse(refusal);
        return;
      }
      const checked = checkFields(fields, this.tally, this.#judge);
      const labels = this.#sets.find(this.#labels, fields, undefined);
      this.#emit(name, fields.level ?? 'info', checked, labels, contexts.active());
    });
  }

  guardrail(policy: string, labels: Labels = {}): void {
    this.tally.guard(() => {
      const code = this.#judge.judge('policy', policy);
      if (code === undefined) return;
      const set = this.#sets.find(this.#labels, labels, undefined);
      count(set.guardrails, code);
      this.#instruments.refresh();
      this.#emit('guardrail.triggered', 'warn', { policy: code }, set, contexts.active());
    });
  }

  quality(evaluation: string, score: number, labels: Labels = {}): void {
    this.tally.guard(() => {
      const code = this.#judge.judge('evaluation', evaluation);
      if (code === undefined || !this.#isRatio(score)) return;
      const set = this.#sets.find(this.#labels, labels, undefined);
      this.#instruments.refresh();
      const bind = () => this.#instruments.bind('inference_quality_score', { ...set.attributes, evaluation: code });
      set.bound(`quality ${code}`, bind).record(score, contexts.active());
    });
  }

  confidence(confidence: number, labels: Labels = {}): void {
    this.tally.guard(() => {
      if (!this.#isRatio(confidence)) return;
      const set = this.#sets.find(this.#labels, labels, undefined);
      this.#instruments.refresh();
      const bind = () => this.#instruments.bind('inference_confidence', set.attributes);
      set.bound('confidence', bind).record(confidence, contexts.active());
    });
  }

  cost(dollars: number, labels: Labels = {}): void {
    this.tally.guard(() => {
      if (!(typeof dollars === 'number' && dollars >= 0 && Number.isFinite(dollars))) {
        this.tally.refuse('not_a_number');
        return;
      }
      this.#sets.find(this.#labels, labels, undefined).costDollars += dollars;
      this.#instruments.refresh();
    });
  }

  /** Stops being observed by the meter provider. */
  close(): void {
    this.#instruments.close();
  }

  /** Called by an inference that has ended. */
  finished(inference: Inference, end: InferenceEnd): void {
    try {
      this.#tell(inference, end);
    } catch {
      this.tally.drop('internal_error');
      this.tally.guard(() => inference.span.end());
    }
  }

  #tell(inference: Inference, end: InferenceEnd): void {
    const { request } = inference;
    inference.report(end.usage);
    const isSameModel = !end.responseModel || end.responseModel === request.model;
    const begun = isSameModel ? inference.labels : undefined;
    const labels = begun ?? this.#sets.find(this.#labels, request, end.responseModel || request.model);
    const promptClass = this.#judge.judge('prompt_class', request.prompt_class);
    const finished = finish(inference, end, labels, promptClass, this.#judge);
    // Embeddings aren't inference: their latency and tokens would hide those of the models that answer.
    if (request.operation !== 'embeddings') {
      this.#instruments.refresh();
      recordMetrics(finished, this.#instruments, this.#options.stage ?? 'client');
      if (this.#options.requestEvents !== false) {
        const fields = finishedFields(finished);
        this.#emit('request.finished', levelOf(finished.outcome), fields, labels, inference.context);
      }
    }
    endSpan(finished, this.#judge, this.spanTime());
  }

  /** Called by an inference, or by what sees its attempts, when an attempt after the first begins. */
  retried(inference: Inference | undefined, reason: string): void {
    this.tally.guard(() => {
      const code = this.#judge.judge('reason', reason) ?? 'unknown';
      const request = inference?.request ?? {};
      const labels = this.#sets.find(this.#labels, request, inference?.request.model);
      count(labels.retries, code);
      this.#instruments.refresh();
      const context = inference?.context ?? contexts.active();
      this.#emit('request.retried', 'warn', { retry_reason: code }, labels, context);
    });
  }

  #startStep(step: StepSpec): Span {
    try {
      const kind =
        step.kind === 'client' ? SpanKind.CLIENT : step.kind === 'server' ? SpanKind.SERVER : SpanKind.INTERNAL;
      const attributes = {
        ...this.#sets.find(this.#labels, {}, undefined).attributes,
        ...this.#codes(step.attributes),
      };
      return this.#tracer.startSpan(step.name, { kind, startTime: this.spanTime(), attributes });
    } catch {
      this.tally.drop('internal_error');
      return trace.wrapSpanContext(INVALID_SPAN);
    }
  }

  /** Attributes whose texts are codes; others are refused. */
  #codes(attributes: Readonly<Record<string, string | number | boolean | undefined>>): Attributes {
    const checked: Attributes = {};
    for (const [name, value] of Object.entries(attributes)) {
      if (value === undefined) continue;
      const refusal = typeof value === 'number' || typeof value === 'boolean' ? undefined : refusalOfCode(value);
      if (refusal) this.tally.refuse(refusal);
      else checked[name] = value;
    }
    return checked;
  }

  #emit(
    event: string,
    level: EventLevel,
    fields: Readonly<Record<string, string | number | boolean>>,
    labels: LabelSet,
    context: Context,
  ): void {
    const sink = this.#logs.current();
    if (!sink || sink.enabled?.() === false || !this.#gate.passes(this.nowMs())) return;
    writeEvent(sink, { event, level, fields, labels, context, timeMs: this.spanTime() });
  }

  #isRatio(value: unknown): boolean {
    if (typeof value === 'number' && value >= 0 && value <= 1) return true;
    this.tally.refuse('not_a_number');
    return false;
  }

  /** The time for spans and records; undefined where OpenTelemetry's own clock is the same. */
  spanTime(): number | undefined {
    return this.#options.clock?.();
  }

  #epochMs(): number {
    return this.#options.clock ? this.nowMs() : Date.now();
  }
}

/** A step of the semantic path as its span names it. */
export interface StepSpec {
  readonly name: 'gateway' | 'authenticate' | 'vector_search' | 'prompt_build' | 'output_filtering';
  readonly kind: 'server' | 'client' | 'internal';
  /** Texts are codes; anything else is refused. */
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>;
}

/** What a step's code may say about its step. */
export class StepSpan {
  readonly #span: Span;
  readonly #host: Instrumentation;

  constructor(span: Span, host: Instrumentation) {
    this.#span = span;
    this.#host = host;
  }

  /** A guardrail decided against the prompt or the answer: counted, written as an event and on the span. */
  triggered(policy: string, labels?: Labels): void {
    this.#host.guardrail(policy, labels);
    if (refusalOfCode(policy) === undefined) this.#span.setAttribute('policy', policy);
  }

  /** A count or a size of the step, such as the number of documents found. @param name Says the unit. */
  number(name: string, value: number): void {
    const isNamed = /^[a-z][a-z0-9_.]{0,47}$/.test(name);
    if (isNamed && typeof value === 'number' && Number.isFinite(value)) this.#span.setAttribute(name, value);
    else this.#host.tally.refuse(isNamed ? 'not_a_number' : 'unknown_field');
  }

  /** Called by the instrumentation when the step's code has ended. */
  close(error: unknown, failed: boolean): void {
    this.#host.tally.guard(() => {
      if (failed) {
        this.#span.setStatus({ code: SpanStatusCode.ERROR });
        this.#span.setAttribute('error.type', errorTypeOf(error) ?? 'error');
      }
      this.#span.end(this.#host.spanTime());
    });
  }
}

const INVALID_SPAN = { traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 };

function levelOf(outcome: string): EventLevel {
  if (outcome === 'error' || outcome === 'timeout' || outcome === 'empty') return 'error';
  return outcome === 'cancelled' ? 'warn' : 'info';
}

function isThenable<Result>(value: Result): value is Result & PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
