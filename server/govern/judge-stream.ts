import { type Labels, labelsKey, NO_LABELS } from '../model/index.ts';
import { AliasResolver, type PlainLabel } from './aliases.ts';
import { type Budgets, OTHER } from './budget.ts';
import type { ContentFields } from './content-fields.ts';
import type { Action, DecisionLog, Source } from './decisions.ts';
import { byteLength } from './judge-series.ts';
import type { NameJudge } from './names.ts';
import type { AliasPolicy, LabelPolicy, Policy } from './policy.ts';
import { type SniffedKind, sniffValue } from './sniff.ts';
import { isTelemetryId } from './telemetry-ids.ts';

/** A log line is never about something of another kind, so every alias applies. */
const EVERY_NAME = (): boolean => true;

/** What becomes of a stream's labels, and of the metadata that its record brought. */
export interface StreamVerdict {
  readonly stream: Labels;
  /** Labels that are structured metadata from now on. */
  readonly moved: readonly PlainLabel[];
  /** Names of the record's metadata that the stream now says, under this name or its target's. */
  readonly taken: ReadonlySet<string>;
  readonly isRefused: boolean;
}

/** What becomes of a stream's label: `moved` is structured metadata of each line. */
export type StreamFate =
  | { readonly kind: 'kept' }
  | { readonly kind: 'renamed'; readonly to: readonly string[] }
  | { readonly kind: 'moved' | 'removed'; readonly rule: string };

/** The streams that exist already, wherever they are kept. */
export interface KnownStreams {
  readonly size: number;
  has(labels: Labels): boolean;
}

/** How much of a stream's labels stays where streams are many: all, those it came with, those that name no single copy. */
const REDUCTIONS = ['none', 'own', 'shared'] as const;
type Reduction = (typeof REDUCTIONS)[number];

/** A verdict with what there is to count once it is taken. */
interface Draft {
  readonly verdict: StreamVerdict;
  readonly notes: readonly (readonly [rule: string, action: Action, label: string])[];
}

/** Stands in budgets for the metric, since streams have none. */
const STREAMS = '\u0000streams';
/** What a stream is called of whose labels nothing is left, so that a query can name it. */
const NAMELESS_STREAM: Labels = ['deployment', 'unknown'];
/** The one stream for whatever would make a new stream past the limit. */
const OVERFLOW_STREAM: Labels = ['deployment', OTHER];
const MAX_CACHED_STREAMS = 10_000;
const MAX_CACHED_KEY_CHARACTERS = 4096;
const NONE: ReadonlySet<string> = new Set();
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

/**
 * Judges the labels of log streams, and raises what a record says about itself to its stream where the policy lists it:
 * OpenTelemetry's records and Loki's structured metadata carry `model_version` and its like beside the stream's labels.
 */
export class StreamJudge {
  private verdicts = new Map<string, StreamVerdict>();
  private readonly aliases: AliasResolver;
  /** Aliases by which a record's metadata reaches a label of the stream. */
  private readonly recordAliases: AliasResolver;
  /** Names of metadata that may become labels of the stream. */
  private readonly raisable: ReadonlySet<string>;
  private readonly raised: ReadonlySet<string>;
  private readonly requestRules: ReadonlySet<string>;
  private readonly policy: Policy;
  private readonly names: NameJudge;
  private readonly budgets: Budgets;
  private readonly decisions: DecisionLog;
  private readonly fields: ContentFields;
  private known: KnownStreams = new SeenStreams();
  private lastLabels: Labels = NO_LABELS;
  private lastKey = '';

  constructor(policy: Policy, names: NameJudge, budgets: Budgets, decisions: DecisionLog, fields: ContentFields) {
    this.policy = policy;
    this.names = names;
    this.budgets = budgets;
    this.decisions = decisions;
    this.fields = fields;
    this.requestRules = new Set(policy.requestRules);
    this.aliases = new AliasResolver(streamAliases(policy), EVERY_NAME);
    this.raised = new Set(policy.streamLabels);
    const reaching = recordAliases(policy);
    this.recordAliases = new AliasResolver(reaching, EVERY_NAME);
    this.raisable = new Set([
      ...policy.streamLabels,
      ...reaching.flatMap(({ originals }) => originals.map(({ name }) => name)),
    ]);
  }

  /** From now on these are the streams that exist; without it those that were judged since the start. */
  knowStreams(known: KnownStreams): void {
    this.known = known;
  }

  /** What becomes of a stream's label by its name alone; counts nothing. */
  fateOf(name: string): StreamFate {
    const names = (this.aliases.resolve('', [{ name, value: 'x' }])?.labels ?? [{ name }]).map((label) => label.name);
    if (!names.includes(name)) return { kind: 'renamed', to: names };
    const verdict = this.names.judge(name);
    switch (verdict.kind) {
      case 'content':
        return { kind: 'removed', rule: 'content' };
      case 'unfit':
        return { kind: 'removed', rule: 'label_name' };
      case 'never':
        return { kind: this.requestRules.has(verdict.rule) ? 'moved' : 'removed', rule: verdict.rule };
      case 'taxonomy':
      case 'other':
        return { kind: 'kept' };
    }
  }

  /** The verdict on a stream's labels together with a record's metadata; remembered for both. */
  judge(labels: Labels, metadata: Labels, source: Source): StreamVerdict {
    // Entries of one stream share its array, so its key is built once.
    if (labels !== this.lastLabels) {
      this.lastLabels = labels;
      this.lastKey = labelsKey(labels);
    }
    let key = this.lastKey;
    let fromRecord: PlainLabel[] | undefined;
    for (let i = 0; i < metadata.length; i += 2) {
      if (!this.raisable.has(metadata[i])) continue;
      fromRecord ??= [];
      fromRecord.push({ name: metadata[i], value: metadata[i + 1] });
      // With its length before it, no value can look like the beginning of the next name.
      key += `\u0000${metadata[i]}=${metadata[i + 1].length}:${metadata[i + 1]}`;
    }
    const known = this.verdicts.get(key);
    if (known) return known;
    const verdict = this.judgeAfresh(labels, fromRecord ?? [], source);
    // A sender that leaks identifiers makes a stream a line, which must not fill memory.
    if (this.verdicts.size >= MAX_CACHED_STREAMS) this.verdicts = new Map();
    if (key.length <= MAX_CACHED_KEY_CHARACTERS) this.verdicts.set(key, verdict);
    return verdict;
  }

  /** Tries the stream with all of its labels, then with fewer, until it is one that exists or may be made. */
  private judgeAfresh(labels: Labels, fromRecord: readonly PlainLabel[], source: Source): StreamVerdict {
    const { labelsPerSeries, streams } = this.policy.limits;
    if (labels.length / 2 > 4 * labelsPerSeries) return this.refuse(source);
    for (const reduction of REDUCTIONS) {
      const draft = this.draft(labels, fromRecord, reduction);
      const { verdict } = draft;
      if (verdict.stream.length / 2 > labelsPerSeries) return this.refuse(source);
      if (this.known.size < streams || this.known.has(verdict.stream)) {
        if (reduction !== 'none') this.decisions.add('logs', source, 'too_many_streams', 'moved', '');
        return this.accept(draft, source);
      }
    }
    const { verdict, notes } = this.draft(labels, [], 'none');
    const moved = [...verdict.moved, ...pairsOf(verdict.stream)];
    this.decisions.add('logs', source, 'too_many_streams', 'folded', '');
    return this.accept({ verdict: { ...verdict, stream: OVERFLOW_STREAM, moved }, notes }, source);
  }

  private accept({ verdict, notes }: Draft, source: Source): StreamVerdict {
    for (const [rule, action, label] of notes) this.decisions.add('logs', source, rule, action, label);
    if (this.known instanceof SeenStreams) this.known.add(verdict.stream);
    return verdict;
  }

  private draft(labels: Labels, fromRecord: readonly PlainLabel[], reduction: Reduction): Draft {
    const notes: [string, Action, string][] = [];
    const own = pairsOf(labels);
    const fromMetadata = reduction === 'none' ? this.raise(own, fromRecord) : [];
    const plain = [...own, ...fromMetadata];
    const renaming = this.aliases.resolve('', plain);
    for (const name of renaming?.renamed ?? []) notes.push(['alias', 'renamed', name]);
    for (const name of renaming?.dropped ?? []) notes.push(['alias', 'removed', name]);
    const kept: PlainLabel[] = [];
    const moved: PlainLabel[] = [];
    for (const label of renaming?.labels ?? plain) {
      const isOneOfMany = reduction === 'shared' && this.policy.labels[label.name]?.opaque;
      const verdict = isOneOfMany ? this.moved(label, 'too_many_streams') : this.judgeLabel(label);
      if (verdict.note) notes.push([...verdict.note, label.name]);
      if (verdict.kept) kept.push(verdict.kept);
      if (verdict.moved) moved.push(label);
    }
    const taken = fromRecord.length === 0 ? NONE : this.takenFrom(fromRecord, kept);
    for (const name of taken)
      notes.push(this.raised.has(name) ? ['stream_label', 'moved', name] : ['alias', 'renamed', name]);
    const isSame = !renaming && kept.length === own.length && kept.every((label, i) => label === own[i]);
    kept.sort((a, b) => (a.name < b.name ? -1 : 1));
    const result = isSame ? labels : kept.flatMap(({ name, value }) => [name, value]);
    const stream = result.length === 0 ? NAMELESS_STREAM : result;
    return { verdict: { stream, moved, taken, isRefused: false }, notes };
  }

  /**
   * The labels that a record gives to its stream: of values that are fit for one. A label that the sender put on the
   * stream itself stays as it is.
   */
  private raise(own: readonly PlainLabel[], fromRecord: readonly PlainLabel[]): PlainLabel[] {
    if (fromRecord.length === 0) return [];
    const fit = fromRecord.filter(({ name, value }) => this.isFit(name, value));
    const renaming = this.recordAliases.resolve('', fit);
    const taken = new Set(own.map(({ name }) => name));
    return (renaming?.labels ?? fit).filter(
      ({ name, value }) => this.raised.has(name) && !taken.has(name) && this.isInSet(name, value),
    );
  }

  private isFit(name: string, value: string): boolean {
    if (byteLength(value) > this.policy.limits.valueBytes) return false;
    return sniffValue(value, 'identity', name) === undefined && !this.fields.holdsContent(value);
  }

  /** A value outside a closed set says something else than the label means, so it stays what the record said. */
  private isInSet(name: string, value: string): boolean {
    return this.policy.labels[name]?.values?.includes(value) ?? true;
  }

  /** Metadata is taken where the stream says the same; what a budget folded stays with its record. */
  private takenFrom(fromRecord: readonly PlainLabel[], kept: readonly PlainLabel[]): ReadonlySet<string> {
    const values = new Map(kept.map(({ name, value }) => [name, value]));
    const taken = new Set<string>();
    for (const { name, value } of fromRecord) {
      const targets = this.raised.has(name) ? [name] : this.recordAliases.targetsOf(name);
      if (targets.some((target) => values.get(target) === value)) taken.add(name);
    }
    return taken;
  }

  private judgeLabel(label: PlainLabel): LabelVerdict {
    const { name, value } = label;
    const verdict = this.names.judge(name);
    switch (verdict.kind) {
      case 'content':
        return removed('content');
      case 'unfit':
        return removed('label_name');
      case 'never':
        return this.requestRules.has(verdict.rule) ? this.moved(label, verdict.rule) : removed(verdict.rule);
      case 'taxonomy':
      case 'other':
        break;
    }
    const policy = verdict.kind === 'taxonomy' ? verdict.policy : undefined;
    if (this.budgets.has(STREAMS, name, value)) return { kept: label };
    if (byteLength(value) > this.policy.limits.valueBytes) return removed('value_too_long');
    const kind = sniffValue(value, policy?.class === 'infrastructure' ? 'personal' : 'identity', name);
    if (kind && REQUEST_KINDS.has(kind)) return this.moved(label, `value_${kind}`);
    if (kind) return removed(`value_${kind}`);
    if (this.fields.holdsContent(value)) return removed('content_in_value');
    if (this.budgets.take(STREAMS, name, value, this.budgetOf(policy))) return { kept: label };
    if (policy) return { kept: { name, value: OTHER }, note: ['budget', 'folded'] };
    return this.moved(label, 'budget');
  }

  private moved(label: PlainLabel, rule: string): LabelVerdict {
    const isFit = byteLength(label.value) <= this.policy.limits.attributeBytes;
    const isPersonal =
      !isTelemetryId(label.name, label.value) && sniffValue(label.value, 'personal', label.name) !== undefined;
    if (!isFit || isPersonal || this.fields.holdsContent(label.value)) return removed(rule);
    return { moved: true, note: [rule, 'moved'] };
  }

  private budgetOf(policy: LabelPolicy | undefined): number {
    const { infrastructureBudget, otherBudget, taxonomyBudget } = this.policy.limits;
    if (!policy) return otherBudget;
    return policy.budget ?? (policy.class === 'infrastructure' ? infrastructureBudget : taxonomyBudget);
  }

  private refuse(source: Source): StreamVerdict {
    this.decisions.add('logs', source, 'too_many_labels', 'refused', '');
    return { stream: NO_LABELS, moved: [], taken: NONE, isRefused: true };
  }
}

/** What becomes of one label: it stays, perhaps as `other`; or it is metadata; or neither, and it is gone. */
interface LabelVerdict {
  readonly kept?: PlainLabel;
  readonly moved?: true;
  readonly note?: readonly [rule: string, action: Action];
}

function removed(rule: string): LabelVerdict {
  return { note: [rule, 'removed'] };
}

/** The streams that were judged since the start, for a governor whose caller keeps none. */
class SeenStreams implements KnownStreams {
  private readonly keys = new Set<string>();

  get size(): number {
    return this.keys.size;
  }

  has(labels: Labels): boolean {
    return this.keys.has(labelsKey(labels));
  }

  add(labels: Labels): void {
    this.keys.add(labelsKey(labels));
  }
}

function pairsOf(labels: Labels): PlainLabel[] {
  const pairs: PlainLabel[] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push({ name: labels[i], value: labels[i + 1] });
  return pairs;
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
 * The originals that only ever mean the label: not `service_name` or `job`, which say in a record's metadata what the
 * stream's own labels say better.
 */
function recordAliases(policy: Policy): AliasPolicy[] {
  const labels = new Set(policy.streamLabels);
  return streamAliases(policy)
    .filter(({ target }) => labels.has(target))
    .map((alias) => ({ ...alias, originals: alias.originals.filter(({ keep }) => !keep) }));
}
