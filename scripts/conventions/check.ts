// The file itself rather than the room's index, which would load what this very script generates.
import { metricName, type NamedMetricKind } from '../../server/wire/otlp-names.ts';
import { expandEngines } from './engines.ts';
import type { Conventions } from './schema.ts';

/** The kinds of OTLP metrics that a contract's metric of a type may be sent as. */
const OTLP_KINDS: Readonly<Record<'counter' | 'gauge' | 'histogram', readonly NamedMetricKind[]>> = {
  counter: ['monotonic_sum'],
  gauge: ['gauge'],
  histogram: ['histogram', 'exponential_histogram'],
};

/** What contradicts itself across the conventions: one sentence a problem, with its place; empty where nothing does. */
export function contradictionsOf(conventions: Conventions): string[] {
  return [
    ...labelContradictions(conventions),
    ...metricContradictions(conventions),
    ...attributeContradictions(conventions),
    ...spanContradictions(conventions),
    ...logContradictions(conventions),
    ...engineContradictions(conventions),
    ...outcomeContradictions(conventions),
  ];
}

function labelContradictions({ labels, metrics }: Conventions): string[] {
  const problems: string[] = [];
  const classes = [labels.allowed, labels.structural, labels.infrastructure];
  const classed = new Set<string>();
  for (const name of classes.flatMap((specs) => Object.keys(specs))) {
    if (classed.has(name)) problems.push(`labels.yaml ${name}: stands in two classes; leave it in one`);
    classed.add(name);
  }
  for (const [name, spec] of [...Object.entries(labels.allowed), ...Object.entries(labels.structural)]) {
    if ((spec.budget === undefined) === (spec.values === undefined))
      problems.push(`labels.yaml ${name}: needs either a budget or values`);
  }
  for (const { target } of labels.aliases) {
    if (!classed.has(target)) problems.push(`labels.yaml aliases: ${target} is in no class; add it to one`);
  }
  for (const repeated of repeats(labels.aliases.map((alias) => alias.target)))
    problems.push(`labels.yaml aliases: ${repeated} has two entries; join them`);
  for (const { target, originals } of labels.aliases) {
    for (const { name, keep } of originals) {
      if (classed.has(name) !== keep)
        problems.push(`labels.yaml aliases ${target}: ${name} must have keep: ${classed.has(name)}`);
    }
  }
  for (const name of [...labels.fleet.dimensions, ...labels.fleet.meaning]) {
    if (!classed.has(name)) problems.push(`labels.yaml fleet: ${name} is in no class; add it to one`);
  }
  for (const name of labels.streams.labels) {
    if (!labels.allowed[name] && !labels.structural[name])
      problems.push(`labels.yaml streams: ${name} is neither allowed nor structural`);
  }
  const buckets = metrics.token_buckets.map((bucket) => bucket.value).join(' ');
  if (labels.structural.token_bucket?.values?.join(' ') !== buckets)
    problems.push(`labels.yaml token_bucket: its values differ from metrics.yaml token_buckets (${buckets})`);
  return problems;
}

function metricContradictions({ labels, metrics }: Conventions): string[] {
  const problems: string[] = [];
  const extra = new Set([...Object.keys(labels.structural), ...Object.keys(labels.infrastructure)]);
  for (const [name, metric] of Object.entries(metrics.metrics)) {
    const place = `metrics.yaml ${name}`;
    for (const label of metric.labels) {
      if (!extra.has(label)) problems.push(`${place}: ${label} is neither structural nor infrastructure`);
    }
    for (const label of Object.keys(metric.label_values ?? {})) {
      if (!metric.labels.includes(label)) problems.push(`${place}: has values for ${label}, which isn't in its labels`);
    }
    if (metric.type === 'histogram' && !metrics.buckets[metric.buckets])
      problems.push(`${place}: no list of buckets is named ${metric.buckets}`);
    if ((metric.type === 'counter') !== name.endsWith('_total'))
      problems.push(`${place}: counters, and only they, end in _total`);
    for (const kind of OTLP_KINDS[metric.type]) {
      const translated = metricName(name, metric.unit, kind, true);
      if (translated !== name)
        problems.push(`${place}: sent by OTLP as ${kind} with the unit ${metric.unit} it becomes ${translated}`);
    }
  }
  for (const [name, bounds] of Object.entries(metrics.buckets)) {
    if (!rises(bounds)) problems.push(`metrics.yaml buckets ${name}: bounds must rise`);
  }
  if (!rises(metrics.token_buckets.map((bucket) => bucket.upper)))
    problems.push('metrics.yaml token_buckets: bounds must rise');
  if (metrics.token_buckets.at(-1)?.upper !== Number.POSITIVE_INFINITY)
    problems.push('metrics.yaml token_buckets: the last bound must be .inf');
  return problems;
}

function attributeContradictions({ attributes }: Conventions): string[] {
  const names = Object.entries(attributes.genai).flatMap(([name, { was }]) => [name, ...was]);
  return [
    ...repeats(names).map((name) => `attributes.yaml genai: ${name} stands twice`),
    ...repeats(attributes.content.map((rule) => rule.name)).map(
      (name) => `attributes.yaml content: ${name} stands twice`,
    ),
  ];
}

function spanContradictions({ spans }: Conventions): string[] {
  const seen = new Set<string>();
  return spans.stages.flatMap(({ name, parent }) => {
    const known = parent === null || seen.has(parent);
    seen.add(name);
    return known ? [] : [`spans.yaml ${name}: its parent ${parent} must stand before it`];
  });
}

function logContradictions({ logs }: Conventions): string[] {
  const problems = repeats(logs.rules.map((rule) => rule.id)).map((id) => `logs.yaml rules: ${id} stands twice`);
  const meanings = new Map<string, string>();
  for (const { id, class: name, severity, stage, role } of logs.rules) {
    if (!id.startsWith(`${name}/`)) problems.push(`logs.yaml ${id}: must begin with its class, ${name}/`);
    const meaning = `${severity}, ${stage}, ${role}`;
    const first = meanings.get(name) ?? meaning;
    if (first !== meaning) problems.push(`logs.yaml ${id}: is ${meaning}, but another rule of ${name} is ${first}`);
    meanings.set(name, first);
  }
  return problems;
}

function engineContradictions({ engines, labels, metrics }: Conventions): string[] {
  const problems: string[] = [];
  const targetProblems = (place: string, target: string, set: Readonly<Record<string, string>>): void => {
    const metric = metrics.metrics[target];
    if (!metric) problems.push(`${place}: no metric of metrics.yaml is named ${target}`);
    for (const [label, value] of Object.entries(set)) {
      if (metric && !metric.labels.includes(label)) problems.push(`${place}: ${target} has no label ${label}`);
      const accepted = metric?.label_values?.[label] ?? labels.structural[label]?.values;
      if (accepted && !accepted.includes(value))
        problems.push(`${place}: ${label} is ${value}; accepted: ${accepted.join(' | ')}`);
    }
  };
  for (const [engine, spec] of Object.entries(expandEngines(engines.engines)))
    problems.push(...engineTableContradictions(`engines.yaml ${engine}`, spec, targetProblems));
  for (const [engine, { like }] of Object.entries(engines.engines)) {
    if (like && !engines.engines[like.engine])
      problems.push(`engines.yaml ${engine}: no engine is named ${like.engine}`);
  }
  for (const { field, target, labels: set } of engines.dcgm) targetProblems(`engines.yaml ${field}`, target, set);
  const fields = new Set(engines.dcgm.map((field) => field.field));
  for (const { reason, bit, counter } of engines.throttle_reasons) {
    if ((bit & (bit - 1)) !== 0) problems.push(`engines.yaml throttle_reasons ${reason}: ${bit} isn't one bit`);
    if (counter && !fields.has(counter))
      problems.push(`engines.yaml throttle_reasons ${reason}: no dcgm field ${counter}`);
  }
  return problems;
}

type EngineTable = Conventions['engines']['engines'][string];

function engineTableContradictions(
  place: string,
  { prefixes, recognise, metrics, ignored, labels }: EngineTable,
  targetProblems: (place: string, target: string, set: Readonly<Record<string, string>>) => void,
): string[] {
  const problems: string[] = [];
  if ((prefixes.length === 0) === (recognise.length === 0))
    problems.push(`${place}: needs either prefixes or recognise`);
  const own = (name: string) => prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix));
  for (const metric of metrics) {
    for (const name of [metric.source, ...metric.was]) {
      if (!own(name)) problems.push(`${place} ${metric.source}: ${name} doesn't begin with ${prefixes.join(' or ')}`);
    }
    targetProblems(`${place} ${metric.source}`, metric.target, metric.labels);
    for (const { target, values, otherwise } of metric.value_labels)
      for (const value of [...Object.values(values), otherwise])
        targetProblems(`${place} ${metric.source}`, metric.target, { [target]: value });
    const gives = metrics.some((other) => !other.subtract && other.target === metric.target);
    if (metric.subtract && !gives) problems.push(`${place} ${metric.source}: nothing gives what it is taken off`);
  }
  for (const { source } of ignored) {
    if (!source.startsWith('*') && !own(source))
      problems.push(`${place} ignored ${source}: doesn't begin with ${prefixes.join(' or ')}`);
    if (metrics.some((metric) => [metric.source, ...metric.was].includes(source)))
      problems.push(`${place} ignored ${source}: is mapped, so it isn't ignored`);
  }
  for (const name of repeats(ignored.map(({ source }) => source)))
    problems.push(`${place} ignored: ${name} stands twice`);
  for (const label of Object.keys(labels)) {
    if (!['model_version', 'replica', 'adapter', 'deployment'].includes(label))
      problems.push(`${place} labels: ${label} isn't one that a source may give`);
  }
  return problems;
}

function outcomeContradictions({ labels, outcomes }: Conventions): string[] {
  const accepted = labels.structural.outcome?.values ?? [];
  return Object.entries(outcomes).flatMap(([table, names]) => [
    ...Object.keys(names)
      .filter((outcome) => !accepted.includes(outcome))
      .map((outcome) => `outcomes.yaml ${table}: got ${outcome}; accepted: ${accepted.join(' | ')}`),
    ...repeats(Object.values(names).flat()).map((name) => `outcomes.yaml ${table}: ${name} stands twice`),
  ]);
}

function rises(values: readonly number[]): boolean {
  return values.every((value, i) => i === 0 || value > values[i - 1]);
}

function repeats(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, i) => values.indexOf(value) !== i))];
}
