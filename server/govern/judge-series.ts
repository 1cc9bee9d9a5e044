import { type Labels, labelValue, METRIC_NAME, type MetricType } from '../model/index.ts';
import { AliasResolver, type PlainLabel } from './aliases.ts';
import { type Budgets, OTHER } from './budget.ts';
import type { ContentFields } from './content-fields.ts';
import type { Action, DecisionLog, Source } from './decisions.ts';
import type { NameJudge } from './names.ts';
import type { LabelPolicy, MetricPolicy, Policy } from './policy.ts';
import { type AggregationRule, aggregationRule, baseName } from './rule.ts';
import { isUnfitName, sniffValue } from './sniff.ts';

/** The fleet level of a series. */
export interface FleetTarget {
  /** `fleet:` and the metric's name, with the fleet's labels only. */
  readonly labels: Labels;
  readonly rule: AggregationRule;
}

/** What becomes of a series. */
export type SeriesVerdict =
  | { readonly kind: 'keep'; readonly labels: Labels; readonly fleet: FleetTarget | undefined }
  /** Something was removed or folded, so series that become equal must be added up. `reasons` are rules, without values. */
  | {
      readonly kind: 'aggregate';
      readonly labels: Labels;
      readonly rule: AggregationRule;
      readonly reasons: readonly string[];
      readonly fleet: FleetTarget | undefined;
    }
  | { readonly kind: 'refuse'; readonly code: string; readonly message: string };

/** The beginning of the names on the fleet level, which only this program writes. */
export const FLEET_PREFIX = 'fleet:';

/** What is known while one series is judged. */
interface Case {
  readonly metric: string;
  /** The metric as budgets count it: the parts of a histogram are one. */
  readonly base: string;
  readonly isContract: boolean;
  readonly known: MetricPolicy | undefined;
  readonly source: Source;
  readonly reasons: string[];
  /** Originals of an alias that say something else than the target that came under its own name. */
  contradicting: readonly string[];
}

/** A label after judgement: its value, `undefined` for removed, or a reason to refuse the series. */
type LabelVerdict = { readonly value: string | undefined } | { readonly refuse: SeriesVerdict };

const REMOVED: LabelVerdict = { value: undefined };

/** Judges metric series by name and value. */
export class SeriesJudge {
  private readonly aliases: AliasResolver;
  private readonly fleetLabels: ReadonlySet<string>;
  private readonly metricNames = new Set<string>();
  private readonly policy: Policy;
  private readonly names: NameJudge;
  private readonly budgets: Budgets;
  private readonly decisions: DecisionLog;
  private readonly fields: ContentFields;

  constructor(policy: Policy, names: NameJudge, budgets: Budgets, decisions: DecisionLog, fields: ContentFields) {
    this.policy = policy;
    this.names = names;
    this.budgets = budgets;
    this.decisions = decisions;
    this.fields = fields;
    this.aliases = new AliasResolver(policy.aliases, policy.aliasedPrefixes);
    this.fleetLabels = new Set(policy.fleetLabels);
  }

  judge(labels: Labels, type: MetricType, source: Source): SeriesVerdict {
    const metric = labelValue(labels, METRIC_NAME);
    const refusal = this.refuseMetric(metric, labels.length / 2 - 1, source);
    if (refusal) return refusal;
    const of = this.openCase(metric, source);
    const plain: PlainLabel[] = [];
    for (let i = 0; i < labels.length; i += 2)
      if (labels[i] !== METRIC_NAME) plain.push({ name: labels[i], value: labels[i + 1] });
    const renaming = this.aliases.resolve(metric, plain);
    of.contradicting = renaming?.contradicting ?? [];
    for (const name of renaming?.renamed ?? []) this.decisions.add('metrics', source, 'alias', 'renamed', name);
    for (const name of renaming?.dropped ?? []) this.note(of, 'alias', 'removed', name);
    const kept: PlainLabel[] = [];
    for (const label of renaming?.labels ?? plain) {
      const verdict = this.judgeLabel(of, label.name, label.value);
      if ('refuse' in verdict) return verdict.refuse;
      if (verdict.value !== undefined)
        kept.push(verdict.value === label.value ? label : { ...label, value: verdict.value });
    }
    const limit = this.policy.limits.labelsPerSeries;
    if (kept.length > limit)
      return this.refuse(source, 'too_many_labels', `${kept.length} labels, accepted are ${limit}`);
    this.metricNames.add(of.base);
    const rule = aggregationRule(metric, type, of.known, this.policy.gaugeRules[metric]);
    const unchanged = !renaming && of.reasons.length === 0;
    const result = unchanged ? labels : labelsOf(metric, kept);
    const fleet = of.known?.fleet ? this.fleetTarget(metric, kept, rule) : undefined;
    if (of.reasons.length === 0) return { kind: 'keep', labels: result, fleet };
    this.decisions.add('metrics', source, 'aggregate', 'aggregated', '');
    return { kind: 'aggregate', labels: result, rule, reasons: of.reasons, fleet };
  }

  /** How series of a metric are joined; a name of the fleet level goes by the metric below it. */
  ruleOf(metric: string, type: MetricType): AggregationRule {
    const name = metric.startsWith(FLEET_PREFIX) ? metric.slice(FLEET_PREFIX.length) : metric;
    return aggregationRule(name, type, this.openCase(name, 'scrape').known, this.policy.gaugeRules[name]);
  }

  /** Counts the values of a stored series against the budgets, so that folding is the same after a restart. */
  remember(labels: Labels): void {
    const metric = labelValue(labels, METRIC_NAME);
    if (metric === '' || metric.startsWith(FLEET_PREFIX)) return;
    const { base } = this.openCase(metric, 'scrape');
    this.metricNames.add(base);
    for (let i = 0; i < labels.length; i += 2) {
      if (labels[i] !== METRIC_NAME)
        this.budgets.take(base, labels[i], labels[i + 1], this.budgetOf(this.policy.labels[labels[i]]));
    }
  }

  private openCase(metric: string, source: Source): Case {
    const isExact = Object.hasOwn(this.policy.metrics, metric);
    const base = isExact ? metric : baseName(metric);
    const known = Object.hasOwn(this.policy.metrics, base) ? this.policy.metrics[base] : undefined;
    const isContract = this.policy.contractPrefixes.some((prefix) => metric.startsWith(prefix));
    return { metric, base, isContract, known, source, reasons: [], contradicting: [] };
  }

  private refuseMetric(metric: string, labelCount: number, source: Source): SeriesVerdict | undefined {
    const { nameBytes, labelsPerSeries, metricNames } = this.policy.limits;
    if (metric === '') return this.refuse(source, 'metric_name_missing', 'the series has no metric name');
    if (byteLength(metric) > nameBytes)
      return this.refuse(source, 'metric_name_too_long', `the metric's name is longer than ${nameBytes} bytes`);
    if (metric.startsWith(FLEET_PREFIX))
      return this.refuse(source, 'metric_name_reserved', `names that begin with ${FLEET_PREFIX} are written here only`);
    // Judging costs time for each label, so a series far over the limit isn't looked at.
    if (labelCount > 4 * labelsPerSeries)
      return this.refuse(source, 'too_many_labels', `${labelCount} labels, accepted are ${labelsPerSeries}`);
    const base = baseName(metric);
    if (this.metricNames.has(base) || Object.hasOwn(this.policy.metrics, metric)) return undefined;
    if (this.metricNames.size >= metricNames)
      return this.refuse(source, 'too_many_metrics', `more than ${metricNames} metric names`);
    if (isUnfitName(metric))
      return this.refuse(source, 'metric_name_unfit', "the metric's name looks like an identifier or a sentence");
    return undefined;
  }

  private refuse(source: Source, code: string, message: string): SeriesVerdict {
    this.decisions.add('metrics', source, code, 'refused', '');
    return { kind: 'refuse', code, message };
  }

  private note(of: Case, rule: string, action: Action, label: string): void {
    if (!of.reasons.includes(rule)) of.reasons.push(rule);
    this.decisions.add('metrics', of.source, rule, action, label);
  }

  private judgeLabel(of: Case, name: string, value: string): LabelVerdict {
    const verdict = this.names.judge(name);
    switch (verdict.kind) {
      case 'taxonomy':
        return this.judgeTaxonomyLabel(of, name, value, verdict.policy);
      case 'never':
        return this.remove(of, verdict.rule, name);
      case 'content':
        return this.remove(of, 'content', name);
      case 'unfit':
        return this.remove(of, 'label_name', name);
      case 'other': {
        const how = of.isContract ? this.policy.otherOnContract : this.policy.otherElsewhere;
        if (how === 'keep') return this.judgeValue(of, name, value, undefined);
        return this.remove(of, of.contradicting.includes(name) ? 'alias' : 'unlisted', name);
      }
    }
  }

  private judgeTaxonomyLabel(of: Case, name: string, value: string, policy: LabelPolicy): LabelVerdict {
    if (name === 'le' || name === 'quantile') return this.judgeBound(of, name, value);
    if (of.isContract) {
      if (policy.class === 'infrastructure' && !this.keepsInfrastructure(of, name))
        return this.remove(of, 'infrastructure', name);
      const closed = of.known?.labelValues[name] ?? policy.values;
      if (closed) {
        // What was folded by somebody else already isn't folded again.
        if (closed.includes(value) || value === OTHER) return { value };
        this.note(of, 'closed_set', 'folded', name);
        return { value: OTHER };
      }
    }
    return this.judgeValue(of, name, value, policy);
  }

  private keepsInfrastructure(of: Case, name: string): boolean {
    if (this.policy.infrastructureOnContract === 'keep' || this.fleetLabels.has(name)) return true;
    return this.policy.listedLabels[of.base]?.includes(name) ?? false;
  }

  /** Bounds can't be removed or folded without making the histogram wrong, so a series with a bad one is refused. */
  private judgeBound(of: Case, name: string, value: string): LabelVerdict {
    if (value !== '+Inf' && value !== '-Inf' && !/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value))
      return { refuse: this.refuse(of.source, 'bad_bound', `the label ${name} is not a number`) };
    if (!this.budgets.take(of.base, name, value, this.policy.limits.otherBudget))
      return { refuse: this.refuse(of.source, 'too_many_bounds', `too many distinct values of ${name}`) };
    return { value };
  }

  private judgeValue(of: Case, name: string, value: string, policy: LabelPolicy | undefined): LabelVerdict {
    if (this.budgets.has(of.base, name, value)) return { value };
    const { valueBytes } = this.policy.limits;
    if (value.length * 3 > valueBytes && byteLength(value) > valueBytes) return this.remove(of, 'value_too_long', name);
    const level = policy?.class === 'infrastructure' ? 'personal' : 'identity';
    const kind = sniffValue(value, level, name);
    if (kind) return this.remove(of, `value_${kind}`, name);
    if (this.fields.holdsContent(value)) return this.remove(of, 'content_in_value', name);
    if (this.budgets.take(of.base, name, value, this.budgetOf(policy))) return { value };
    this.note(of, 'budget', 'folded', name);
    return { value: OTHER };
  }

  private budgetOf(policy: LabelPolicy | undefined): number {
    const { infrastructureBudget, otherBudget, taxonomyBudget } = this.policy.limits;
    if (!policy) return otherBudget;
    return policy.budget ?? (policy.class === 'infrastructure' ? infrastructureBudget : taxonomyBudget);
  }

  private remove(of: Case, rule: string, name: string): LabelVerdict {
    this.note(of, rule, 'removed', name);
    return REMOVED;
  }

  private fleetTarget(metric: string, kept: readonly PlainLabel[], rule: AggregationRule): FleetTarget {
    const labels = kept.filter(({ name }) => this.fleetLabels.has(name));
    return { labels: labelsOf(FLEET_PREFIX + metric, labels), rule };
  }
}

function labelsOf(metric: string, labels: readonly PlainLabel[]): Labels {
  const sorted = [{ name: METRIC_NAME, value: metric }, ...labels].sort((a, b) => (a.name < b.name ? -1 : 1));
  return sorted.flatMap(({ name, value }) => [name, value]);
}

/** The length of a text in UTF-8. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
