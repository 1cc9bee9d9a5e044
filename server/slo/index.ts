// Objectives become burn-rate rules: arithmetic over texts, nothing else.
// In: a file of objectives (Barograph's own, Sloth, Pyrra, OpenSLO). Out: groups of Prometheus rules, OpenSLO, warnings.
// Never: I/O, queries, or a paging alert without an owner, a runbook and an impact.
export {
  type AlertClass,
  type BurnWindow,
  burnFactor,
  CATALOGUES,
  type CatalogueName,
  windowsOf,
} from './catalogue.ts';
export {
  type Indicator,
  type Objective,
  type Period,
  periodMs,
  type SloWarning,
  type TierTargets,
} from './objective.ts';
export { printObjectives, printOpenSlo, printRules } from './print.ts';
export { type Fallbacks, readSloFile } from './read.ts';
export { type AlertingRule, type RecordingRule, type RuleGroup, type SloRules, sloRules } from './rules.ts';
export type { ReadObjectives } from './sloth.ts';
