import { type Labels, type LogEntry, labelsKey, NO_LABELS } from '../model/index.ts';
import { AliasResolver, type PlainLabel } from './aliases.ts';
import { type Budgets, OTHER } from './budget.ts';
import type { AttributeCleaner, Place } from './clean-attributes.ts';
import type { LineCleaner } from './clean-line.ts';
import type { DecisionLog, Source } from './decisions.ts';
import { byteLength } from './judge-series.ts';
import type { NameJudge } from './names.ts';
import type { AliasPolicy, LabelPolicy, Policy } from './policy.ts';
import { type SniffedKind, sniffValue } from './sniff.ts';

/** What becomes of a stream's labels. */
interface StreamVerdict {
  readonly stream: Labels;
  /** Labels that are structured metadata from now on. */
  readonly moved: readonly PlainLabel[];
  readonly isRefused: boolean;
}

/** Stands in budgets for the metric, since streams have none. */
const STREAMS = '\u0000streams';
/** What a stream is called of whose labels nothing is left, so that a query can name it. */
const NAMELESS_STREAM: Labels = ['deployment', 'unknown'];
const MAX_CACHED_STREAMS = 10_000;
const EVENT_NAMES = new Set(['event_name', 'event.name']);
/** Shapes that an identifier of a request may have; others (people, secrets, texts) aren't moved but removed. */
const REQUEST_KINDS: ReadonlySet<SniffedKind> = new Set([
  'base64',
  'hex_digest',
  'id_with_prefix',
  'long_number',
  'random',
  'timestamp',
  'ulid',
  'uuid',
]);

/** Cleans log entries: stream labels by the taxonomy, metadata as attributes, the line of content. */
export class LogCleaner {
  private streams = new Map<string, StreamVerdict>();
  private readonly aliases: AliasResolver;
  private readonly contentEvents: ReadonlySet<string>;
  private readonly requestRules: ReadonlySet<string>;
  private readonly policy: Policy;
  private readonly names: NameJudge;
  private readonly budgets: Budgets;
  private readonly decisions: DecisionLog;
  private readonly attributes: AttributeCleaner;
  private readonly lines: LineCleaner;

  constructor(
    policy: Policy,
    names: NameJudge,
    budgets: Budgets,
    decisions: DecisionLog,
    attributes: AttributeCleaner,
    lines: LineCleaner,
  ) {
    this.policy = policy;
    this.names = names;
    this.budgets = budgets;
    this.decisions = decisions;
    this.attributes = attributes;
    this.lines = lines;
    this.aliases = new AliasResolver(streamAliases(policy));
    this.contentEvents = new Set(policy.content.events);
    this.requestRules = new Set(policy.requestRules);
  }

  clean(entry: LogEntry, source: Source): LogEntry | undefined {
    const place: Place = { signal: 'logs', source };
    const verdict = this.judgeStream(entry.stream, source);
    if (verdict.isRefused) return undefined;
    const metadata = this.cleanMetadata(entry.metadata, verdict.moved, place);
    const line = this.isContentEvent(entry) ? this.dropBody(entry.line, place) : this.cleanLine(entry.line, source);
    if (line === entry.line && metadata === entry.metadata && verdict.stream === entry.stream) return entry;
    return { stream: verdict.stream, timestampNs: entry.timestampNs, line, metadata };
  }

  private isContentEvent(entry: LogEntry): boolean {
    for (let i = 0; i < entry.metadata.length; i += 2)
      if (EVENT_NAMES.has(entry.metadata[i]) && this.contentEvents.has(entry.metadata[i + 1])) return true;
    return false;
  }

  private dropBody(line: string, place: Place): string {
    if (line !== '') this.decisions.add('logs', place.source, 'content_event', 'removed', '');
    return '';
  }

  private cleanLine(line: string, source: Source): string {
    const cleaned = this.lines.clean(line);
    for (const { rule, field } of cleaned.removals) this.decisions.add('logs', source, rule, 'removed', field);
    if (cleaned.wasTruncated) this.decisions.add('logs', source, 'line_too_long', 'truncated', '');
    return cleaned.line;
  }

  private cleanMetadata(metadata: Labels, moved: readonly PlainLabel[], place: Place): Labels {
    const max = this.policy.limits.attributesPerObject;
    const kept = new Map<string, string>();
    let changed = moved.length > 0;
    for (let i = 0; i < metadata.length; i += 2) {
      const value = isTelemetryId(metadata[i], metadata[i + 1])
        ? metadata[i + 1]
        : this.attributes.cleanText(metadata[i], metadata[i + 1], place);
      if (value !== metadata[i + 1]) changed = true;
      if (value === undefined) continue;
      if (kept.size < max) kept.set(metadata[i], value);
      else {
        changed = true;
        this.decisions.add('logs', place.source, 'too_many_attributes', 'truncated', '');
      }
    }
    if (!changed) return metadata;
    for (const { name, value } of moved) if (!kept.has(name)) kept.set(name, value);
    return [...kept].sort(([a], [b]) => (a < b ? -1 : 1)).flat();
  }

  private judgeStream(labels: Labels, source: Source): StreamVerdict {
    const key = labelsKey(labels);
    const known = this.streams.get(key);
    if (known) return known;
    const judged = this.judgeStreamAfresh(labels, source);
    // A sender that leaks identifiers makes a stream a line, which must not fill memory.
    if (this.streams.size >= MAX_CACHED_STREAMS) this.streams = new Map();
    if (key.length <= 4096) this.streams.set(key, judged);
    return judged;
  }

  private judgeStreamAfresh(labels: Labels, source: Source): StreamVerdict {
    const { labelsPerSeries } = this.policy.limits;
    if (labels.length / 2 > 4 * labelsPerSeries) return this.refuse(source);
    const plain: PlainLabel[] = [];
    for (let i = 0; i < labels.length; i += 2) plain.push({ name: labels[i], value: labels[i + 1] });
    const renaming = this.aliases.resolve('', plain);
    for (const name of renaming?.renamed ?? []) this.decisions.add('logs', source, 'alias', 'renamed', name);
    for (const name of renaming?.dropped ?? []) this.decisions.add('logs', source, 'alias', 'removed', name);
    const kept: PlainLabel[] = [];
    const moved: PlainLabel[] = [];
    for (const label of renaming?.labels ?? plain) this.judgeLabel(label, source, kept, moved);
    if (kept.length > labelsPerSeries) return this.refuse(source);
    const isSame = !renaming && kept.length === plain.length && kept.every((label, i) => label === plain[i]);
    kept.sort((a, b) => (a.name < b.name ? -1 : 1));
    const result = isSame ? labels : kept.flatMap(({ name, value }) => [name, value]);
    return { stream: result.length === 0 ? NAMELESS_STREAM : result, moved, isRefused: false };
  }

  private judgeLabel(label: PlainLabel, source: Source, kept: PlainLabel[], moved: PlainLabel[]): void {
    const { name, value } = label;
    const verdict = this.names.judge(name);
    switch (verdict.kind) {
      case 'content':
        return this.remove(source, 'content', name);
      case 'unfit':
        return this.remove(source, 'label_name', name);
      case 'never':
        if (!this.requestRules.has(verdict.rule)) return this.remove(source, verdict.rule, name);
        return this.move(label, source, verdict.rule, moved);
      case 'taxonomy':
      case 'other':
        break;
    }
    const policy = verdict.kind === 'taxonomy' ? verdict.policy : undefined;
    if (this.budgets.has(STREAMS, name, value)) {
      kept.push(label);
      return;
    }
    if (byteLength(value) > this.policy.limits.valueBytes) return this.remove(source, 'value_too_long', name);
    const kind = sniffValue(value, policy?.class === 'infrastructure' ? 'personal' : 'identity', name);
    if (kind && REQUEST_KINDS.has(kind)) return this.move(label, source, `value_${kind}`, moved);
    if (kind) return this.remove(source, `value_${kind}`, name);
    if (this.budgets.take(STREAMS, name, value, this.budgetOf(policy))) kept.push(label);
    else if (policy) {
      this.decisions.add('logs', source, 'budget', 'folded', name);
      kept.push({ name, value: OTHER });
    } else this.move(label, source, 'budget', moved);
  }

  private move(label: PlainLabel, source: Source, rule: string, moved: PlainLabel[]): void {
    const isFit = byteLength(label.value) <= this.policy.limits.attributeBytes;
    const isPersonal =
      !isTelemetryId(label.name, label.value) && sniffValue(label.value, 'personal', label.name) !== undefined;
    if (!isFit || isPersonal) return this.remove(source, rule, label.name);
    this.decisions.add('logs', source, rule, 'moved', label.name);
    moved.push(label);
  }

  private budgetOf(policy: LabelPolicy | undefined): number {
    const { infrastructureBudget, otherBudget, taxonomyBudget } = this.policy.limits;
    if (!policy) return otherBudget;
    return policy.budget ?? (policy.class === 'infrastructure' ? infrastructureBudget : taxonomyBudget);
  }

  private remove(source: Source, rule: string, name: string): void {
    this.decisions.add('logs', source, rule, 'removed', name);
  }

  private refuse(source: Source): StreamVerdict {
    this.decisions.add('logs', source, 'too_many_labels', 'refused', '');
    return { stream: NO_LABELS, moved: [], isRefused: true };
  }
}

/** Every Loki client begins with `service_name`, so on streams it stays beside what it is an alias of. */
function streamAliases(policy: Policy): AliasPolicy[] {
  return policy.aliases
    .filter((alias) => alias.metricPrefix === undefined)
    .map((alias) => ({
      ...alias,
      originals: alias.originals.map((original) =>
        original.name === 'service_name' ? { ...original, keep: true } : original,
      ),
    }));
}

/**
 * Whether a field is a trace's or a span's ID in its own form. Such an ID may happen to be sixteen decimal digits with a
 * valid check digit, as a card number is, and a log line would lose its trace.
 */
function isTelemetryId(name: string, value: string): boolean {
  return /^(?:trace|span|parent_span)_?id$/i.test(name) && /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/i.test(value);
}
