import type { Attributes, Labels, LogEntry, MetricMetadata, MetricType, Span } from '../model/index.ts';
import { Budgets } from './budget.ts';
import { Census } from './census/census.ts';
import { AttributeCleaner, type AttributeFate } from './clean-attributes.ts';
import { ExtrasCleaner } from './clean-extras.ts';
import { LineCleaner } from './clean-line.ts';
import { LogCleaner } from './clean-log.ts';
import { SpanCleaner } from './clean-span.ts';
import { ContentFields } from './content-fields.ts';
import { type Decision, DecisionLog, type Source } from './decisions.ts';
import { createPolicy, type PolicyChanges } from './default-policy.ts';
import { type LabelFate, SeriesJudge, type SeriesVerdict } from './judge-series.ts';
import { type KnownStreams, type StreamFate, StreamJudge } from './judge-stream.ts';
import { NameJudge } from './names.ts';
import type { Policy } from './policy.ts';
import type { AggregationRule } from './rule.ts';
import { FLEET_PREFIX } from './rule.ts';
import { type KnownSeries, SeriesLedger } from './series-ledger.ts';
import { SharedCounts } from './shared-verdict.ts';

/** How full a budget is. */
export interface BudgetState {
  /** The metric's name; the parts of a histogram are one. */
  readonly metric: string;
  readonly label: string;
  /** Distinct values that are kept. */
  readonly used: number;
  readonly budget: number;
}

/** Enforces one policy on every signal. Synchronous, without I/O; its memory is bounded by the policy's limits. */
export interface Governor {
  /** What is in force. */
  readonly policy: Policy;
  /** Goes up with each policy that is taken up: verdicts that were remembered under an older one no longer hold. */
  readonly generation: number;
  /** What was offered and what became of it. */
  readonly census: Census;
  /**
   * Goes by another policy from now on. Values that budgets counted stay counted, so that what was kept goes on.
   * @throws BarographError `bad_policy_pattern`, `bad_relabel`; then the policy before stays in force.
   */
  use(changes: PolicyChanges): void;
  /**
   * Judges a series; called once for each raw series never seen, and the verdict is remembered by the caller.
   * @param hash a well-mixed 32-bit hash of the series for the census, where the caller has one
   */
  judgeSeries(labels: Labels, type: MetricType, source: Source, hash?: number): SeriesVerdict;
  /**
   * The rule that removes a label of a metric whatever else its series says, or `undefined` where that has a say. Series
   * that differ only in such labels share a verdict that is marked so.
   */
  ruleByName(metric: string, label: string): string | undefined;
  /** Counts what shares a verdict and isn't judged. */
  readonly shared: SharedCounts;
  /** What becomes of a label of a metric by its name alone; counts nothing. */
  fateOf(metric: string, label: string): LabelFate;
  /** The same of a label of log streams. */
  fateOfStreamLabel(label: string): StreamFate;
  /** The same of an attribute of spans, and of log lines' metadata. */
  fateOfAttribute(name: string): AttributeFate;
  /** The length of the intervals of a stored metric's samples in milliseconds; 0 for a sample a timestamp of its inputs. */
  resolutionOf(metric: string): number;
  /**
   * Says which series exist, so that the policy's limits hold over restarts; without it those since the start count. Who
   * does so calls `countStored` for each new one.
   */
  knowSeries(known: KnownSeries): void;
  /** The same of streams. */
  knowStreams(known: KnownStreams): void;
  /** Counts a stored series' values against the budgets; called at start for each, so that folding survives restarts. */
  rememberSeries(labels: Labels): void;
  /** Counts a series that the store has just begun. */
  countStored(labels: Labels): void;
  /** How series of a metric (or of its fleet level) are joined; for taking up stored outputs at a start. */
  ruleOf(metric: string, type: MetricType): AggregationRule;
  /** The span without what is refused; the same object where nothing had to change. */
  governSpan(span: Span, source: Source): Span;
  /** A log record's attributes without content in their maps and lists, before these become flat names and texts. */
  governLogAttributes(attributes: Attributes, source: Source): Attributes;
  /** The entry without what is refused, the same object where nothing had to change; `undefined` where it is refused. */
  governLog(entry: LogEntry, source: Source): LogEntry | undefined;
  governExemplar(labels: Labels, source: Source): Labels;
  /** The metadata without what is refused; a metric of `''` means that it is refused whole. */
  governMetadata(metadata: MetricMetadata, source: Source): MetricMetadata;
  /** What was decided how often since the start. */
  decisions(): Decision[];
  /** How many distinct values of a metric's label are kept, and how many may be. */
  budgetOf(base: string, label: string): { readonly used: number; readonly budget: number };
  /** How full the budgets of metrics' labels are, those past half of it; without log streams. */
  budgets(): BudgetState[];
}

/** What a governor is given beside its policy. */
export interface GovernorOptions {
  /** A clock in milliseconds that never goes back, for limits per minute. Default: one that stands still. */
  readonly nowMs?: () => number;
}

/** What is made anew with each policy. */
interface Judges {
  readonly policy: Policy;
  readonly names: NameJudge;
  readonly series: SeriesJudge;
  readonly attributes: AttributeCleaner;
  readonly spans: SpanCleaner;
  readonly streams: StreamJudge;
  readonly logs: LogCleaner;
  readonly extras: ExtrasCleaner;
}

/** What outlives a change of the policy. */
interface Memory {
  readonly budgets: Budgets;
  readonly decisions: DecisionLog;
  readonly census: Census;
  readonly ledger: SeriesLedger;
}

/**
 * Builds a governor; without changes it goes by the conventions.
 * @throws BarographError `bad_policy_pattern`, `bad_relabel`.
 */
export function createGovernor(changes: PolicyChanges = {}, options: GovernorOptions = {}): Governor {
  const isPlain = (name: string): boolean => judges.names.isPlain(name);
  const census = new Census(isPlain);
  const memory: Memory = {
    budgets: new Budgets(0),
    decisions: new DecisionLog(isPlain),
    census,
    ledger: new SeriesLedger(census, options.nowMs ?? (() => 0)),
  };
  let generation = 1;
  let knownStreams: KnownStreams | undefined;
  let judges = createJudges(createPolicy(changes), memory);
  return {
    get policy() {
      return judges.policy;
    },
    get generation() {
      return generation;
    },
    census,
    use(next) {
      judges = createJudges(createPolicy(next), memory);
      if (knownStreams) judges.streams.knowStreams(knownStreams);
      generation++;
    },
    judgeSeries: (labels, type, source, hash) => judges.series.judge(labels, type, source, hash),
    ruleByName: (metric, label) => judges.series.ruleByName(metric, label),
    shared: new SharedCounts(memory.decisions, census),
    fateOf: (metric, label) => judges.series.fateOf(metric, label),
    fateOfStreamLabel: (label) => judges.streams.fateOf(label),
    fateOfAttribute: (name) => judges.attributes.fateOf(name),
    rememberSeries: (labels) => judges.series.remember(labels),
    countStored: (labels) => judges.series.countStored(labels),
    ruleOf: (metric, type) => judges.series.ruleOf(metric, type),
    resolutionOf: (metric) => (metric.startsWith(FLEET_PREFIX) ? judges.policy.fleetResolutionMs : 0),
    knowSeries: (known) => memory.ledger.knowSeries(known),
    knowStreams(known) {
      knownStreams = known;
      judges.streams.knowStreams(known);
    },
    governSpan: (span, source) => judges.spans.clean(span, source),
    governLogAttributes: (given, source) => judges.attributes.cleanNested(given, { signal: 'logs', source }),
    governLog: (entry, source) => judges.logs.clean(entry, source),
    governExemplar: (labels, source) => judges.extras.cleanExemplar(labels, source),
    governMetadata: (metadata, source) => judges.extras.cleanMetadata(metadata, source),
    decisions: () => memory.decisions.list(),
    budgetOf: (base, label) => ({
      used: memory.budgets.used(base, label),
      budget: judges.series.budgetFor(base, label),
    }),
    budgets: () => listBudgets(memory.budgets, judges.series),
  };
}

function createJudges(policy: Policy, memory: Memory): Judges {
  const { budgets, decisions, census, ledger } = memory;
  const names = new NameJudge(policy);
  const fields = new ContentFields(policy, names);
  const attributes = new AttributeCleaner(policy, names, decisions, fields);
  const streams = new StreamJudge(policy, names, budgets, decisions, fields);
  const judges: Judges = {
    policy,
    names,
    series: new SeriesJudge({ policy, names, fields, budgets, decisions, census, ledger }),
    attributes,
    spans: new SpanCleaner(policy, attributes, decisions),
    streams,
    logs: new LogCleaner(policy, names, decisions, streams, attributes, new LineCleaner(policy, names, fields)),
    extras: new ExtrasCleaner(policy, names, decisions, fields),
  };
  // Only a policy that is right changes what outlives it.
  budgets.limit(policy.limits.budgetEntries);
  return judges;
}

function listBudgets(budgets: Budgets, series: SeriesJudge): BudgetState[] {
  const out: BudgetState[] = [];
  for (const { metric, label, used } of budgets.list()) {
    if (metric.startsWith('\u0000')) continue;
    const budget = series.budgetFor(metric, label);
    if (used * 2 >= budget) out.push({ metric, label, used, budget });
  }
  return out.sort((a, b) => b.used / b.budget - a.used / a.budget || b.used - a.used);
}
