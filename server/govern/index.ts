// The taxonomy firewall: one policy for every protocol and signal.
// In: label sets, spans, log entries, exemplars and metadata as received; samples of series that became equal.
// Out: verdicts and cleaned data; added-up series and their fleet level; counts of what was decided.
// Never: I/O, a clock, or a value in an error or a count. What is removed goes nowhere.
export {
  Aggregator,
  type AggregatorLimits,
  type AggregatorStats,
  DEFAULT_AGGREGATOR_LIMITS,
} from './aggregate.ts';
export type { Action, Decision, Signal, Source } from './decisions.ts';
export { createPolicy, type PolicyChanges } from './default-policy.ts';
export { createGovernor, type Governor } from './governor.ts';
export { FLEET_PREFIX, type FleetTarget, type SeriesVerdict } from './judge-series.ts';
export type { KnownStreams } from './judge-stream.ts';
export type { GovernLimits, LabelClass, LabelPolicy, MetricPolicy, Policy } from './policy.ts';
export {
  compileRelabel,
  RELABEL_ACTIONS,
  type RelabelAction,
  type RelabelConfig,
  type RelabelRule,
  relabel,
} from './relabel.ts';
export type { AggregationRule } from './rule.ts';
