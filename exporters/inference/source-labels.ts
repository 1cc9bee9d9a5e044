import type { Label } from '../exposition/index.ts';
import type { Engine, EngineMetric, EngineSpec } from '../generated/conventions.ts';

/** What is known of a target beside what its series say. */
export interface SourceIdentity {
  readonly engine: Engine;
  /** Labels that whoever named the target gave it; they win over what its series say. */
  readonly labels: Readonly<Record<string, string>>;
  /** Where neither the target's labels nor its series say it. */
  readonly fallback: Readonly<Record<string, string>>;
}

/**
 * The labels of a series of the contract, by name: those of the target, the engine, the mapping, and what the source's
 * series say of model, replica and the like. All other labels of the source are left behind, whatever they hold.
 */
export function identityOf(
  identity: SourceIdentity,
  spec: EngineSpec,
  metric: EngineMetric,
  source: ReadonlyMap<string, string>,
): Label[] {
  const labels: Record<string, string> = { ...identity.fallback };
  for (const [label, names] of Object.entries(spec.labelSources)) {
    const name = names.find((one) => (source.get(one) ?? '') !== '');
    if (name !== undefined) labels[label] = source.get(name) ?? '';
  }
  Object.assign(labels, identity.labels);
  labels.engine = engineLabel(identity.engine, spec.index === undefined ? '' : (source.get(spec.index) ?? ''));
  Object.assign(labels, metric.labels);
  for (const { source: name, target, values, otherwise } of metric.valueLabels) {
    const value = source.get(name) ?? '';
    // The last part of openai.RateLimitError names the error.
    const listed = [value, value.slice(value.lastIndexOf('.') + 1)].find((one) => Object.hasOwn(values, one));
    labels[target] = listed === undefined ? otherwise : values[listed];
  }
  return Object.entries(labels)
    .filter(([, value]) => value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The engine's name, with the index within a data-parallel group unless it is the first. */
function engineLabel(engine: Engine, index: string): string {
  return index === '' || index === '0' ? engine : `${engine}-${index}`;
}
