import {
  ENGINE_METRICS,
  type Engine,
  type EngineMetric,
  type EngineSpec,
  METRICS,
  type MetricName,
} from '../generated/conventions.ts';

/** What a sample of a source's metric is within its target. */
export type SampleRole = 'value' | 'bucket' | 'sum' | 'count' | 'numerator' | 'denominator';

/** How the samples of one name become those of the contract. */
export interface SampleRule {
  /** The mapping that it belongs to: names of one mapping stand for each other. */
  readonly mapping: Mapping;
  /** 0 for the current name, rising with age. */
  readonly rank: number;
  readonly role: SampleRole;
}

/** One line of an engine's table, ready for use. */
export interface Mapping {
  readonly index: number;
  readonly metric: EngineMetric;
  readonly target: MetricName;
  /** Names of families that give it, the preferred one first. */
  readonly names: readonly string[];
}

/** An engine's table, ready for use. */
export interface EngineTable {
  readonly engine: Engine;
  readonly spec: EngineSpec;
  readonly mappings: readonly Mapping[];
  /** By the name of a sample, with its ending. */
  readonly rules: ReadonlyMap<string, readonly SampleRule[]>;
  /** Families that some mapping reads, and those that others are judged by. */
  readonly known: ReadonlySet<string>;
  /** Labels by which `known_by` of another metric judges: metric name to label names. */
  readonly judges: ReadonlyMap<string, readonly string[]>;
  /** Whether the engine's own metrics have this name, mapped or not. */
  owns(family: string): boolean;
  /** Why a known name has no place in the contract; `undefined` for a name that isn't known. */
  ignoredBecause(family: string): string | undefined;
}

/** Every engine's table. */
export const ENGINE_TABLES: Readonly<Record<Engine, EngineTable>> = Object.fromEntries(
  Object.entries(ENGINE_METRICS).map(([engine, spec]) => [engine, compileTable(engine as Engine, spec)]),
) as Record<Engine, EngineTable>;

/** Builds the table of one engine; exported for tests of tables that aren't shipped. */
export function compileTable(engine: Engine, spec: EngineSpec): EngineTable {
  const rules = new Map<string, SampleRule[]>();
  const add = (name: string, rule: SampleRule): void => {
    const there = rules.get(name);
    if (there) there.push(rule);
    else rules.set(name, [rule]);
  };
  const mappings = spec.metrics.map((metric, index): Mapping => {
    const target = metric.target as MetricName;
    return { index, metric, target, names: [metric.source, ...metric.was] };
  });
  for (const mapping of mappings) {
    const { metric, target, names } = mapping;
    names.forEach((name, rank) => {
      const rule = (role: SampleRole): SampleRule => ({ mapping, rank, role });
      if (metric.ratioOf !== undefined) {
        add(name, rule('numerator'));
        add(metric.ratioOf, rule('denominator'));
      } else if (METRICS[target].type === 'histogram') {
        for (const role of ['bucket', 'sum', 'count'] as const) add(`${name}_${role}`, rule(role));
      } else if (metric.part !== undefined) add(`${name}_${metric.part}`, rule('value'));
      else add(name, rule('value'));
    });
  }
  const judges = new Map<string, string[]>();
  for (const { metric } of mappings) {
    if (!metric.knownBy) continue;
    const labels = judges.get(metric.knownBy.metric) ?? [];
    if (!labels.includes(metric.knownBy.label)) labels.push(metric.knownBy.label);
    judges.set(metric.knownBy.metric, labels);
  }
  const known = new Set(
    mappings.flatMap(({ metric, names }) => [...names, ...(metric.ratioOf === undefined ? [] : [metric.ratioOf])]),
  );
  const ignored = spec.ignored.map(({ source, why }) => ({ pattern: globPattern(source), why }));
  return {
    engine,
    spec,
    mappings,
    rules,
    known,
    judges,
    owns: (family) =>
      known.has(family) ||
      (spec.prefixes.length > 0 ? spec.prefixes.some((prefix) => family.startsWith(prefix)) : !FOREIGN.test(family)),
    ignoredBecause: (family) =>
      ignored.find(({ pattern }) => pattern.test(family))?.why ?? becauseOfTwin(family, known),
  };
}

/** What libraries of clients and runtimes add to the metrics of whatever they run in. */
const FOREIGN =
  /^(?:python|process|go|http|promhttp|grpc|asgi|fastapi|starlette|gpu_(?!cache_)|nv_|dcgm|DCGM|ray_|scrape|up$)/;

// Clients write the time of a metric's creation beside it, and Ray writes each counter a second time without its ending.
function becauseOfTwin(family: string, known: ReadonlySet<string>): string | undefined {
  if (family.endsWith('_created')) return 'It is the time at which another metric was created.';
  if (known.has(`${family}_total`)) return 'It is the same as the counter with _total.';
  return undefined;
}

function globPattern(glob: string): RegExp {
  return new RegExp(`^${glob.split('*').join('[a-zA-Z0-9_:]*')}$`);
}

/**
 * Says whose metrics these are, by the names of their families; `undefined` where no engine has them. Where a server
 * gives those of an engine and of what runs around it, the engine that is listed first in the conventions counts.
 */
export function recogniseEngine(families: Iterable<string>): Engine | undefined {
  const names = families instanceof Set ? (families as ReadonlySet<string>) : new Set(families);
  for (const table of Object.values(ENGINE_TABLES)) {
    const { prefixes, recognise } = table.spec;
    if (recognise.length > 0 && recognise.every((name) => names.has(name))) return table.engine;
    if (prefixes.length === 0) continue;
    for (const name of names) if (prefixes.some((prefix) => name.startsWith(prefix))) return table.engine;
  }
  return undefined;
}

/** The family of a sample's name: without the ending of a histogram's or summary's part where that was declared. */
export function familyOf(sample: string, types: ReadonlyMap<string, string>): string {
  const match = /_(?:bucket|sum|count)$/.exec(sample);
  if (!match) return sample;
  const family = sample.slice(0, match.index);
  const type = types.get(family);
  return type === 'histogram' || type === 'summary' || type === 'gaugehistogram' ? family : sample;
}
