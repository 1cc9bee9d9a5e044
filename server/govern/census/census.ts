import { type Labels, labelValue, METRIC_NAME } from '../../model/index.ts';
import type { Action, Source } from '../decisions.ts';
import { FLEET_PREFIX } from '../rule.ts';
import { sniffValue } from '../sniff.ts';
import { CostCensus } from './cost.ts';
import { HeavyHitters } from './heavy-hitters.ts';
import { hashOfText, hashTexts, mixed, Sketch } from './sketch.ts';

/** Registers of sketches as powers of two: one of everything, of a metric, of a metric's label, of a rule. */
const [P_TOTAL, P_METRIC, P_LABEL, P_RULE] = [14, 12, 10, 11] as const;
const MAX_METRICS = 4096;
const MAX_LABELS = 512;
/** Pairs of a metric and a label. */
const MAX_PAIRS = 20_000;
const MAX_SENDERS = 256;
const MAX_FOLDED = 2000;
const MAX_RULES = 1000;
/** Values of a label whose stored series are counted. */
const TOP_VALUES = 100;
const TOP_METRICS = 32;
const MAX_SENDER_NAME = 64;

/** Whatever finds no place of its own. */
export const OTHERS = '(others)';
/** The sender of series that name none. */
export const UNNAMED = '(unnamed)';

/** What is known of one metric; a histogram's parts are one. */
export interface MetricCensus {
  readonly name: string;
  /** Distinct raw series that were offered. */
  readonly offered: Sketch;
  /** By label: the distinct values that were offered. */
  readonly labels: Map<string, LabelOfMetric>;
  /** Stored series. */
  stored: number;
  /** Offered series at the last whole hours, the newest last; at most 24. */
  readonly hourly: number[];
  /** Judgements by what came of them. */
  refused: number;
  aggregated: number;
}

/** A label on one metric. */
export interface LabelOfMetric {
  readonly values: Sketch;
  /** Judgements that removed it, and that folded its value into `other`. */
  removed: number;
  folded: number;
  /** What would be left of the metric's stored series without it; `undefined` where no stored series has it. */
  without: Sketch | undefined;
  /** Stored series of the metric that carry it. */
  stored: number;
}

/** A label on all metrics. */
export interface LabelCensus {
  readonly name: string;
  readonly values: Sketch;
  removed: number;
  folded: number;
  /** Stored series that carry it, and its most frequent stored values. */
  stored: number;
  readonly top: HeavyHitters;
}

/** Who sent: the series' `job`, or the name of their service. */
export interface SenderCensus {
  readonly source: Source;
  readonly name: string;
  readonly offered: Sketch;
  /** Judgements in which something was removed or folded, and that refused. */
  leaking: number;
  refused: number;
}

/** What one rule did to one label. */
export interface RuleCensus {
  readonly rule: string;
  readonly action: Action;
  readonly label: string;
  /** Judgements. */
  count: number;
  /** Distinct raw series. */
  readonly series: Sketch;
  readonly metrics: HeavyHitters;
  readonly senders: HeavyHitters;
}

/** A look at the whole at one time. */
export interface GrowthPoint {
  readonly ms: number;
  /** Distinct raw series so far. */
  readonly offered: number;
  readonly stored: number;
  /** Judgements so far that removed or folded something, and that refused. */
  readonly leaking: number;
  readonly refused: number;
}

/** The series that is being judged. */
interface Current {
  hash: number;
  base: string;
  metric: MetricCensus;
  sender: SenderCensus;
  leaks: boolean;
}

/**
 * Counts what was offered and what became of it, by metric, label, rule and sender, in bounded memory. It is fed where
 * series are judged, so a clean series costs once, and a leaking one with each judgement. Values of labels are kept only
 * of stored series; of what was removed there are hashes within sketches, from which nothing can be read back.
 */
export class Census {
  /** Since when it counts, milliseconds since the epoch; 0 where nobody said. */
  sinceMs = 0;
  readonly total = new Sketch(P_TOTAL);
  readonly metrics = new Map<string, MetricCensus>();
  readonly labels = new Map<string, LabelCensus>();
  readonly rules = new Map<string, Map<string, RuleCensus>>();
  readonly senders = new Map<Source, Map<string, SenderCensus>>();
  /** Pairs of a metric and a label whose values were folded, as `metric\0label`; the first 2,000 of them. */
  readonly folded = new Set<string>();
  /** One point a minute for a day, and one an hour for thirty. */
  readonly minutes: GrowthPoint[] = [];
  readonly hours: GrowthPoint[] = [];
  /** Stored series. */
  stored = 0;
  leaking = 0;
  refused = 0;
  /** What is stored by team, service and so on. */
  readonly cost = new CostCensus();
  private readonly pairHashes: number[] = [];
  private pairs = 0;
  private ruleCount = 0;
  private readonly isPlainName: (name: string) => boolean;
  private current: Current;

  /** @param isPlainName whether a name may be shown; a name can be content too. */
  constructor(isPlainName: (name: string) => boolean) {
    this.isPlainName = isPlainName;
    this.current = {
      hash: 0,
      base: '',
      metric: this.metric(OTHERS),
      sender: this.sender('scrape', UNNAMED),
      leaks: false,
    };
  }

  /** A raw series comes to be judged; what is noted next is about it. */
  begin(labels: Labels, base: string, source: Source, hash = hashTexts(labels)): void {
    this.enter(hash, base, this.senderOf(labels, source));
  }

  /** The same of a series that isn't looked at, since what is left of it is known; `sender` is `senderName`'s. */
  beginHashed(base: string, sender: string, source: Source, hash: number): void {
    const last = this.current.sender;
    const isSame = last.name === sender && last.source === source;
    this.enter(hash, base, isSame ? last : (this.senders.get(source)?.get(sender) ?? this.sender(source, sender)));
  }

  /** The sender of the series that was begun last. */
  get senderName(): string {
    return this.current.sender.name;
  }

  private enter(hash: number, base: string, sender: SenderCensus): void {
    const { current } = this;
    current.hash = hash;
    current.base = base;
    current.leaks = false;
    if (base !== current.metric.name) current.metric = this.metrics.get(base) ?? this.metric(base);
    current.sender = sender;
    this.total.add(hash);
    current.metric.offered.add(hash);
    current.sender.offered.add(hash);
  }

  private senderOf(labels: Labels, source: Source): SenderCensus {
    const job = labelValue(labels, 'job') || labelValue(labels, 'service_name') || labelValue(labels, 'service.name');
    // Series mostly come from the sender of the one before.
    const { sender } = this.current;
    if (sender.name === job && sender.source === source) return sender;
    return this.senders.get(source)?.get(job) ?? this.sender(source, job);
  }

  /** A value of a label that wasn't seen before on this metric. */
  newValue(label: string, value: string): void {
    const hash = hashOfText(value);
    this.labelOf(this.current.metric, label).values.add(hash);
    this.label(label).values.add(hash);
  }

  /** Something was done to the current series, or to one of its labels with this value (`''` where it isn't known). */
  note(rule: string, action: Action, label: string, value: string): void {
    this.noteHashed(rule, action, label, value === '' ? undefined : hashOfText(value));
  }

  /** The same with the value's hash. */
  noteHashed(rule: string, action: Action, label: string, valueHash: number | undefined): void {
    const { current } = this;
    const row = this.rules.get(rule)?.get(label) ?? this.rule(rule, action, label);
    row.count++;
    row.series.add(current.hash);
    row.metrics.add(current.metric.name);
    row.senders.add(current.sender.name);
    if (action === 'refused') {
      current.metric.refused++;
      current.sender.refused++;
      this.refused++;
      return;
    }
    if (!current.leaks) {
      current.leaks = true;
      current.metric.aggregated++;
      current.sender.leaking++;
      this.leaking++;
    }
    if (label === '') return;
    const [onMetric, overall] = [this.labelOf(current.metric, label), this.label(label)];
    if (valueHash !== undefined) {
      onMetric.values.add(valueHash);
      overall.values.add(valueHash);
    }
    if (action === 'folded') {
      if (this.folded.size < MAX_FOLDED) this.folded.add(`${current.base}\u0000${label}`);
      onMetric.folded++;
      overall.folded++;
    } else {
      onMetric.removed++;
      overall.removed++;
    }
  }

  /** A series is stored for the first time, or was stored when the process started. */
  addStored(labels: Labels, base: string): void {
    this.stored++;
    const metric = this.metric(base);
    metric.stored++;
    // A label set's hash is the XOR of its pairs', so that each label can be taken out of it again.
    const hashes = this.pairHashes;
    let whole = 0;
    for (let i = 0; i < labels.length; i += 2) {
      hashes[i] = mixed(hashOfText(labels[i]) ^ Math.imul(hashOfText(labels[i + 1]), 0x9e3779b1));
      whole ^= hashes[i];
    }
    for (let i = 0; i < labels.length; i += 2) {
      if (labels[i] === METRIC_NAME) continue;
      const label = this.label(labels[i]);
      label.stored++;
      label.top.add(labels[i + 1]);
      const onMetric = this.labelOf(metric, labels[i]);
      onMetric.stored++;
      onMetric.without ??= new Sketch(P_LABEL);
      onMetric.without.add(mixed(whole ^ hashes[i]));
    }
  }

  /** Remembers how much there is now; called about once a minute. */
  snapshot(nowMs: number): void {
    if (this.sinceMs === 0) this.sinceMs = nowMs;
    const { total, stored, leaking, refused } = this;
    this.cost.fold(nowMs);
    const point = { ms: nowMs, offered: total.size, stored, leaking, refused };
    this.minutes.push(point);
    if (this.minutes.length > 1440) this.minutes.shift();
    if (nowMs - (this.hours.at(-1)?.ms ?? Number.NEGATIVE_INFINITY) < 3_600_000) return;
    this.hours.push(point);
    if (this.hours.length > 720) this.hours.shift();
    for (const { hourly, offered } of this.metrics.values()) {
      hourly.push(offered.size);
      if (hourly.length > 24) hourly.shift();
    }
  }

  /** Takes up a metric by name, made where there is none and room. */
  metric(name: string): MetricCensus {
    const known = this.metrics.get(name);
    if (known) return known;
    // Names of the fleet level are refused, so whatever follows its prefix was never looked at.
    const isReserved = name.startsWith(FLEET_PREFIX);
    const isOwn = this.metrics.size < MAX_METRICS && (name === OTHERS || (!isReserved && this.isPlainName(name)));
    if (!isOwn && name !== OTHERS) return this.metric(OTHERS);
    const offered = new Sketch(P_METRIC);
    const made = { name, offered, labels: new Map(), stored: 0, hourly: [], refused: 0, aggregated: 0 };
    this.metrics.set(name, made);
    return made;
  }

  labelOf(metric: MetricCensus, name: string): LabelOfMetric {
    const known = metric.labels.get(name);
    if (known) return known;
    if (name !== OTHERS && (this.pairs >= MAX_PAIRS || !this.isPlainName(name))) return this.labelOf(metric, OTHERS);
    this.pairs++;
    const made = { values: new Sketch(P_LABEL), removed: 0, folded: 0, without: undefined, stored: 0 };
    metric.labels.set(name, made);
    return made;
  }

  label(name: string): LabelCensus {
    const known = this.labels.get(name);
    if (known) return known;
    const isOwn = this.labels.size < MAX_LABELS && this.isPlainName(name);
    if (!isOwn && name !== OTHERS) return this.label(OTHERS);
    const top = new HeavyHitters(TOP_VALUES);
    const made = { name, values: new Sketch(P_METRIC), removed: 0, folded: 0, stored: 0, top };
    this.labels.set(name, made);
    return made;
  }

  rule(rule: string, action: Action, label: string): RuleCensus {
    const byLabel = this.rules.get(rule) ?? new Map<string, RuleCensus>();
    this.rules.set(rule, byLabel);
    const isOwn = label === '' || label === OTHERS || (this.ruleCount < MAX_RULES && this.isPlainName(label));
    const shown = isOwn ? label : OTHERS;
    const known = byLabel.get(shown);
    if (known) return known;
    this.ruleCount++;
    const made: RuleCensus = {
      rule,
      action,
      label: shown,
      count: 0,
      series: new Sketch(P_RULE),
      metrics: new HeavyHitters(TOP_METRICS),
      senders: new HeavyHitters(TOP_METRICS),
    };
    byLabel.set(shown, made);
    return made;
  }

  /** The sender of a name, which is shown only where it looks like one of a program. */
  sender(source: Source, name: string): SenderCensus {
    const byName = this.senders.get(source) ?? new Map<string, SenderCensus>();
    this.senders.set(source, byName);
    const known = byName.get(name);
    if (known) return known;
    const isShown = name === OTHERS || name === UNNAMED;
    if (name === '') return this.sender(source, UNNAMED);
    if (!isShown && (byName.size >= MAX_SENDERS || !isSenderName(name))) return this.sender(source, OTHERS);
    const made = { source, name, offered: new Sketch(P_METRIC), leaking: 0, refused: 0 };
    byName.set(name, made);
    return made;
  }
}

function isSenderName(name: string): boolean {
  return name.length <= MAX_SENDER_NAME && sniffValue(name, 'identity', 'job') === undefined;
}
