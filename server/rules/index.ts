// Rules: what Prometheus rule files say, what their templates give, and how alerts come and go.
// In: texts of rule files; samples that a rule found, at a time. Out: groups of rules, texts, the state of alerts.
// Never: reads a clock, a file or the store, or loads a rule of which it understands only a part.
export { type ActiveAlert, advanceAlerts, type FoundAlert } from './alert-state.ts';
export {
  type AlertingRuleSpec,
  type RecordingRuleSpec,
  type RuleGroupSpec,
  type RuleSpec,
  readRuleFile,
} from './rule-file.ts';
export { expandTemplate, type TemplateData } from './template.ts';
