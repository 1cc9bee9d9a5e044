import { ExporterError } from '../error.ts';
import {
  badLine,
  boundOf,
  type Label,
  type LineTaker,
  readSeriesName,
  SeriesMemory,
  type SeriesName,
} from '../exposition/index.ts';
import { type GaugeAggregation, METRICS, type MetricName } from '../generated/conventions.ts';
import { ContractSeries, type HistogramSeries, type ScalarSeries } from './contract-series.ts';
import { type EngineTable, familyOf, type Mapping, type SampleRule } from './engine-table.ts';
import { IncreaseRatio } from './increase-ratio.ts';
import { identityOf, type SourceIdentity } from './source-labels.ts';

/** Most series of the contract that one target may give. */
export const MAX_SERIES = 50_000;

/** What a scrape found, by names of families. */
export interface FamilyReport {
  readonly mapped: readonly { readonly source: string; readonly mapping: Mapping }[];
  /** The engine's own metrics that nobody knows. */
  readonly unmapped: readonly string[];
  readonly ignored: readonly { readonly source: string; readonly why: string }[];
  /** Mappings of which no name is there. */
  readonly missing: readonly Mapping[];
  /** How many families belong to something else than the engine. */
  readonly foreign: number;
}

type SlotMode = 'sum' | 'max' | 'avg' | 'last';

interface Ratio {
  readonly slot: number;
  readonly numerator: number;
  readonly denominator: number;
  readonly increases: IncreaseRatio;
}

interface NamedLabels {
  /** The mapping and the source's labels that they were made from. */
  readonly from: string;
  readonly labels: readonly Label[];
  readonly key: string;
}

/** The series of one target: reads its answers and holds the contract's numbers of the last one. */
export class TargetSeries implements LineTaker {
  readonly #table: EngineTable;
  readonly #identity: SourceIdentity;
  #memory = new SeriesMemory(this);
  /** The number of the scrape; what has another number wasn't in it. */
  #scrape = 0;
  #timeMs = 0;
  #previousMs = 0;
  #seen = 0;
  #seenHash = 0;
  #lastSeen = -1;
  #lastHash = 0;
  #samples = 0;
  #report: FamilyReport | undefined;

  // Families.
  #familyIds = new Map<string, number>();
  #familyNames: string[] = [];
  #types = new Map<string, string>();
  #familyScrape: number[] = [];
  #familySampled: number[] = [];

  // Lines: what each adds to.
  #lineFamily: number[] = [];
  #lineCells: (readonly number[])[] = [];
  #lineScrape: number[] = [];
  #judged = new Map<string, Map<string, number>>();
  #lineJudges: (readonly number[] | undefined)[] = [];
  #judgeScrape: number[] = [];

  // Cells: a line's part in a slot. Copies of ranks share one, in which the largest counts.
  #cellIds = new Map<string, number>();
  #cellValue: number[] = [];
  #cellScrape: number[] = [];
  #cellSlot: number[] = [];
  #cellFactor: number[] = [];
  #cellRule: SampleRule[] = [];
  #cellJudge: string[] = [];
  #cellOn: boolean[] = [];

  // Slots: the numbers of the contract's series, and some that only go into ratios.
  #slotIds = new Map<string, number>();
  #slotMode: SlotMode[] = [];
  #slotValue: number[] = [];
  #slotScrape: number[] = [];
  #slotParts: number[] = [];
  #slotStartMs: number[] = [];
  #slotLast: number[] = [];
  /** Slots of which something is subtracted: what was last said, and what was then added. */
  #held = new Map<number, { value: number; added: number }>();
  #added = new Map<number, number>();

  #series = new ContractSeries();
  #ratios = new Map<string, Ratio>();
  #lastLabels: NamedLabels | undefined;

  constructor(table: EngineTable, identity: SourceIdentity) {
    this.#table = table;
    this.#identity = identity;
  }

  /** Samples of the last answer. */
  get samples(): number {
    return this.#samples;
  }

  /**
   * Reads an answer of the target. After an error nothing of the answer is held and no series is given.
   * @param timeMs when it was asked for, milliseconds since 1970
   * @throws ExporterError `bad_exposition`, `too_many_series`.
   */
  read(body: Buffer, timeMs: number): void {
    this.#scrape++;
    this.#previousMs = this.#timeMs;
    this.#timeMs = timeMs;
    this.#seen = 0;
    this.#seenHash = 0;
    let wasNew: boolean;
    try {
      wasNew = this.#memory.read(body);
    } catch (error) {
      this.drop();
      if ((error as { code?: string }).code === 'too_many_series') {
        this.forget();
        this.#memory = new SeriesMemory(this);
      }
      throw error;
    }
    this.#samples = this.#seen;
    const isChanged = wasNew || this.#seen !== this.#lastSeen || this.#seenHash !== this.#lastHash;
    this.#lastSeen = this.#seen;
    this.#lastHash = this.#seenHash;
    if (isChanged) {
      this.#chooseCells();
      this.#report = undefined;
    }
    this.#addUp();
    this.#holdSubtracted();
    this.#noteStarts();
    this.#takeRatios();
  }

  /** Gives no series until the next answer. */
  drop(): void {
    this.#scrape++;
    this.#lastSeen = -1;
    this.#samples = 0;
  }

  newType(name: string, type: string): number {
    this.#types.set(name, type);
    const family = this.#family(name);
    this.#familyScrape[family] = this.#scrape;
    return family;
  }

  takeType(family: number): void {
    this.#familyScrape[family] = this.#scrape;
  }

  newSeries(bytes: Uint8Array, start: number, end: number, lineNumber: number): number {
    const series = readSeriesName(bytes, start, end, lineNumber);
    const familyName = familyOf(series.name, this.#types);
    const family = this.#family(familyName);
    const isHistogram = this.#types.get(familyName) === 'histogram';
    const cells: number[] = [];
    for (const rule of this.#table.rules.get(series.name) ?? []) {
      const isPart = rule.role === 'bucket' || rule.role === 'sum' || rule.role === 'count';
      if (isPart && !isHistogram) continue;
      if (!accepts(rule.mapping, series)) continue;
      const cell = this.#cell(rule, series, lineNumber);
      if (cell !== undefined) cells.push(cell);
    }
    this.#lineFamily.push(family);
    this.#lineCells.push(cells);
    this.#lineScrape.push(0);
    this.#lineJudges.push(this.#judges(familyName, series));
    return this.#lineFamily.length - 1;
  }

  take(id: number, value: number, lineNumber: number): void {
    if (this.#lineScrape[id] === this.#scrape)
      throw badLine(lineNumber, 'a series that was there already', 'each series once');
    this.#lineScrape[id] = this.#scrape;
    const family = this.#lineFamily[id];
    this.#familyScrape[family] = this.#scrape;
    this.#familySampled[family] = this.#scrape;
    this.#seen++;
    this.#seenHash = (this.#seenHash + Math.imul(id + 1, 0x9e3779b1)) | 0;
    const judges = this.#lineJudges[id];
    if (judges) for (const judge of judges) this.#judgeScrape[judge] = this.#scrape;
    // A number that isn't one is no measure.
    if (Number.isNaN(value)) return;
    for (const cell of this.#lineCells[id]) {
      if (this.#cellScrape[cell] !== this.#scrape) {
        this.#cellScrape[cell] = this.#scrape;
        this.#cellValue[cell] = value;
      } else if (value > this.#cellValue[cell]) this.#cellValue[cell] = value;
    }
  }

  forget(): void {
    this.#familyIds = new Map();
    this.#familyNames = [];
    this.#types = new Map();
    this.#familyScrape = [];
    this.#familySampled = [];
    this.#lineFamily = [];
    this.#lineCells = [];
    this.#lineScrape = [];
    this.#judged = new Map();
    this.#lineJudges = [];
    this.#judgeScrape = [];
    this.#cellIds = new Map();
    for (const list of [this.#cellValue, this.#cellScrape, this.#cellSlot, this.#cellFactor]) list.length = 0;
    for (const list of [this.#slotValue, this.#slotScrape, this.#slotParts, this.#slotStartMs, this.#slotLast])
      list.length = 0;
    this.#cellRule = [];
    this.#cellJudge = [];
    this.#cellOn = [];
    this.#slotIds = new Map();
    this.#slotMode = [];
    this.#held = new Map();
    this.#series = new ContractSeries();
    this.#ratios = new Map();
  }

  /** The series of a metric that the last answer gave; empty after an error. */
  *scalars(metric: MetricName): Generator<ScalarSeries> {
    for (const series of this.#series.scalars(metric)) {
      if (this.#slotScrape[series.slot] === this.#scrape) yield series;
    }
  }

  /**
   * The histograms of a metric that the last answer gave. One whose parts don't fit together (another list of bounds in
   * one of the series that were joined, a missing sum or count) is left out, because its quantiles would be wrong.
   */
  *histograms(metric: MetricName): Generator<HistogramSeries> {
    for (const series of this.#series.histograms(metric)) {
      // What isn't there any more is a bound of an older list, from before the engine was upgraded.
      const buckets = series.buckets.filter(({ slot }) => this.#slotScrape[slot] === this.#scrape);
      const current = buckets.length === series.buckets.length ? series : { ...series, buckets };
      if (this.#fits(current)) yield current;
    }
  }

  /** The number in a slot of a series that was given for the last answer. */
  value(slot: number): number {
    return this.#slotValue[slot];
  }

  /** Since when a counter or histogram has counted, as far as was seen; milliseconds since 1970. */
  startMs(slot: number): number {
    return this.#slotStartMs[slot];
  }

  /** What the last answer had and hadn't. */
  report(): FamilyReport {
    this.#report ??= this.#makeReport();
    return this.#report;
  }

  #fits({ buckets, sum, count }: HistogramSeries): boolean {
    if (!sum || !count || buckets.length === 0) return false;
    const parts = this.#slotParts[count.slot];
    const isThere = (slot: number) => this.#slotScrape[slot] === this.#scrape && this.#slotParts[slot] === parts;
    if (!isThere(count.slot) || !isThere(sum.slot) || buckets.at(-1)?.bound !== Number.POSITIVE_INFINITY) return false;
    let last = 0;
    for (const { slot } of buckets) {
      if (!isThere(slot) || this.#slotValue[slot] < last) return false;
      last = this.#slotValue[slot];
    }
    return true;
  }

  #family(name: string): number {
    const known = this.#familyIds.get(name);
    if (known !== undefined) return known;
    const id = this.#familyNames.length;
    this.#familyIds.set(name, id);
    this.#familyNames.push(name);
    this.#familyScrape.push(0);
    this.#familySampled.push(0);
    return id;
  }

  #isFamilyThere(name: string): boolean {
    const id = this.#familyIds.get(name);
    return id !== undefined && this.#familyScrape[id] === this.#scrape;
  }

  #judges(family: string, series: SeriesName): number[] | undefined {
    return this.#table.judges.get(family)?.map((label) => {
      const values = this.#judged.get(`${family} ${label}`) ?? new Map<string, number>();
      this.#judged.set(`${family} ${label}`, values);
      const value = series.labels.get(label) ?? '';
      const id = values.get(value) ?? this.#judgeScrape.push(0) - 1;
      values.set(value, id);
      return id;
    });
  }

  #cell(rule: SampleRule, series: SeriesName, lineNumber: number): number | undefined {
    const { metric } = rule.mapping;
    const bound = rule.role === 'bucket' ? converted(boundOf(series, lineNumber), metric.factor) : undefined;
    const slot = this.#slot(rule, series, bound);
    const key = this.#copyKey(rule, series);
    const known = key === undefined ? undefined : this.#cellIds.get(key);
    if (known !== undefined) return known;
    const id = this.#cellSlot.length;
    if (key !== undefined) this.#cellIds.set(key, id);
    // Counts of observations have no unit that could be converted.
    const isCount = rule.role === 'bucket' || rule.role === 'count' || metric.part === 'count';
    this.#cellSlot.push(slot);
    this.#cellFactor.push((metric.subtract ? -1 : 1) * (isCount ? 1 : metric.factor));
    this.#cellValue.push(0);
    this.#cellScrape.push(0);
    this.#cellRule.push(rule);
    this.#cellJudge.push(metric.knownBy ? (series.labels.get(metric.knownBy.label) ?? '') : '');
    this.#cellOn.push(false);
    return id;
  }

  /** What the copies of a line by ranks have in common; `undefined` where the engine has no such copies. */
  #copyKey({ mapping, rank, role }: SampleRule, { name, labels }: SeriesName): string | undefined {
    const { copies } = this.#table.spec;
    if (copies.length === 0) return undefined;
    const own = [...labels].filter(([label]) => !copies.includes(label)).sort();
    return `${mapping.index} ${rank} ${role} ${name} ${JSON.stringify(own)}`;
  }

  /** The labels of a series, which are the same for all buckets of a histogram that follow one another. */
  #labelsOf(mapping: Mapping, source: ReadonlyMap<string, string>): NamedLabels {
    let from = String(mapping.index);
    for (const [name, value] of source) if (name !== 'le') from += `\0${name}\0${value}`;
    if (from !== this.#lastLabels?.from) {
      const labels = identityOf(this.#identity, this.#table.spec, mapping.metric, source);
      this.#lastLabels = { from, labels, key: JSON.stringify(labels) };
    }
    return this.#lastLabels;
  }

  #slot(rule: SampleRule, series: SeriesName, bound: number | undefined): number {
    const { target } = rule.mapping;
    const { labels, key: labelKey } = this.#labelsOf(rule.mapping, series.labels);
    if (rule.role === 'numerator' || rule.role === 'denominator') {
      const hidden = this.#newSlot(`${target} ${rule.mapping.index} ${rule.role} ${labelKey}`, 'sum');
      this.#addRatio(
        rule.mapping,
        labels,
        labelKey,
        rule.role === 'numerator' ? { numerator: hidden } : { denominator: hidden },
      );
      return hidden;
    }
    const spec = METRICS[target];
    const key = `${target} ${rule.role} ${bound ?? ''} ${labelKey}`;
    const known = this.#slotIds.get(key);
    if (known !== undefined) return known;
    const slot = this.#newSlot(key, spec.type === 'gauge' ? modeOf(spec.aggregation) : 'sum');
    if (rule.role === 'value') this.#series.addScalar(target, labels, slot);
    else this.#series.addPart(target, labels, labelKey, rule.role, bound, slot);
    return slot;
  }

  #newSlot(key: string, mode: SlotMode): number {
    const known = this.#slotIds.get(key);
    if (known !== undefined) return known;
    if (this.#slotIds.size >= MAX_SERIES) {
      throw new ExporterError({
        code: 'too_many_series',
        where: `series of one target`,
        got: `more than ${MAX_SERIES}`,
        accepted: `at most ${MAX_SERIES}`,
        fix: 'look for a label of the engine that takes a new value with each request',
      });
    }
    const slot = this.#slotMode.length;
    this.#slotIds.set(key, slot);
    this.#slotMode.push(mode);
    this.#slotValue.push(0);
    this.#slotScrape.push(0);
    this.#slotParts.push(0);
    this.#slotStartMs.push(this.#timeMs);
    this.#slotLast.push(Number.NEGATIVE_INFINITY);
    return slot;
  }

  #addRatio(
    mapping: Mapping,
    labels: readonly Label[],
    labelKey: string,
    part: { readonly numerator: number } | { readonly denominator: number },
  ): void {
    const key = `${mapping.index} ${labelKey}`;
    const there = this.#ratios.get(key);
    if (there) {
      this.#ratios.set(key, { ...there, ...part });
      return;
    }
    const slot = this.#newSlot(`${mapping.target} ratio ${mapping.index} ${labelKey}`, 'last');
    this.#ratios.set(key, { slot, numerator: -1, denominator: -1, increases: new IncreaseRatio(), ...part });
    this.#series.addScalar(mapping.target, labels, slot);
  }

  /** Decides which cells count: of the names of one measure only one, and what is read only beside other metrics. */
  #chooseCells(): void {
    const active = this.#table.mappings.map(({ metric, names }) => {
      if (metric.unless !== undefined && this.#isFamilyThere(metric.unless)) return -1;
      return names.findIndex((name) => this.#isFamilyThere(name));
    });
    for (let cell = 0; cell < this.#cellOn.length; cell++) {
      const { mapping, rank } = this.#cellRule[cell];
      let isOn = active[mapping.index] === rank;
      const by = mapping.metric.knownBy;
      if (isOn && by) {
        const judge = this.#judged.get(`${by.metric} ${by.label}`)?.get(this.#cellJudge[cell]);
        isOn = judge !== undefined && this.#judgeScrape[judge] === this.#scrape;
      }
      this.#cellOn[cell] = isOn;
    }
  }

  #addUp(): void {
    this.#added.clear();
    for (let cell = 0; cell < this.#cellOn.length; cell++) {
      if (!this.#cellOn[cell] || this.#cellScrape[cell] !== this.#scrape) continue;
      const slot = this.#cellSlot[cell];
      const factor = this.#cellFactor[cell];
      const value = this.#cellValue[cell] * factor;
      if (factor < 0) this.#added.set(slot, (this.#added.get(slot) ?? 0) - value);
      if (this.#slotScrape[slot] !== this.#scrape) {
        this.#slotScrape[slot] = this.#scrape;
        this.#slotValue[slot] = value;
        this.#slotParts[slot] = 1;
        continue;
      }
      this.#slotParts[slot]++;
      switch (this.#slotMode[slot]) {
        case 'sum':
          this.#slotValue[slot] += value;
          break;
        case 'max':
          if (value > this.#slotValue[slot]) this.#slotValue[slot] = value;
          break;
        case 'avg':
          this.#slotValue[slot] += (value - this.#slotValue[slot]) / this.#slotParts[slot];
          break;
        case 'last':
          this.#slotValue[slot] = value;
          break;
      }
    }
  }

  /**
   * What is subtracted may be counted a moment before what it is subtracted from. A counter must not go back for that,
   * so it stands still until the other has followed; only where the other went back itself was the engine restarted.
   */
  #holdSubtracted(): void {
    for (const [slot, subtracted] of this.#added) {
      const added = this.#slotValue[slot] + subtracted;
      const held = this.#held.get(slot);
      let value = Math.max(0, this.#slotValue[slot]);
      if (held && added >= held.added && value < held.value) value = held.value;
      this.#slotValue[slot] = value;
      this.#held.set(slot, { value, added });
    }
  }

  #noteStarts(): void {
    for (let slot = 0; slot < this.#slotMode.length; slot++) {
      if (this.#slotScrape[slot] !== this.#scrape) continue;
      // A counter that went back began anew at some time after it was last seen.
      if (this.#slotValue[slot] < this.#slotLast[slot]) this.#slotStartMs[slot] = this.#previousMs;
      this.#slotLast[slot] = this.#slotValue[slot];
    }
  }

  #takeRatios(): void {
    for (const ratio of this.#ratios.values()) {
      const isThere = (slot: number) => slot >= 0 && this.#slotScrape[slot] === this.#scrape;
      if (!isThere(ratio.numerator) || !isThere(ratio.denominator)) {
        ratio.increases.clear();
        continue;
      }
      const numerator = this.#slotValue[ratio.numerator];
      const value = ratio.increases.take(this.#timeMs, numerator, this.#slotValue[ratio.denominator]);
      if (value === undefined) continue;
      this.#slotScrape[ratio.slot] = this.#scrape;
      this.#slotValue[ratio.slot] = value;
    }
  }

  #makeReport(): FamilyReport {
    const mapped: { source: string; mapping: Mapping }[] = [];
    const missing: Mapping[] = [];
    for (const mapping of this.#table.mappings) {
      const name = mapping.names.find((one) => this.#isFamilyThere(one));
      if (name !== undefined) mapped.push({ source: name, mapping });
      else missing.push(mapping);
    }
    const unmapped: string[] = [];
    const ignored: { source: string; why: string }[] = [];
    let foreign = 0;
    for (const [family, name] of this.#familyNames.entries()) {
      if (this.#familySampled[family] !== this.#scrape || this.#table.known.has(name)) continue;
      const why = this.#table.owns(name) ? this.#table.ignoredBecause(name) : undefined;
      if (!this.#table.owns(name)) foreign++;
      else if (why !== undefined) ignored.push({ source: name, why });
      else unmapped.push(name);
    }
    return { mapped, unmapped, ignored, missing, foreign };
  }
}

function accepts({ metric }: Mapping, { labels }: SeriesName): boolean {
  for (const [label, values] of Object.entries(metric.only)) {
    if (!values.includes(labels.get(label) ?? '')) return false;
  }
  return true;
}

// A bound that is converted (100 ms to 0.1 s) must not carry the error of a multiplication into its label.
function converted(bound: number, factor: number): number {
  return factor === 1 ? bound : Number((bound * factor).toPrecision(15));
}

function modeOf(aggregation: GaugeAggregation | undefined): SlotMode {
  return aggregation ?? 'last';
}
