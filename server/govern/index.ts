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
export {
  Census,
  type GrowthPoint,
  type LabelCensus,
  type LabelOfMetric,
  type MetricCensus,
  type RuleCensus,
  type SenderCensus,
} from './census/census.ts';
export type { CostCensus } from './census/cost.ts';
export { COST_LABELS, type CostLabel } from './census/cost-labels.ts';
export {
  type CostOptions,
  type CostRow,
  type CostTerms,
  type CostView,
  costBy,
  isCostLabel,
  printCostCsv,
  type SavingRow,
} from './census/cost-views.ts';
export type { Hitter } from './census/heavy-hitters.ts';
export { hashOfText, mixed } from './census/sketch.ts';
export { readCensus, writeCensus } from './census/store.ts';
export {
  type CardinalityOverview,
  cardinalityOfLabel,
  cardinalityOfMetric,
  cardinalityOverview,
  type LabelRow,
  type LabelView,
  type MetricRow,
  type MetricView,
  type RuleRow,
  type SenderRow,
  type ViewOptions,
} from './census/views.ts';
export type { AttributeFate } from './clean-attributes.ts';
export { type GovernConfig, parseGovern } from './config.ts';
export type { Action, Decision, Signal, Source } from './decisions.ts';
export { createPolicy, type PolicyChanges } from './default-policy.ts';
export { type BudgetState, createGovernor, type Governor, type GovernorOptions } from './governor.ts';
export type { FleetTarget, LabelFate, SeriesVerdict } from './judge-series.ts';
export type { KnownStreams, StreamFate } from './judge-stream.ts';
export type { GovernLimits, LabelClass, LabelPolicy, MetricPolicy, Policy, ProfilePolicy } from './policy.ts';
export { describePolicy } from './policy-changes.ts';
export { type PlaceOf, parsePolicy } from './policy-file.ts';
export {
  compileRelabel,
  RELABEL_ACTIONS,
  type RelabelAction,
  type RelabelConfig,
  type RelabelRule,
  relabel,
} from './relabel.ts';
export { type AggregationRule, baseName, FLEET_PREFIX } from './rule.ts';
export type { KnownSeries } from './series-ledger.ts';
export type { SharedCounts, SharedVerdict } from './shared-verdict.ts';
export { parseTenantPolicies } from './tenant-policies.ts';
