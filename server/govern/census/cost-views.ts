import type { Census } from './census.ts';
import { COST_HOURS, type CostValue, HOUR_MS, OTHER_VALUES } from './cost.ts';
import { COST_LABELS, type CostLabel } from './cost-labels.ts';

/** What money and bytes are reckoned with. */
export interface CostTerms {
  /** Bytes of a sample in sealed blocks, and whether they were measured or are what others' were. */
  readonly bytesPerSample: number;
  readonly isMeasured: boolean;
  /** Days for which each kind is kept; +∞ for ever. */
  readonly keptDays: {
    readonly samples: number;
    readonly fleetSamples: number;
    readonly logs: number;
    readonly spans: number;
  };
  /** What a GiB costs for a month; `undefined` where nobody said. */
  readonly price: { readonly perGibMonth: number; readonly currency: string } | undefined;
}

/** What one value of a label costs. */
export interface CostRow {
  readonly value: string;
  /** Stored series. */
  readonly series: number;
  /** Over the last hour. */
  readonly samplesPerMinute: number;
  /** Over the last day; metrics as they are on the disk, logs and spans as they were accepted. */
  readonly metricBytesPerDay: number;
  readonly logBytesPerDay: number;
  readonly spanBytesPerDay: number;
  readonly bytesPerDay: number;
  /** Of the bytes of all values, from 0 to 1. */
  readonly share: number;
  /** The same day a week earlier; `null` while there is none. */
  readonly weekAgo: { readonly series: number; readonly bytesPerDay: number } | null;
  /** For a month of what is on the disk once as many days have passed as are kept; `null` without a price. */
  readonly moneyPerMonth: number | null;
}

/** What a label costs on metrics of one family. */
export interface SavingRow {
  /** Names of the metrics, such as `vllm:*`. */
  readonly metrics: string;
  readonly label: string;
  /** Stored series that carry it, those that would be fewer without it, and these as a share of the family's. */
  readonly series: number;
  readonly saved: number;
  readonly share: number;
}

/** What is stored, by the values of one label. */
export interface CostView {
  readonly by: CostLabel;
  /** Labels that can be asked for. */
  readonly labels: readonly CostLabel[];
  /** Since when it is counted, milliseconds since the epoch, and how many hours of the last day that covers. */
  readonly sinceMs: number;
  readonly coveredHours: number;
  readonly bytesPerSample: number;
  readonly isMeasured: boolean;
  /** Days kept; `null` for ever, of which money is reckoned for a year. */
  readonly keptDays: { readonly [K in keyof CostTerms['keptDays']]: number | null };
  readonly price: { readonly perGibMonth: number; readonly currency: string } | null;
  readonly total: CostRow;
  /** The dearest first; `(none)` has no such label, and `(others)` are values that found no place. */
  readonly rows: readonly CostRow[];
  /** What the rows beyond the limit come to; `null` where there are none. */
  readonly rest: (CostRow & { readonly values: number }) | null;
  /** Whether some values or combinations of them found no place of their own. */
  readonly isBounded: boolean;
  /** Estimates of what each label would save if it were dropped, the most first. */
  readonly savings: readonly SavingRow[];
  /** One standard error of a count of series within an estimate, as a share; counts up to 128 are exact. */
  readonly savingError: number;
}

/** What is asked for. */
export interface CostOptions {
  readonly by: CostLabel;
  /** Rows of each list, at most. */
  readonly limit: number;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly terms: CostTerms;
}

const DAY_MS = 86_400_000;
const DAY_HOURS = 24;
const WEEK_HOURS = 168;
const GIB = 2 ** 30;
/** Days that money is reckoned for of what is kept for ever. */
const YEAR_DAYS = 365;
/** Labels that hold a metric together; without them its numbers mean nothing. */
const PARTS = new Set(['le', 'quantile']);
const SAVING_ERROR = 0.033;

/** Whether cost is told by a label. */
export function isCostLabel(name: string): name is CostLabel {
  return COST_LABELS.some((label) => label === name);
}

/** What is stored by the values of a label, from counts alone: it costs the same whatever is stored. */
export function costBy(census: Census, { by, limit, nowMs, terms }: CostOptions): CostView {
  const { cost } = census;
  cost.fold(nowMs);
  const window = {
    hour: cost.hour,
    passed: (nowMs % HOUR_MS) / HOUR_MS,
    coveredMs: Math.max(nowMs - cost.sinceMs, 60_000),
  };
  const reckon = (value: CostValue, whole: number) => rowOf(value, whole, window, terms);
  const whole = reckon(cost.total, 0).bytesPerDay;
  const { values } = cost.labels[COST_LABELS.indexOf(by)];
  const rows = values
    .map((value) => reckon(value, whole))
    .filter(({ series, bytesPerDay, weekAgo }) => series > 0 || bytesPerDay > 0 || (weekAgo?.bytesPerDay ?? 0) > 0)
    .sort((a, b) => b.bytesPerDay - a.bytesPerDay || b.series - a.series || (a.value < b.value ? -1 : 1));
  const beyond = rows.slice(limit);
  const { samples, fleetSamples, logs, spans } = terms.keptDays;
  const shown = (days: number): number | null => (Number.isFinite(days) ? days : null);
  return {
    by,
    labels: COST_LABELS,
    sinceMs: cost.sinceMs,
    coveredHours: Math.min(DAY_HOURS, window.coveredMs / HOUR_MS),
    bytesPerSample: terms.bytesPerSample,
    isMeasured: terms.isMeasured,
    keptDays: { samples: shown(samples), fleetSamples: shown(fleetSamples), logs: shown(logs), spans: shown(spans) },
    price: terms.price ?? null,
    total: { ...reckon(cost.total, whole), value: '(all)' },
    rows: rows.slice(0, limit),
    rest: beyond.length === 0 ? null : { ...beyond.reduce(sumOf), value: '(rest)', values: beyond.length },
    isBounded: cost.isFull || rows.some(({ value }) => value === OTHER_VALUES),
    savings: savingsOf(census).slice(0, limit),
    savingError: SAVING_ERROR,
  };
}

/** The rows as CSV with a header, the rest and the total behind them. */
export function printCostCsv({ by, rows, rest, total, price }: CostView): string {
  const money = price ? [`${price.currency}_per_month`] : [];
  const names = ['series', 'samples_per_minute', 'metric_bytes_per_day', 'log_bytes_per_day', 'span_bytes_per_day'];
  const header = [by, ...names, 'bytes_per_day', 'share', 'bytes_per_day_a_week_ago', ...money];
  const lines = [...rows, ...(rest ? [rest] : []), total].map((row) => [
    row.value,
    row.series,
    row.samplesPerMinute.toFixed(1),
    Math.round(row.metricBytesPerDay),
    Math.round(row.logBytesPerDay),
    Math.round(row.spanBytesPerDay),
    Math.round(row.bytesPerDay),
    row.share.toFixed(4),
    row.weekAgo ? Math.round(row.weekAgo.bytesPerDay) : '',
    ...(row.moneyPerMonth === null ? [] : [row.moneyPerMonth.toFixed(2)]),
  ]);
  return [header, ...lines].map((cells) => `${cells.map(csvCell).join(',')}\r\n`).join('');
}

/** RFC 4180; a text that a spreadsheet would run as a formula is made one that it shows. */
function csvCell(value: string | number): string {
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

interface Window {
  /** The hour that is being counted, since the epoch, and how much of it has passed, from 0 to 1. */
  readonly hour: number;
  readonly passed: number;
  readonly coveredMs: number;
}

function rowOf(of: CostValue, whole: number, window: Window, terms: CostTerms): CostRow {
  const { hour, passed, coveredMs } = window;
  const days = Math.min(1, coveredMs / DAY_MS);
  const perDay = (kind: number, before: number): number =>
    lastHours(of.hours, kind, { hour: hour - before, passed, isPast: before > 0, count: DAY_HOURS });
  const bytesOf = (before: number, over: number) => ({
    samples: (perDay(0, before) * terms.bytesPerSample + perDay(2, before)) / over,
    fleetSamples: (perDay(1, before) * terms.bytesPerSample) / over,
    logs: perDay(3, before) / over,
    spans: perDay(4, before) / over,
  });
  const now = bytesOf(0, days);
  const bytesPerDay = now.samples + now.fleetSamples + now.logs + now.spans;
  const hasWeek = coveredMs >= (WEEK_HOURS + DAY_HOURS) * HOUR_MS;
  const then = bytesOf(WEEK_HOURS, 1);
  const minutes = Math.min(60, coveredMs / 60_000);
  const anHour = { hour, passed, isPast: false, count: 1 };
  const lastHour = lastHours(of.hours, 0, anHour) + lastHours(of.hours, 1, anHour);
  return {
    value: of.value,
    series: of.series,
    samplesPerMinute: lastHour / minutes,
    metricBytesPerDay: now.samples + now.fleetSamples,
    logBytesPerDay: now.logs,
    spanBytesPerDay: now.spans,
    bytesPerDay,
    share: whole > 0 ? bytesPerDay / whole : 0,
    weekAgo: hasWeek
      ? {
          series: of.seriesHours[(hour - WEEK_HOURS) % COST_HOURS],
          bytesPerDay: then.samples + then.fleetSamples + then.logs + then.spans,
        }
      : null,
    moneyPerMonth: terms.price ? (keptBytes(now, terms.keptDays) / GIB) * terms.price.perGibMonth : null,
  };
}

/** Bytes on the disk once as many days have passed as are kept. */
function keptBytes(perDay: CostTerms['keptDays'], keptDays: CostTerms['keptDays']): number {
  let bytes = 0;
  for (const kind of ['samples', 'fleetSamples', 'logs', 'spans'] as const)
    bytes += perDay[kind] * (Number.isFinite(keptDays[kind]) ? keptDays[kind] : YEAR_DAYS);
  return bytes;
}

/**
 * What came of a kind in the `count` hours before a moment within an hour, of which `passed` is over.
 * @param isPast whether the hour is over, so that only the part before the moment belongs to it
 */
function lastHours(
  hours: Float64Array,
  kind: number,
  { hour, passed, isPast, count }: { hour: number; passed: number; isPast: boolean; count: number },
): number {
  const at = (back: number): number => hours[kind * COST_HOURS + ((hour - back) % COST_HOURS)];
  let sum = at(0) * (isPast ? passed : 1) + at(count) * (1 - passed);
  for (let back = 1; back < count; back++) sum += at(back);
  return sum;
}

function sumOf(a: CostRow, b: CostRow): CostRow {
  return {
    value: '',
    series: a.series + b.series,
    samplesPerMinute: a.samplesPerMinute + b.samplesPerMinute,
    metricBytesPerDay: a.metricBytesPerDay + b.metricBytesPerDay,
    logBytesPerDay: a.logBytesPerDay + b.logBytesPerDay,
    spanBytesPerDay: a.spanBytesPerDay + b.spanBytesPerDay,
    bytesPerDay: a.bytesPerDay + b.bytesPerDay,
    share: a.share + b.share,
    weekAgo:
      a.weekAgo && b.weekAgo
        ? { series: a.weekAgo.series + b.weekAgo.series, bytesPerDay: a.weekAgo.bytesPerDay + b.weekAgo.bytesPerDay }
        : null,
    moneyPerMonth: a.moneyPerMonth === null || b.moneyPerMonth === null ? null : a.moneyPerMonth + b.moneyPerMonth,
  };
}

/** What dropping a label would save of stored series, by families of metrics, from sketches of the series without it. */
function savingsOf(census: Census): SavingRow[] {
  const stored = new Map<string, number>();
  const found = new Map<string, { metrics: string; label: string; series: number; saved: number }>();
  for (const metric of census.metrics.values()) {
    if (metric.stored === 0) continue;
    const metrics = familyOf(metric.name);
    stored.set(metrics, (stored.get(metrics) ?? 0) + metric.stored);
    for (const [label, { without, stored: series }] of metric.labels) {
      if (!without || PARTS.has(label) || label.startsWith('(')) continue;
      const key = `${metrics} ${label}`;
      const row = found.get(key) ?? { metrics, label, series: 0, saved: 0 };
      row.series += series;
      // Series without it are none of those that it would join.
      row.saved += Math.max(0, series - Math.min(series, without.size));
      found.set(key, row);
    }
  }
  return Array.from(found.values(), (row) => ({ ...row, share: row.saved / (stored.get(row.metrics) ?? 1) }))
    .filter(({ saved }) => saved > 0)
    .sort((a, b) => b.saved - a.saved || (a.metrics < b.metrics ? -1 : 1));
}

/** Names that begin alike: up to the first colon, else up to the first underscore. */
function familyOf(name: string): string {
  const end = /[:_]/.exec(name)?.index;
  return end === undefined || end === 0 ? name : `${name.slice(0, end + 1)}*`;
}
