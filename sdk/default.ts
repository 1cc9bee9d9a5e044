import type { Context } from '@opentelemetry/api';
import type { EventFields } from './events.ts';
import type { Inference } from './inference.ts';
import type { InferenceRequest } from './inference-types.ts';
import { Instrumentation, type InstrumentationOptions, type StepSpan } from './instrumentation.ts';
import type { Labels } from './labels.ts';
import { type PromptBuild, SemanticPath, type VectorSearch } from './path.ts';

// One of a program, as OpenTelemetry's global providers are, so that libraries and the program's own code share it.
let current: { readonly instrumentation: Instrumentation; readonly path: SemanticPath } | undefined;

function ensure(): { readonly instrumentation: Instrumentation; readonly path: SemanticPath } {
  if (!current) configure();
  return current!;
}

/** Sets how this program is observed; to be called before anything is. Without it the defaults hold. */
export function configure(options: InstrumentationOptions = {}): Instrumentation {
  current?.instrumentation.close();
  const instrumentation = new Instrumentation(options);
  current = { instrumentation, path: new SemanticPath(instrumentation) };
  return instrumentation;
}

/** The program's instrumentation. */
export function instrumentation(): Instrumentation {
  return ensure().instrumentation;
}

/** A request to a model begins. End it with `end` or `fail`. */
export function inference(request?: InferenceRequest, parent?: Context): Inference {
  return ensure().instrumentation.inference(request, parent);
}

/** Writes an event with the contract's fields, in the trace that is active. @param name A short code. */
export function event(name: string, fields?: EventFields): void {
  ensure().instrumentation.event(name, fields);
}

/** A guardrail decided against a prompt or an answer. @param policy A short code such as `pii`. */
export function guardrail(policy: string, labels?: Labels): void {
  ensure().instrumentation.guardrail(policy, labels);
}

/** An evaluation scored an answer. @param score From 0 to 1. */
export function quality(evaluation: string, score: number, labels?: Labels): void {
  ensure().instrumentation.quality(evaluation, score, labels);
}

/** The model's own confidence in an answer. @param value From 0 to 1. */
export function confidence(value: number, labels?: Labels): void {
  ensure().instrumentation.confidence(value, labels);
}

/** What an answer cost. @param dollars By price list or GPU time. */
export function cost(dollars: number, labels?: Labels): void {
  ensure().instrumentation.cost(dollars, labels);
}

/** Runs code as the request's whole, in a server span; for programs whose server makes none. */
export function gateway<Result>(code: (step: StepSpan) => Result): Result {
  return ensure().path.gateway(code);
}

/** Runs code as the step that finds out who asks. */
export function authenticate<Result>(code: (step: StepSpan) => Result): Result {
  return ensure().path.authenticate(code);
}

/** Runs code as the step that looks documents up. */
export function vectorSearch<Result>(search: VectorSearch, code: (step: StepSpan) => Result): Result {
  return ensure().path.vectorSearch(search, code);
}

/** Runs code as the step that puts the prompt together. */
export function promptBuild<Result>(prompt: PromptBuild, code: (step: StepSpan) => Result): Result {
  return ensure().path.promptBuild(prompt, code);
}

/** Runs code as the step that asks the model. */
export function modelInference<Result>(
  request: InferenceRequest,
  code: (inference: Inference) => Promise<Result> | Result,
): Promise<Result> {
  return ensure().path.modelInference(request, code);
}

/** Runs code as the step that checks the answer. */
export function outputFiltering<Result>(code: (step: StepSpan) => Result): Result {
  return ensure().path.outputFiltering(code);
}
