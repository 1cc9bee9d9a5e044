import type { Attributes, Exemplar, Labels } from '../model/index.ts';
import { labelsFromPairs } from '../model/index.ts';
import { attributeText, attributeTextOf } from './attributes.ts';
import type { OtlpExemplar } from './otlp-metrics-shape.ts';
import { type LabelNamer, labelName } from './otlp-names.ts';
import { sortFlatLabels } from './sorted-labels.ts';

/** OpenMetrics allows an exemplar's labels this many characters altogether. */
const MAX_EXEMPLAR_CHARACTERS = 128;

/** The attributes that identify a resource; they are in `job` and `instance`. */
export const IDENTIFYING_ATTRIBUTES: readonly string[] = ['service.namespace', 'service.name', 'service.instance.id'];

/** What every series of a resource gets: promoted attributes that a point's own win over, and `job` and `instance`. */
export interface ResourceLabels {
  readonly promoted: readonly (readonly [name: string, value: string])[];
  readonly job: string | undefined;
  readonly instance: string | undefined;
}

/** Builds the labels of a resource; promoted attributes whose name leaves nothing valid are left out. */
export function resourceLabels(resource: Attributes, promote: ReadonlySet<string>): ResourceLabels {
  const promoted: [string, string][] = [];
  for (const key of Object.keys(resource).sort()) {
    if (!promote.has(key)) continue;
    const name = labelName(key);
    if (name !== undefined) promoted.push([name, attributeText(resource[key])]);
  }
  return { promoted, job: jobOf(resource), instance: attributeTextOf(resource, 'service.instance.id') };
}

function jobOf(resource: Attributes): string | undefined {
  const service = attributeTextOf(resource, 'service.name');
  const namespace = attributeTextOf(resource, 'service.namespace');
  if (service === undefined) return undefined;
  return namespace === undefined ? service : `${namespace}/${service}`;
}

/**
 * The labels of a point without its metric's name, as Prometheus builds them: attributes by sorted key, values of keys
 * that become the same name joined by `;`, then promoted attributes where the name is free, then `job` and `instance`
 * over anything. `without` is a label that the metric's kind sets itself. `undefined` where a key leaves no valid name.
 */
export function buildPointLabels(
  attributes: Attributes,
  resource: ResourceLabels,
  namer: LabelNamer,
  without = '',
): Labels | undefined {
  const keys = Object.keys(attributes);
  if (keys.length > 1) keys.sort();
  // Later entries of the flat list win, so what wins comes last; names that collide are joined first.
  const flat: string[] = [];
  for (const [name, value] of resource.promoted) flat.push(name, value);
  const own = new Map<string, number>();
  for (const key of keys) {
    const name = namer.name(key);
    if (name === undefined) return undefined;
    const text = attributeText(attributes[key]);
    const before = own.get(name);
    if (before !== undefined) flat[before] += `;${text}`;
    else own.set(name, flat.push(name, text) - 1);
  }
  if (resource.job !== undefined) flat.push('job', resource.job);
  if (resource.instance !== undefined) flat.push('instance', resource.instance);
  flat.push('__name__', '');
  if (without !== '') flat.push(without, '');
  return sortFlatLabels(flat);
}

/**
 * An exemplar with `trace_id`, `span_id` and, where all of it stays within OpenMetrics' 128 characters, its attributes.
 * `undefined` where it has no value.
 */
export function toExemplar(exemplar: OtlpExemplar): Exemplar | undefined {
  if (exemplar.value === undefined) return undefined;
  const ids: [string, string][] = [];
  if (exemplar.traceId !== '') ids.push(['trace_id', exemplar.traceId]);
  if (exemplar.spanId !== '') ids.push(['span_id', exemplar.spanId]);
  const pairs = Object.entries(exemplar.attributes).map(([k, v]): [string, string] => [k, attributeText(v)]);
  let characters = 0;
  for (const [name, value] of [...pairs, ...ids]) characters += countCharacters(name) + countCharacters(value);
  const fits = characters <= MAX_EXEMPLAR_CHARACTERS;
  return {
    labels: labelsFromPairs(fits ? [...pairs, ...ids] : ids),
    value: exemplar.value,
    timestampMs: exemplar.timeMs,
  };
}

function countCharacters(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) !== 0xdc00) count++;
  return count;
}
