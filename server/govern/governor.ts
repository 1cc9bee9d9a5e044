import type { Attributes, Labels, LogEntry, MetricMetadata, MetricType, Span } from '../model/index.ts';
import { Budgets } from './budget.ts';
import { AttributeCleaner } from './clean-attributes.ts';
import { ExtrasCleaner } from './clean-extras.ts';
import { LineCleaner } from './clean-line.ts';
import { LogCleaner } from './clean-log.ts';
import { SpanCleaner } from './clean-span.ts';
import { ContentFields } from './content-fields.ts';
import { type Decision, DecisionLog, type Source } from './decisions.ts';
import { createPolicy, type PolicyChanges } from './default-policy.ts';
import { FLEET_PREFIX, SeriesJudge, type SeriesVerdict } from './judge-series.ts';
import { type KnownStreams, StreamJudge } from './judge-stream.ts';
import { NameJudge } from './names.ts';
import type { AggregationRule } from './rule.ts';

/** Enforces one policy on every signal. Synchronous, without I/O; its memory is bounded by the policy's limits. */
export interface Governor {
  /** Judges a series; called once for each raw series never seen, and the verdict is remembered by the caller. */
  judgeSeries(labels: Labels, type: MetricType, source: Source): SeriesVerdict;
  /** The length of the intervals of a stored metric's samples in milliseconds; 0 for a sample a timestamp of its inputs. */
  resolutionOf(metric: string): number;
  /** Says which streams exist, so that the policy's limit holds over restarts; without it those since the start count. */
  knowStreams(known: KnownStreams): void;
  /** Counts a stored series' values against the budgets; called at start for each, so that folding survives restarts. */
  rememberSeries(labels: Labels): void;
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
}

/**
 * Builds a governor; without changes it goes by the conventions.
 * @throws BarographError `bad_policy_pattern`.
 */
export function createGovernor(changes: PolicyChanges = {}): Governor {
  const policy = createPolicy(changes);
  const names = new NameJudge(policy);
  const decisions = new DecisionLog((name) => names.isPlain(name));
  const budgets = new Budgets(policy.limits.budgetEntries);
  const fields = new ContentFields(policy, names);
  const series = new SeriesJudge(policy, names, budgets, decisions, fields);
  const attributes = new AttributeCleaner(policy, names, decisions, fields);
  const spans = new SpanCleaner(policy, attributes, decisions);
  const streams = new StreamJudge(policy, names, budgets, decisions, fields);
  const logs = new LogCleaner(policy, names, decisions, streams, attributes, new LineCleaner(policy, names, fields));
  const extras = new ExtrasCleaner(policy, names, decisions, fields);
  return {
    judgeSeries: (labels, type, source) => series.judge(labels, type, source),
    rememberSeries: (labels) => series.remember(labels),
    ruleOf: (metric, type) => series.ruleOf(metric, type),
    resolutionOf: (metric) => (metric.startsWith(FLEET_PREFIX) ? policy.fleetResolutionMs : 0),
    knowStreams: (known) => streams.knowStreams(known),
    governSpan: (span, source) => spans.clean(span, source),
    governLogAttributes: (given, source) => attributes.cleanNested(given, { signal: 'logs', source }),
    governLog: (entry, source) => logs.clean(entry, source),
    governExemplar: (labels, source) => extras.cleanExemplar(labels, source),
    governMetadata: (metadata, source) => extras.cleanMetadata(metadata, source),
    decisions: () => decisions.list(),
  };
}
