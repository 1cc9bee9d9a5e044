import { METRICS, type MetricName } from '../generated/conventions.ts';
import { ENGINE_TABLES } from './engine-table.ts';
import type { FoundEngine } from './scraper.ts';

/**
 * Where requests are counted in a fleet that has engines and gateways before them. `auto`: at the engines
 * what an engine of the fleet gives, the rest at the gateways.
 */
export type CountAt = 'auto' | 'engine' | 'gateway' | 'both';

export const COUNT_AT: readonly CountAt[] = ['auto', 'engine', 'gateway', 'both'];

/**
 * Metrics that engines and gateways both give and that don't say at which stage they were measured: added up over a
 * fleet they would count each request twice.
 */
export const COUNTED_TWICE: ReadonlySet<MetricName> = countedTwice();

function countedTwice(): Set<MetricName> {
  const given = (layer: 'engine' | 'gateway') =>
    new Set(
      Object.values(ENGINE_TABLES)
        .filter(({ spec }) => spec.layer === layer)
        .flatMap(({ mappings }) => mappings.map(({ target }) => target)),
    );
  const byEngines = given('engine');
  return new Set(
    [...given('gateway')].filter((name) => byEngines.has(name) && !METRICS[name].labels.includes('stage')),
  );
}

/** Decides what of a target is written. What engines were seen to give stays theirs, so that nothing jumps at a restart. */
export class CountingPlace {
  readonly #countAt: CountAt;
  readonly #givenByEngines = new Set<MetricName>();

  constructor(countAt: CountAt) {
    this.#countAt = countAt;
  }

  /** To be told of every engine that was recognised. */
  saw(engine: FoundEngine | undefined): void {
    if (engine === undefined || engine === 'ollama' || layerOf(engine) !== 'engine') return;
    for (const { target } of ENGINE_TABLES[engine].mappings) this.#givenByEngines.add(target);
  }

  isWithheld(metric: MetricName, engine: FoundEngine): boolean {
    if (!COUNTED_TWICE.has(metric)) return false;
    const layer = layerOf(engine);
    switch (this.#countAt) {
      case 'both':
        return false;
      case 'engine':
      case 'gateway':
        return layer !== this.#countAt;
      case 'auto':
        return layer === 'gateway' && this.#givenByEngines.has(metric);
    }
  }
}

function layerOf(engine: FoundEngine): 'engine' | 'gateway' {
  return engine === 'ollama' ? 'engine' : ENGINE_TABLES[engine].spec.layer;
}
