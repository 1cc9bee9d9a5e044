import { type Labels, labelValue, type Matcher, matchesAll } from '../model/index.ts';

/** While an alert matches `source`, alerts that match `target` and have equal values of `equal` are held back. */
export interface InhibitRule {
  readonly source: readonly Matcher[];
  readonly target: readonly Matcher[];
  /** Label names; a label that is absent in both is equal. */
  readonly equal: readonly string[];
}

/**
 * Whether one of the firing alerts holds this one back. As in Alertmanager, an alert that matches both sides of a rule
 * isn't held back by another of which the same is true, so that an alert never holds back itself.
 */
export function isInhibited(rules: readonly InhibitRule[], alert: Labels, firing: Iterable<Labels>): boolean {
  const candidates = rules.filter((rule) => matchesAll(rule.target, alert));
  if (candidates.length === 0) return false;
  for (const source of firing) {
    for (const rule of candidates) if (holdsBack(rule, source, alert)) return true;
  }
  return false;
}

function holdsBack(rule: InhibitRule, source: Labels, target: Labels): boolean {
  if (!matchesAll(rule.source, source)) return false;
  for (const name of rule.equal) if (labelValue(source, name) !== labelValue(target, name)) return false;
  return !(matchesAll(rule.source, target) && matchesAll(rule.target, source));
}
