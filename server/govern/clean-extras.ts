import type { Labels, MetricMetadata } from '../model/index.ts';
import type { ContentFields } from './content-fields.ts';
import type { DecisionLog, Source } from './decisions.ts';
import { readings } from './hidden-text.ts';
import type { NameJudge } from './names.ts';
import type { Policy } from './policy.ts';
import { baseName } from './rule.ts';
import { isUnfitName, sniffValue } from './sniff.ts';
import { speaks } from './speech.ts';

/** OpenMetrics allows an exemplar's labels 128 characters, names and values together. */
const MAX_EXEMPLAR_CHARACTERS = 128;
const ID_VALUE = /^[\w.:/+=-]{1,128}$/;
const MAX_HELP_CHARACTERS = 512;
const UNIT = /^[\w{}/%^.*()[\]-]{0,32}$/;
/**
 * A description of a metric speaks to nobody and asks nothing. `I/O` is no person, and a write-ahead log no request to
 * write something.
 */
const SPEAKING =
  /\b(?:i(?!\/o\b)|me|my|mine|you|your|yours|we|us|please|tell|explain|write (?:me|us|a|an|my|your|some|about))\b|^\s*write (?!(?:log|ahead|latency|throughput|speed|bytes?|operations?|requests?|queue)\b)|[?!]/i;

/** Cleans exemplars and metadata of metrics. */
export class ExtrasCleaner {
  private readonly requestRules: ReadonlySet<string>;
  private readonly policy: Policy;
  private readonly names: NameJudge;
  private readonly decisions: DecisionLog;
  private readonly fields: ContentFields;

  constructor(policy: Policy, names: NameJudge, decisions: DecisionLog, fields: ContentFields) {
    this.policy = policy;
    this.names = names;
    this.decisions = decisions;
    this.fields = fields;
    this.requestRules = new Set(policy.requestRules);
  }

  /** Of an exemplar's labels, those that name a trace or a request, and labels of the taxonomy; 128 characters at most. */
  cleanExemplar(labels: Labels, source: Source): Labels {
    const kept: string[] = [];
    let characters = 0;
    // Traces come first, because they are what an exemplar is for and the space is small.
    const order = [...Array(labels.length / 2).keys()].sort(
      (a, b) => this.rank(labels[2 * a]) - this.rank(labels[2 * b]),
    );
    for (const i of order) {
      const name = labels[2 * i];
      const value = labels[2 * i + 1];
      const rule = this.refuseExemplarLabel(name, value);
      if (rule !== undefined) this.decisions.add('metrics', source, rule, 'removed', name);
      else if (characters + name.length + value.length > MAX_EXEMPLAR_CHARACTERS)
        this.decisions.add('metrics', source, 'exemplar_too_long', 'removed', name);
      else {
        characters += name.length + value.length;
        kept.push(name, value);
      }
    }
    if (kept.length === labels.length) return labels;
    const pairs = Array.from({ length: kept.length / 2 }, (_, i) => [kept[2 * i], kept[2 * i + 1]]);
    return pairs.sort(([a], [b]) => (a < b ? -1 : 1)).flat();
  }

  private rank(name: string): number {
    const verdict = this.names.judge(name);
    if (verdict.kind !== 'never') return 2;
    return verdict.rule === 'trace' ? 0 : 1;
  }

  private refuseExemplarLabel(name: string, value: string): string | undefined {
    const verdict = this.names.judge(name);
    switch (verdict.kind) {
      case 'never':
        if (!this.requestRules.has(verdict.rule)) return verdict.rule;
        return ID_VALUE.test(value) && sniffValue(value, 'personal') === undefined ? undefined : 'exemplar_value';
      case 'taxonomy':
        if (sniffValue(value, 'identity', name) !== undefined) return 'exemplar_value';
        return this.fields.holdsContent(value) ? 'content_in_value' : undefined;
      case 'content':
        return 'content';
      case 'unfit':
      case 'other':
        return 'exemplar_label';
    }
  }

  /**
   * A metric's help and unit. The contract's own metrics have the conventions' help; of others it is kept where it reads
   * like a description: short, without questions, people, identifiers and quoted fields. A name that is refused for series
   * becomes `''`.
   */
  cleanMetadata(metadata: MetricMetadata, source: Source): MetricMetadata {
    const known = this.policy.metrics[metadata.metric] ?? this.policy.metrics[baseName(metadata.metric)];
    const metric =
      known || (metadata.metric.length <= this.policy.limits.nameBytes && !isUnfitName(metadata.metric))
        ? metadata.metric
        : '';
    if (metric !== metadata.metric) this.decisions.add('metrics', source, 'metric_name_unfit', 'removed', '');
    const help = known ? known.help : this.cleanHelp(metadata.help, source);
    const unit = UNIT.test(metadata.unit) && sniffValue(metadata.unit, 'identity') === undefined ? metadata.unit : '';
    if (unit !== metadata.unit) this.decisions.add('metrics', source, 'unit', 'removed', '');
    if (metric === metadata.metric && help === metadata.help && unit === metadata.unit) return metadata;
    return { ...metadata, metric, help, unit };
  }

  private cleanHelp(help: string, source: Source): string {
    const isDescription =
      help.length <= MAX_HELP_CHARACTERS &&
      !SPEAKING.test(help) &&
      !speaks(help) &&
      // A description is written as it is read.
      [...readings(help)].length === 0 &&
      !this.fields.holdsContent(help) &&
      help.split(/\s+/).every((word) => sniffValue(word, 'identity', 'size') === undefined);
    if (isDescription) return help;
    this.decisions.add('metrics', source, 'help', 'removed', '');
    return '';
  }
}
