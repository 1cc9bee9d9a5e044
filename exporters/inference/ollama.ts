import { ExporterError } from '../error.ts';

/** A model that an Ollama server has. */
export interface OllamaModel {
  readonly name: string;
  readonly isLoaded: boolean;
  /** Bytes of the loaded model altogether, and of these in GPU memory; absent where it isn't loaded. */
  readonly loadedBytes?: number;
  readonly gpuBytes?: number;
  /** Tokens that fit into the context that was allocated; absent in older versions. */
  readonly contextTokens?: number;
}

/** Models of one server that are reported; a server has seldom more than some dozens. */
export const MAX_MODELS = 500;

/**
 * Reads the answers of Ollama's `/api/tags` (models that are there) and `/api/ps` (models that are loaded).
 * @throws ExporterError `bad_answer` where they have another shape.
 */
export function readOllama(tags: unknown, ps: unknown): OllamaModel[] {
  const models = new Map<string, OllamaModel>();
  for (const model of modelsOf(tags, '/api/tags')) models.set(model.name, { name: model.name, isLoaded: false });
  for (const model of modelsOf(ps, '/api/ps')) {
    models.set(model.name, {
      name: model.name,
      isLoaded: true,
      loadedBytes: numberOf(model.size),
      gpuBytes: numberOf(model.size_vram),
      contextTokens: numberOf(model.context_length),
    });
  }
  return [...models.values()].slice(0, MAX_MODELS);
}

interface RawModel {
  readonly name: string;
  readonly size?: unknown;
  readonly size_vram?: unknown;
  readonly context_length?: unknown;
}

function modelsOf(answer: unknown, where: string): RawModel[] {
  const { models } = (answer ?? {}) as { models?: unknown };
  // A server without models answers null there in some versions.
  if (models === null) return [];
  if (!Array.isArray(models) || models.some((model) => typeof (model as RawModel | null)?.name !== 'string')) {
    const accepted = '{"models": [{"name": …}, …]}';
    throw new ExporterError({ code: 'bad_answer', where, got: 'something else', accepted });
  }
  return models as RawModel[];
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}
