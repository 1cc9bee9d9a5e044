import { type Attributes, type Labels, METRIC_NAME, type Span } from '../../model/index.ts';
import { FLEET_PREFIX } from '../rule.ts';
import { sniffValue } from '../sniff.ts';
import { COST_LABELS, COST_NAMES, SPAN_NAMES } from './cost-labels.ts';

/** What is counted of a value, in the order of its columns. */
export const COST_KINDS = ['samples', 'fleetSamples', 'histogramBytes', 'logBytes', 'spanBytes'] as const;
export type CostKind = (typeof COST_KINDS)[number];
const KINDS = COST_KINDS.length;
const [SAMPLES, FLEET_SAMPLES, HISTOGRAM_BYTES, LOG_BYTES, SPAN_BYTES] = [0, 1, 2, 3, 4] as const;

/** Hours that are remembered: a day, the same day of the week before, and what both are cut from. */
export const COST_HOURS = 194;
export const HOUR_MS = 3_600_000;
/** Values of a label. */
const MAX_VALUES = 200;
const MAX_VALUE_CHARACTERS = 128;
/** Combinations of values. */
const MAX_TUPLES = 16_384;
/** Bytes of a span's row beside its texts: identifiers, times and codes. */
const SPAN_ROW_BYTES = 58;

/** Where a label is absent, and where its value found no place of its own. */
export const NO_VALUE = '(none)';
export const OTHER_VALUES = '(others)';
const [NO_VALUE_PLACE, OTHERS_PLACE] = [0, 1] as const;

/** What one value of a label costs. */
export interface CostValue {
  readonly value: string;
  /** Stored series. */
  series: number;
  /** By kind, then by the hour since the epoch modulo `COST_HOURS`. */
  readonly hours: Float64Array;
  /** Stored series at the end of each hour, in the same places. */
  readonly seriesHours: Float64Array;
}

/** The values of one label; the first two are `(none)` and `(others)`. */
export interface CostOfLabel {
  readonly values: CostValue[];
  readonly places: Map<string, number>;
}

/**
 * Counts what is stored by the labels that say whose it is. Series and streams are put to a combination of values once;
 * from then on a sample costs one addition, made at its commit. Bounded: 200 values a label, 16,384 combinations; the
 * rest is `(others)`.
 */
export class CostCensus {
  /** Since when it counts, milliseconds since the epoch; 0 where nobody said. */
  sinceMs = 0;
  readonly total: CostValue = newValue('');
  readonly labels: readonly CostOfLabel[] = COST_LABELS.map(newLabel);
  /** The hour that is being counted, since the epoch; −1 before the first. */
  hour = -1;
  /** By number of a series or stream: its combination plus one; 0 where it isn't known. */
  private seriesTuples = new Uint16Array(4096);
  private streamTuples = new Uint16Array(1024);
  private readonly tuples = new Map<string, number>();
  /** By combination: the places of its values, by label. */
  private readonly places = new Uint8Array(MAX_TUPLES * COST_LABELS.length);
  /** By combination and kind: what came since it was last folded into the values. */
  private readonly pending = new Float64Array(MAX_TUPLES * KINDS);
  /** By combination: whether its samples are of the fleet level. */
  private readonly fleet = new Uint8Array(MAX_TUPLES);
  private readonly found: string[] = COST_LABELS.map(() => '');
  private readonly ranks = new Uint8Array(COST_LABELS.length);
  private readonly resources = new WeakMap<Attributes, Map<string, number>>();

  constructor() {
    // The first combination is that of others, for whatever comes when there are too many.
    this.places.fill(OTHERS_PLACE, 0, COST_LABELS.length);
    this.tuples.set('', 0);
  }

  /** Combinations of values that are told apart, and whether there were more. */
  get isFull(): boolean {
    return this.tuples.size >= MAX_TUPLES;
  }

  /** A series is stored under a number, for the first time or since the last process. */
  addSeries(id: number, labels: Labels): void {
    this.findIn(labels);
    const isFleet = labels[labels.indexOf(METRIC_NAME) + 1]?.startsWith(FLEET_PREFIX) === true;
    const tuple = this.tupleOfFound(isFleet);
    if (id >= this.seriesTuples.length) this.seriesTuples = grown(this.seriesTuples, id);
    if (this.seriesTuples[id] !== 0) return;
    this.seriesTuples[id] = tuple + 1;
    this.total.series++;
    const at = tuple * COST_LABELS.length;
    for (let label = 0; label < COST_LABELS.length; label++)
      this.labels[label].values[this.places[at + label]].series++;
  }

  /** Samples are committed. @param series numbers of their series, of which the first `count` are taken */
  addSamples(series: Uint32Array, count: number): void {
    const { seriesTuples, pending } = this;
    const known = seriesTuples.length;
    for (let i = 0; i < count; i++) {
      const id = series[i];
      // The places of a combination that isn't known are those of others.
      const tuple = id < known ? seriesTuples[id] : 0;
      pending[(tuple === 0 ? 0 : tuple - 1) * KINDS]++;
    }
  }

  /** A native histogram is committed. @param bytes of its encoded form */
  addHistogram(series: number, bytes: number): void {
    const tuple = this.seriesTuples[series] ?? 0;
    this.pending[(tuple === 0 ? 0 : tuple - 1) * KINDS + HISTOGRAM_BYTES] += bytes;
  }

  /** A log line is taken. @param bytes of its line and metadata */
  addLog(id: number, stream: Labels, bytes: number): void {
    if (id >= this.streamTuples.length) this.streamTuples = grown(this.streamTuples, id);
    let tuple = this.streamTuples[id];
    if (tuple === 0) {
      this.findIn(stream);
      tuple = this.tupleOfFound(false) + 1;
      this.streamTuples[id] = tuple;
    }
    this.pending[(tuple - 1) * KINDS + LOG_BYTES] += bytes;
  }

  /** A span is taken. @param textBytes of the texts of its row */
  addSpan(span: Span, textBytes: number): void {
    let known = this.resources.get(span.resource);
    if (!known) {
      known = new Map();
      this.resources.set(span.resource, known);
    }
    let own = span.serviceName;
    for (const name of SPAN_NAMES) {
      const value = span.attributes[name];
      if (typeof value === 'string') own += `\u0000${value}`;
    }
    let tuple = known.get(own);
    if (tuple === undefined) {
      tuple = this.tupleOfSpan(span);
      // The spans of one resource may name many models, but not without end.
      if (known.size < MAX_VALUES) known.set(own, tuple);
    }
    this.pending[tuple * KINDS + SPAN_BYTES] += textBytes + SPAN_ROW_BYTES;
  }

  /** Adds what came to the hour's counts; called about once a minute, and before they are read. */
  fold(nowMs: number): void {
    if (this.sinceMs === 0) this.sinceMs = nowMs;
    this.roll(Math.floor(nowMs / HOUR_MS));
    const at = this.hour % COST_HOURS;
    const { pending, places, labels, total } = this;
    for (let tuple = 0; tuple < this.tuples.size; tuple++) {
      const isFleet = this.fleet[tuple] !== 0;
      for (let kind = 0; kind < KINDS; kind++) {
        const amount = pending[tuple * KINDS + kind];
        if (amount === 0) continue;
        pending[tuple * KINDS + kind] = 0;
        const place = (kind === SAMPLES && isFleet ? FLEET_SAMPLES : kind) * COST_HOURS + at;
        total.hours[place] += amount;
        for (let label = 0; label < labels.length; label++)
          labels[label].values[places[tuple * labels.length + label]].hours[place] += amount;
      }
    }
    for (const value of this.all()) value.seriesHours[at] = value.series;
  }

  /** Takes up a value of the last process; where there is no place for it, with the others. */
  restore(label: number, value: string): CostValue {
    const { values } = this.labels[label];
    return values[this.placeOf(label, value)];
  }

  /** Every value of every label, and the total. */
  *all(): Generator<CostValue> {
    yield this.total;
    for (const { values } of this.labels) yield* values;
  }

  /** Begins another hour; those in between had nothing. */
  private roll(hour: number): void {
    if (this.hour < 0) this.hour = hour;
    // A clock that was put back goes on with the hour that it had reached.
    if (hour <= this.hour) return;
    const passed = Math.min(hour - this.hour, COST_HOURS);
    for (const { hours, seriesHours, series } of this.all()) {
      for (let i = 0; i < passed; i++) {
        const at = (hour - i) % COST_HOURS;
        for (let kind = 0; kind < KINDS; kind++) hours[kind * COST_HOURS + at] = 0;
        seriesHours[at] = series;
      }
    }
    this.hour = hour;
  }

  private findIn(labels: Labels): void {
    this.forget();
    for (let i = 0; i < labels.length; i += 2) this.take(labels[i], labels[i + 1]);
  }

  private tupleOfSpan(span: Span): number {
    this.forget();
    for (const name of Object.keys(span.resource)) this.take(name, span.resource[name]);
    if (span.serviceName !== '') this.take('service.name', span.serviceName);
    for (const name of SPAN_NAMES) this.take(name, span.attributes[name]);
    return this.tupleOfFound(false);
  }

  private forget(): void {
    this.found.fill('');
    this.ranks.fill(255);
  }

  private take(name: string, value: unknown): void {
    const of = COST_NAMES.get(name);
    if (of === undefined || of.rank >= this.ranks[of.label] || typeof value !== 'string' || value === '') return;
    this.ranks[of.label] = of.rank;
    this.found[of.label] = value;
  }

  private tupleOfFound(isFleet: boolean): number {
    let key = isFleet ? 'f' : ' ';
    const places = this.found.map((value, label) => this.placeOf(label, value));
    key += String.fromCharCode(...places);
    const known = this.tuples.get(key);
    if (known !== undefined) return known;
    if (this.isFull) return 0;
    const tuple = this.tuples.size;
    this.tuples.set(key, tuple);
    this.places.set(places, tuple * COST_LABELS.length);
    this.fleet[tuple] = isFleet ? 1 : 0;
    return tuple;
  }

  private placeOf(label: number, value: string): number {
    if (value === '') return NO_VALUE_PLACE;
    const of = this.labels[label];
    const known = of.places.get(value);
    if (known !== undefined) return known;
    // Spans may carry identifiers that no label may; they are no team.
    const isFit =
      value.length <= MAX_VALUE_CHARACTERS && sniffValue(value, 'identity', COST_LABELS[label]) === undefined;
    if (of.values.length >= MAX_VALUES || !isFit) return OTHERS_PLACE;
    of.places.set(value, of.values.length);
    return of.values.push(newValue(value)) - 1;
  }
}

function newValue(value: string): CostValue {
  const hours = new Float64Array(KINDS * COST_HOURS);
  return { value, series: 0, hours, seriesHours: new Float64Array(COST_HOURS) };
}

function newLabel(): CostOfLabel {
  const values = [newValue(NO_VALUE), newValue(OTHER_VALUES)];
  return { values, places: new Map(values.map(({ value }, place) => [value, place])) };
}

function grown(from: Uint16Array, id: number): Uint16Array<ArrayBuffer> {
  const to = new Uint16Array(Math.max(from.length * 2, id + 1));
  to.set(from);
  return to;
}
