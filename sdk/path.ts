import type { Inference } from './inference.ts';
import type { InferenceRequest } from './inference-types.ts';
import type { Instrumentation, StepSpan } from './instrumentation.ts';

/** A look-up of documents for the prompt. There is no field for what is looked up or found. */
export interface VectorSearch {
  /** The database's product, as OpenTelemetry names it, such as `qdrant`. */
  readonly system?: string;
  readonly collection?: string;
  /** The collection or index as the service names it, for OpenTelemetry's gen_ai.data_source.id. */
  readonly dataSource?: string;
  /** Documents asked for. */
  readonly topK?: number;
}

/** The putting together of a prompt. There is no field for the prompt. */
export interface PromptBuild {
  readonly prompt_class?: string;
  /** The template's name and version, as codes. */
  readonly template?: string;
  readonly templateVersion?: string;
}

/** The steps of a request's semantic path, each run in a span of its own; results and failures are the code's own. */
export class SemanticPath {
  readonly #instrumentation: Instrumentation;

  constructor(instrumentation: Instrumentation) {
    this.#instrumentation = instrumentation;
  }

  /** The request as it arrives and its answer as it leaves; for programs whose server makes no span. */
  gateway<Result>(code: (step: StepSpan) => Result): Result {
    return this.#instrumentation.step({ name: 'gateway', kind: 'server', attributes: {} }, code);
  }

  /** Who asks, and whether they may. */
  authenticate<Result>(code: (step: StepSpan) => Result): Result {
    return this.#instrumentation.step({ name: 'authenticate', kind: 'internal', attributes: {} }, code);
  }

  /** Documents are looked up for the prompt. */
  vectorSearch<Result>(search: VectorSearch, code: (step: StepSpan) => Result): Result {
    const attributes = {
      'gen_ai.operation.name': 'retrieval',
      'gen_ai.data_source.id': search?.dataSource,
      'gen_ai.retrieval.top_k': search?.topK,
      'db.system.name': search?.system,
      'db.collection.name': search?.collection,
    };
    return this.#instrumentation.step({ name: 'vector_search', kind: 'client', attributes }, code);
  }

  /** The prompt is put together. */
  promptBuild<Result>(prompt: PromptBuild, code: (step: StepSpan) => Result): Result {
    const attributes = {
      prompt_class: prompt?.prompt_class,
      'gen_ai.prompt.name': prompt?.template,
      'gen_ai.prompt.version': prompt?.templateVersion,
    };
    return this.#instrumentation.step({ name: 'prompt_build', kind: 'internal', attributes }, code);
  }

  /**
   * The model is asked and answers. Ends the inference when the code has ended, unless the code did so itself; a failure
   * is the request's failure.
   */
  async modelInference<Result>(
    request: InferenceRequest,
    code: (inference: Inference) => Promise<Result> | Result,
  ): Promise<Result> {
    const inference = this.#instrumentation.inference(request);
    try {
      const result = await this.#instrumentation.run(inference, () => code(inference));
      inference.end();
      return result;
    } catch (error) {
      inference.fail(error);
      throw error;
    }
  }

  /** The answer is checked before it leaves; say what was decided with `step.triggered(policy)`. */
  outputFiltering<Result>(code: (step: StepSpan) => Result): Result {
    return this.#instrumentation.step({ name: 'output_filtering', kind: 'internal', attributes: {} }, code);
  }
}
