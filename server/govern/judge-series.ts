import { type Labels, labelValue, METRIC_NAME, type MetricType } from '../model/index.ts';
import { AliasResolver, type PlainLabel } from './aliases.ts';
import { type Budgets, OTHER } from './budget.ts';
import type { Census } from './census/census.ts';
import type { ContentFields } from './content-fields.ts';
import type { Action, DecisionLog, Source } from './decisions.ts';
import type { NameJudge, NameVerdict } from './names.ts';
import type { LabelPolicy, MetricPolicy, Policy } from './policy.ts';
import { type MetricProfile, Profiles } from './profiles.ts';
import { compileRelabel, type RelabelRule, relabel } from './relabel.ts';
import { type AggregationRule, aggregationRule, baseName, FLEET_PREFIX } from './rule.ts';
import type { SeriesLedger } from './series-ledger.ts';
import type { SharedVerdict } from './shared-verdict.ts';
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
      /** Where every removed label is one that `ruleByName` names: then it holds for all that differ only in such. */
      readonly shared: SharedVerdict | undefined;
    }
  | { readonly kind: 'refuse'; readonly code: string; readonly message: string }
  /** A relabelling rule of the policy leaves it out, which is no error of the sender's. */
  | { readonly kind: 'drop' };

/** What becomes of a label by its name alone, whatever its value. */
export type LabelFate =
  /** `values` are the only ones that it can have beside `other`, where there is a closed set. */
  | { readonly kind: 'kept'; readonly values: readonly string[] | undefined }
  | { readonly kind: 'renamed'; readonly to: readonly string[] }
  | { readonly kind: 'removed'; readonly rule: string };

/** What is known while one series is judged. */
interface Case {
  readonly metric: string;
  /** The metric as budgets count it: the parts of a histogram are one. */
  readonly base: string;
  readonly profile: MetricProfile;
  readonly known: MetricPolicy | undefined;
  readonly source: Source;
  readonly reasons: string[];
  /** Originals of an alias that say something else than the target that came under its own name. */
  contradicting: readonly string[];
  /** Whether a value had a say in what was done. */
  isOwn: boolean;
}

/** A label after judgement: its value, `undefined` for removed, or a reason to refuse the series. */
type LabelVerdict = { readonly value: string | undefined } | { readonly refuse: SeriesVerdict };

/** Labels by which the census knows who sent a series. */
const SENDER_LABELS: readonly string[] = ['job', 'service_name', 'service.name'];

const REMOVED: LabelVerdict = { value: undefined };

/** What judging goes by; the last four outlive a change of the policy. */
export interface SeriesJudgeParts {
  readonly policy: Policy;
  readonly names: NameJudge;
  readonly fields: ContentFields;
  readonly budgets: Budgets;
  readonly decisions: DecisionLog;
  readonly census: Census;
  readonly ledger: SeriesLedger;
}

/** Judges metric series by name and value. */
export class SeriesJudge {
  private readonly aliases: AliasResolver;
  private readonly profiles: Profiles;
  private readonly rules: readonly RelabelRule[];
  private readonly fleetLabels: ReadonlySet<string>;
  private readonly policy: Policy;
  private readonly names: NameJudge;
  private readonly budgets: Budgets;
  private readonly decisions: DecisionLog;
  private readonly fields: ContentFields;
  private readonly census: Census;
  private readonly ledger: SeriesLedger;

  /** @throws BarographError `bad_relabel`. */
  constructor({ policy, names, budgets, decisions, fields, census, ledger }: SeriesJudgeParts) {
    this.policy = policy;
    this.names = names;
    this.budgets = budgets;
    this.decisions = decisions;
    this.fields = fields;
    this.census = census;
    this.ledger = ledger;
    this.profiles = new Profiles(policy);
    this.rules = policy.relabelConfigs.map((config, i) => compileRelabel(config, `relabel_configs[${i}]`));
    this.aliases = new AliasResolver(
      policy.aliases,
      (metric) => this.profiles.of(metric, baseName(metric)).aliases === 'all',
    );
    this.fleetLabels = new Set(policy.fleetLabels);
  }

  /** What becomes of a raw series. @param hash a well-mixed hash of it where the caller has one */
  judge(raw: Labels, type: MetricType, source: Source, hash?: number): SeriesVerdict {
    const labels = this.relabelled(raw);
    const metric = labelValue(labels ?? raw, METRIC_NAME);
    const of = this.openCase(metric, source);
    this.census.begin(raw, of.base, source, hash);
    if (!labels) {
      this.decisions.add('metrics', source, 'relabel', 'removed', '');
      this.census.note('relabel', 'removed', '', '');
      return { kind: 'drop' };
    }
    const refusal = this.refuseMetric(of, labels.length / 2 - 1);
    if (refusal) return refusal;
    if (labels !== raw && !hasAll(labels, raw)) this.note(of, 'relabel', 'removed', '', '');
    const plain: PlainLabel[] = [];
    for (let i = 0; i < labels.length; i += 2)
      if (labels[i] !== METRIC_NAME) plain.push({ name: labels[i], value: labels[i + 1] });
    const renaming = this.aliases.resolve(metric, plain);
    of.contradicting = renaming?.contradicting ?? [];
    for (const name of renaming?.renamed ?? []) this.decisions.add('metrics', source, 'alias', 'renamed', name);
    for (const name of renaming?.dropped ?? []) this.note(of, 'alias', 'removed', name, '');
    const kept: PlainLabel[] = [];
    for (const label of renaming?.labels ?? plain) {
      const verdict = this.judgeLabel(of, label.name, label.value);
      if ('refuse' in verdict) return verdict.refuse;
      if (verdict.value !== undefined)
        kept.push(verdict.value === label.value ? label : { ...label, value: verdict.value });
    }
    const limit = this.policy.limits.labelsPerSeries;
    if (kept.length > limit)
      return this.refuse(
        source,
        'too_many_labels',
        `${kept.length} labels, accepted are ${limit} (limits.labels_per_series)`,
      );
    const unchanged = !renaming && of.reasons.length === 0;
    const result = unchanged ? labels : labelsOf(metric, kept);
    const full = this.ledger.admit(result, of.base, this.policy.limits, of.profile.seriesPerMetric);
    if (full) return this.refuse(source, full.code, full.message);
    const rule = this.ruleIn(of, type);
    const fleet = of.known?.fleet ? this.fleetTarget(metric, kept, rule) : undefined;
    if (of.reasons.length === 0) return { kind: 'keep', labels: result, fleet };
    this.decisions.add('metrics', source, 'aggregate', 'aggregated', '');
    const shared = of.isOwn ? undefined : this.shareVerdict(of.base, renaming?.renamed ?? []);
    return { kind: 'aggregate', labels: result, rule, reasons: of.reasons, fleet, shared };
  }

  /**
   * The rule that removes a label of a metric whatever its value and the other labels are, or `undefined`: then the label
   * has a say in what becomes of its series.
   */
  ruleByName(metric: string, label: string): string | undefined {
    if (label === METRIC_NAME || SENDER_LABELS.includes(label) || this.rules.length > 0) return undefined;
    if (this.aliases.concerns(metric, label)) return undefined;
    return this.removalOf(this.openCase(metric, 'scrape'), label, this.names.judge(label));
  }

  private shareVerdict(base: string, renamed: readonly string[]): SharedVerdict {
    return { base, sender: this.census.senderName, renamed };
  }

  /** What becomes of a label of a metric by its name alone; its value may still be removed or folded. */
  fateOf(metric: string, label: string): LabelFate {
    if (metric.startsWith(FLEET_PREFIX)) {
      const isKept = label === 'le' || this.fleetLabels.has(label);
      if (!isKept) return { kind: 'removed', rule: 'fleet' };
      return this.fateOf(metric.slice(FLEET_PREFIX.length), label);
    }
    const of = this.openCase(metric, 'scrape');
    const taken = this.aliases.resolve(metric, [{ name: label, value: 'x' }])?.labels ?? [{ name: label, value: 'x' }];
    const names = taken.map(({ name }) => name);
    if (!names.includes(label)) return { kind: 'renamed', to: names };
    const found = this.names.judge(label);
    const rule = this.removalOf(of, label, found);
    if (rule !== undefined) return { kind: 'removed', rule };
    return { kind: 'kept', values: found.kind === 'taxonomy' ? this.closedSet(of, label, found.policy) : undefined };
  }

  private relabelled(raw: Labels): Labels | undefined {
    const labels = relabel(raw, this.rules);
    if (labels === raw || !labels?.some((name, i) => i % 2 === 0 && isTemporary(name))) return labels;
    return labels.flatMap((name, i) => (i % 2 > 0 || isTemporary(name) ? [] : [name, labels[i + 1]]));
  }

  /** How series of a metric are joined; a name of the fleet level goes by the metric below it. */
  ruleOf(metric: string, type: MetricType): AggregationRule {
    const name = metric.startsWith(FLEET_PREFIX) ? metric.slice(FLEET_PREFIX.length) : metric;
    return this.ruleIn(this.openCase(name, 'scrape'), type);
  }

  /** Counts a stored series and its values against limits and budgets, so that folding is the same after a restart. */
  remember(labels: Labels): void {
    const metric = labelValue(labels, METRIC_NAME);
    if (metric === '' || metric.startsWith(FLEET_PREFIX)) return;
    const of = this.openCase(metric, 'scrape');
    this.ledger.remember(labels, of.base);
    for (let i = 0; i < labels.length; i += 2) {
      if (labels[i] !== METRIC_NAME)
        this.budgets.take(
          of.base,
          labels[i],
          labels[i + 1],
          this.budgetOf(of, labels[i], this.policy.labels[labels[i]]),
        );
    }
  }

  /** Counts a series that the store has just begun. */
  countStored(labels: Labels): void {
    const metric = labelValue(labels, METRIC_NAME);
    if (!metric.startsWith(FLEET_PREFIX)) this.ledger.remember(labels, this.openCase(metric, 'scrape').base);
  }

  private ruleIn({ metric, known, profile }: Case, type: MetricType): AggregationRule {
    const rule = aggregationRule(metric, type, known, this.policy.gaugeRules[metric]);
    return rule === 'counter' ? rule : (profile.gauges ?? rule);
  }

  private openCase(metric: string, source: Source): Case {
    const isExact = Object.hasOwn(this.policy.metrics, metric);
    const base = isExact ? metric : baseName(metric);
    const known = Object.hasOwn(this.policy.metrics, base) ? this.policy.metrics[base] : undefined;
    const profile = this.profiles.of(metric, base);
    return { metric, base, profile, known, source, reasons: [], contradicting: [], isOwn: this.rules.length > 0 };
  }

  private refuseMetric({ metric, base, source }: Case, labelCount: number): SeriesVerdict | undefined {
    const { nameBytes, labelsPerSeries, metricNames } = this.policy.limits;
    if (metric === '') return this.refuse(source, 'metric_name_missing', 'the series has no metric name');
    if (byteLength(metric) > nameBytes)
      return this.refuse(
        source,
        'metric_name_too_long',
        `the metric's name is longer than ${nameBytes} bytes (limits.name_bytes)`,
      );
    if (metric.startsWith(FLEET_PREFIX))
      return this.refuse(source, 'metric_name_reserved', `names that begin with ${FLEET_PREFIX} are written here only`);
    // Judging costs time for each label, so a series far over the limit isn't looked at.
    if (labelCount > 4 * labelsPerSeries)
      return this.refuse(
        source,
        'too_many_labels',
        `${labelCount} labels, accepted are ${labelsPerSeries} (limits.labels_per_series)`,
      );
    if (this.ledger.hasMetric(base) || Object.hasOwn(this.policy.metrics, metric)) return undefined;
    if (this.ledger.metricCount >= metricNames)
      return this.refuse(source, 'too_many_metrics', `more than ${metricNames} metric names (limits.metric_names)`);
    if (isUnfitName(metric))
      return this.refuse(source, 'metric_name_unfit', "the metric's name looks like an identifier or a sentence");
    return undefined;
  }

  private refuse(source: Source, code: string, message: string): SeriesVerdict {
    this.decisions.add('metrics', source, code, 'refused', '');
    this.census.note(code, 'refused', '', '');
    return { kind: 'refuse', code, message };
  }

  private note(of: Case, rule: string, action: Action, label: string, value: string): void {
    of.isOwn = true;
    this.noteByName(of, rule, action, label, value);
  }

  private noteByName(of: Case, rule: string, action: Action, label: string, value: string): void {
    if (!of.reasons.includes(rule)) of.reasons.push(rule);
    this.decisions.add('metrics', of.source, rule, action, label);
    this.census.note(rule, action, label, value);
  }

  private judgeLabel(of: Case, name: string, value: string): LabelVerdict {
    const found = this.names.judge(name);
    const removal = this.removalOf(of, name, found);
    if (removal !== undefined) {
      if (SENDER_LABELS.includes(name) || this.aliases.concerns(of.metric, name)) of.isOwn = true;
      this.noteByName(of, removal, 'removed', name, value);
      return REMOVED;
    }
    if (name === 'le' || name === 'quantile') return this.judgeBound(of, name, value);
    const policy = found.kind === 'taxonomy' ? found.policy : undefined;
    const closed = policy && this.closedSet(of, name, policy);
    if (!closed) return this.judgeValue(of, name, value, policy);
    // What was folded by somebody else already isn't folded again.
    if (closed.includes(value) || value === OTHER) return { value };
    this.note(of, 'closed_set', 'folded', name, value);
    return { value: OTHER };
  }

  private closedSet({ profile, known }: Case, name: string, policy: LabelPolicy): readonly string[] | undefined {
    return profile.contract ? (known?.labelValues[name] ?? policy.values) : undefined;
  }

  /** The rule that removes a label by its name, or `undefined` where it stays. */
  private removalOf(of: Case, name: string, verdict: NameVerdict): string | undefined {
    const { profile } = of;
    switch (verdict.kind) {
      case 'never':
        return verdict.rule;
      case 'content':
        return 'content';
      case 'unfit':
        return 'label_name';
      case 'taxonomy':
        // Without its bounds a histogram would be wrong, so they stay whatever a profile says.
        if (name === 'le' || name === 'quantile' || profile.keep.has(name)) return undefined;
        if (profile.drop.has(name)) return 'profile';
        if (verdict.policy.class !== 'infrastructure' || this.keepsInfrastructure(of, name)) return undefined;
        return 'infrastructure';
      case 'other':
        if (profile.keep.has(name)) return undefined;
        if (profile.drop.has(name)) return 'profile';
        if (profile.otherLabels === 'keep') return undefined;
        return of.contradicting.includes(name) ? 'alias' : 'unlisted';
    }
  }

  private keepsInfrastructure(of: Case, name: string): boolean {
    if (of.profile.infrastructure === 'keep' || this.fleetLabels.has(name)) return true;
    if (of.profile.infrastructure === 'drop') return false;
    return this.policy.listedLabels[of.base]?.includes(name) ?? false;
  }

  /** Bounds can't be removed or folded without making the histogram wrong, so a series with a bad one is refused. */
  private judgeBound(of: Case, name: string, value: string): LabelVerdict {
    if (value !== '+Inf' && value !== '-Inf' && !/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value))
      return { refuse: this.refuse(of.source, 'bad_bound', `the label ${name} is not a number`) };
    if (!this.budgets.take(of.base, name, value, this.policy.limits.otherBudget))
      return {
        refuse: this.refuse(of.source, 'too_many_bounds', `too many distinct values of ${name} (limits.other_budget)`),
      };
    return { value };
  }

  private judgeValue(of: Case, name: string, value: string, policy: LabelPolicy | undefined): LabelVerdict {
    if (this.budgets.has(of.base, name, value)) return { value };
    const { valueBytes } = this.policy.limits;
    if (value.length * 3 > valueBytes && byteLength(value) > valueBytes)
      return this.remove(of, 'value_too_long', name, value);
    const level = policy?.class === 'infrastructure' ? 'personal' : 'identity';
    const kind = sniffValue(value, level, name);
    if (kind) return this.remove(of, `value_${kind}`, name, value);
    if (this.fields.holdsContent(value)) return this.remove(of, 'content_in_value', name, value);
    if (this.budgets.take(of.base, name, value, this.budgetOf(of, name, policy))) {
      this.census.newValue(name, value);
      return { value };
    }
    this.note(of, 'budget', 'folded', name, value);
    return { value: OTHER };
  }

  private budgetOf({ profile }: Case, name: string, policy: LabelPolicy | undefined): number {
    const special = profile.budgets.get(name);
    if (special !== undefined) return special;
    const { infrastructureBudget, taxonomyBudget } = this.policy.limits;
    if (!policy) return profile.otherBudget;
    return policy.budget ?? (policy.class === 'infrastructure' ? infrastructureBudget : taxonomyBudget);
  }

  /** How many distinct values of a label a metric may have; by the metric's name without a part's suffix. */
  budgetFor(base: string, label: string): number {
    return this.budgetOf(this.openCase(base, 'scrape'), label, this.policy.labels[label]);
  }

  private remove(of: Case, rule: string, name: string, value: string): LabelVerdict {
    this.note(of, rule, 'removed', name, value);
    return REMOVED;
  }

  private fleetTarget(metric: string, kept: readonly PlainLabel[], rule: AggregationRule): FleetTarget {
    const labels = kept.filter(({ name }) => this.fleetLabels.has(name));
    return { labels: labelsOf(FLEET_PREFIX + metric, labels), rule };
  }
}

/** Labels under such names help rules along and are gone behind them. */
function isTemporary(name: string): boolean {
  return name.startsWith('__') && name !== METRIC_NAME;
}

/** Whether every pair of `some` is among the labels: then relabelling only added, and no two series became one. */
function hasAll(labels: Labels, some: Labels): boolean {
  for (let i = 0; i < some.length; i += 2) if (labelValue(labels, some[i]) !== some[i + 1]) return false;
  return true;
}

/** The labels with the metric's name among them. Mostly they are in their order already. */
function labelsOf(metric: string, labels: readonly PlainLabel[]): Labels {
  const out: string[] = [];
  let isNamed = false;
  let last = '';
  for (const { name, value } of labels) {
    if (name < last) return sortedLabelsOf(metric, labels);
    if (!isNamed && name > METRIC_NAME) {
      out.push(METRIC_NAME, metric);
      isNamed = true;
    }
    out.push(name, value);
    last = name;
  }
  if (!isNamed) out.push(METRIC_NAME, metric);
  return out;
}

function sortedLabelsOf(metric: string, labels: readonly PlainLabel[]): Labels {
  const sorted = [{ name: METRIC_NAME, value: metric }, ...labels].sort((a, b) => (a.name < b.name ? -1 : 1));
  return sorted.flatMap(({ name, value }) => [name, value]);
}

/** The length of a text in UTF-8. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
