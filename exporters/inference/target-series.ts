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
import { type SlotMode, Slots } from './slots.ts';
import { identityOf, type SourceIdentity } from './source-labels.ts';

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

  /** The numbers of the contract's series, and some that only go into ratios. */
  #slots = new Slots();
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
    this.#timeMs = timeMs;
    this.#slots.begin(this.#scrape, timeMs);
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
    for (let cell = 0; cell < this.#cellOn.length; cell++) {
      if (this.#cellOn[cell] && this.#cellScrape[cell] === this.#scrape)
        this.#slots.add(this.#cellSlot[cell], this.#cellValue[cell], this.#cellFactor[cell]);
    }
    this.#slots.settle();
    this.#takeRatios();
  }

  /** Gives no series until the next answer. */
  drop(): void {
    this.#scrape++;
    this.#slots.drop(this.#scrape);
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
    this.#cellRule = [];
    this.#cellJudge = [];
    this.#cellOn = [];
    this.#slots = new Slots();
    this.#slots.begin(this.#scrape, this.#timeMs);
    this.#series = new ContractSeries();
    this.#ratios = new Map();
  }

  /** The series of a metric that the last answer gave; empty after an error. */
  *scalars(metric: MetricName): Generator<ScalarSeries> {
    for (const series of this.#series.scalars(metric)) {
      if (this.#slots.isThere(series.slot)) yield series;
    }
  }

  /**
   * The histograms of a metric that the last answer gave. One whose parts don't fit together (another list of bounds in
   * one of the series that were joined, a missing sum or count) is left out, because its quantiles would be wrong.
   */
  *histograms(metric: MetricName): Generator<HistogramSeries> {
    for (const series of this.#series.histograms(metric)) {
      // What isn't there any more is a bound of an older list, from before the engine was upgraded.
      const buckets = series.buckets.filter(({ slot }) => this.#slots.isThere(slot));
      const current = buckets.length === series.buckets.length ? series : { ...series, buckets };
      if (this.#fits(current)) yield current;
    }
  }

  /** The number in a slot of a series that was given for the last answer. */
  value(slot: number): number {
    return this.#slots.value(slot);
  }

  /** Since when a counter or histogram has counted, as far as was seen; milliseconds since 1970. */
  startMs(slot: number): number {
    return this.#slots.startMs(slot);
  }

  /** What the last answer had and hadn't. */
  report(): FamilyReport {
    this.#report ??= this.#makeReport();
    return this.#report;
  }

  #fits({ buckets, sum, count }: HistogramSeries): boolean {
    if (!sum || !count || buckets.length === 0) return false;
    const parts = this.#slots.parts(count.slot);
    const isWhole = (slot: number) => this.#slots.isThere(slot) && this.#slots.parts(slot) === parts;
    if (!isWhole(count.slot) || !isWhole(sum.slot) || buckets.at(-1)?.bound !== Number.POSITIVE_INFINITY) return false;
    let last = 0;
    for (const { slot } of buckets) {
      if (!isWhole(slot) || this.#slots.value(slot) < last) return false;
      last = this.#slots.value(slot);
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
      const hidden = this.#slots.take(`${target} ${rule.mapping.index} ${rule.role} ${labelKey}`, 'sum');
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
    const known = this.#slots.find(key);
    if (known !== undefined) return known;
    const slot = this.#slots.take(key, spec.type === 'gauge' ? modeOf(spec.aggregation) : 'sum');
    if (rule.role === 'value') this.#series.addScalar(target, labels, slot);
    else this.#series.addPart(target, labels, labelKey, rule.role, bound, slot);
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
    const slot = this.#slots.take(`${mapping.target} ratio ${mapping.index} ${labelKey}`, 'last');
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

  #takeRatios(): void {
    for (const ratio of this.#ratios.values()) {
      const slots = this.#slots;
      if (!slots.isThere(ratio.numerator) || !slots.isThere(ratio.denominator)) {
        ratio.increases.clear();
        continue;
      }
      const [numerator, denominator] = [slots.value(ratio.numerator), slots.value(ratio.denominator)];
      const value = ratio.increases.take(this.#timeMs, numerator, denominator);
      if (value === undefined) continue;
      slots.set(ratio.slot, value);
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
