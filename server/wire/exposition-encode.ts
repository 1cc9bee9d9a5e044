import {
  type Exemplar,
  isPlainLabelName,
  isPlainMetricName,
  type Labels,
  labelValue,
  METRIC_NAME,
  type MetricType,
  type NativeHistogram,
} from '../model/index.ts';
import { encodeMetricFamilies } from './exposition-encode-protobuf.ts';
import { goNumber } from './exposition-number.ts';
import { type EscapingScheme, escapeName } from './name-escaping.ts';
import type { NegotiatedExposition } from './scrape-negotiation.ts';

/** One series of a family, with one point. */
export interface ExposedSeries {
  /** All labels, the name among them: that of the family, or of its part (`…_bucket`). */
  readonly labels: Labels;
  /** Meaningless where there is a histogram. */
  readonly value: number;
  readonly histogram?: NativeHistogram;
  /** Milliseconds since the epoch; the asker's own clock counts where it is left out. */
  readonly timestampMs?: number;
  /** Milliseconds since the epoch from which it counts. Text formats say it of OpenMetrics' counters only. */
  readonly startMs?: number;
  readonly exemplar?: Exemplar;
}

/** What is exposed of one metric. */
export interface ExposedFamily {
  /** The metric's name; a counter's with `_total` if its series have it. */
  readonly name: string;
  readonly type: MetricType;
  readonly help?: string;
  readonly unit?: string;
  readonly series: readonly ExposedSeries[];
}

/** An encoded exposition. */
export interface EncodedExposition {
  readonly body: Uint8Array;
  /** Native histograms that the format can't hold, and that aren't in it: only protobuf can. */
  readonly skippedHistograms: number;
}

/** Types that the text format has no word for. */
const TEXT_TYPES: Readonly<Record<MetricType, string>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  summary: 'summary',
  gaugehistogram: 'histogram',
  info: 'gauge',
  stateset: 'gauge',
  unknown: 'untyped',
};

/**
 * Encodes families in the negotiated format. Families are written in their order, each once; series that belong together
 * (the parts of a histogram with one label set) must follow each other.
 */
export function encodeExposition(
  families: Iterable<ExposedFamily>,
  format: Pick<NegotiatedExposition, 'protocol' | 'escaping'>,
): EncodedExposition {
  switch (format.protocol) {
    case 'PrometheusProto':
      return { body: encodeMetricFamilies(families, format.escaping), skippedHistograms: 0 };
    case 'OpenMetricsText1.0.0':
    case 'OpenMetricsText0.0.1':
      return encodeText(families, format.escaping, true);
    case 'PrometheusText1.0.0':
    case 'PrometheusText0.0.4':
      return encodeText(families, format.escaping, false);
  }
}

function encodeText(
  families: Iterable<ExposedFamily>,
  escaping: EscapingScheme,
  openMetrics: boolean,
): EncodedExposition {
  const parts: string[] = [];
  let skippedHistograms = 0;
  for (const family of families) {
    const lines: string[] = [];
    for (const series of family.series) {
      if (series.histogram !== undefined) skippedHistograms++;
      else lines.push(seriesLine(series, escaping, openMetrics));
    }
    // A family of nothing but native histograms isn't in a format that has none.
    if (lines.length === 0 && family.series.length > 0) continue;
    parts.push(openMetrics ? describeOpenMetrics(family, escaping) : describeText(family, escaping), ...lines);
  }
  if (openMetrics) parts.push('# EOF\n');
  return { body: Buffer.from(parts.join('')), skippedHistograms };
}

function describeText({ name, type, help }: ExposedFamily, escaping: EscapingScheme): string {
  const printed = printName(escapeName(name, escaping));
  const helped = help === undefined || help === '' ? '' : `# HELP ${printed} ${escapeHelp(help)}\n`;
  return `${helped}# TYPE ${printed} ${TEXT_TYPES[type]}\n`;
}

/**
 * OpenMetrics names a counter's family without `_total` and wants it on every sample; a counter without it is `unknown`,
 * as client libraries do. A unit that doesn't end the name can't be said.
 */
function describeOpenMetrics({ name, type, help, unit }: ExposedFamily, escaping: EscapingScheme): string {
  const isCounter = type === 'counter' && name.endsWith('_total');
  const family = isCounter ? name.slice(0, -6) : name;
  const printed = printName(escapeName(family, escaping));
  let out = `# TYPE ${printed} ${type === 'counter' && !isCounter ? 'unknown' : type}\n`;
  if (unit !== undefined && unit !== '' && escapeName(family, escaping).endsWith(`_${unit}`)) {
    out += `# UNIT ${printed} ${unit}\n`;
  }
  if (help !== undefined && help !== '') out += `# HELP ${printed} ${escapeValue(help)}\n`;
  return out;
}

function seriesLine(series: ExposedSeries, escaping: EscapingScheme, openMetrics: boolean): string {
  const key = printSeries(series.labels, escaping);
  let line = `${key} ${goNumber(series.value)}`;
  if (series.timestampMs !== undefined) {
    line += ` ${openMetrics ? seconds(series.timestampMs) : String(series.timestampMs)}`;
  }
  if (!openMetrics) return `${line}\n`;
  if (series.exemplar !== undefined) {
    const { labels, value, timestampMs } = series.exemplar;
    line += ` # {${printPairs(labels, escaping)}} ${goNumber(value)} ${seconds(timestampMs)}`;
  }
  if (series.startMs === undefined || series.startMs <= 0) return `${line}\n`;
  const name = labelValue(series.labels, METRIC_NAME);
  if (!name.endsWith('_total')) return `${line}\n`;
  const created = series.labels.map((text, i) =>
    i % 2 === 1 && series.labels[i - 1] === METRIC_NAME ? `${name.slice(0, -6)}_created` : text,
  );
  return `${line}\n${printSeries(created, escaping)} ${seconds(series.startMs)}\n`;
}

/** `name{label="value"}`, or `{"name",label="value"}` for names that need quotes. */
function printSeries(labels: Labels, escaping: EscapingScheme): string {
  const name = escapeName(labelValue(labels, METRIC_NAME), escaping);
  const pairs = printPairs(labels, escaping);
  if (name === '' || isPlainMetricName(name)) return pairs === '' ? name : `${name}{${pairs}}`;
  return `{"${escapeValue(name)}"${pairs === '' ? '' : `,${pairs}`}}`;
}

function printPairs(labels: Labels, escaping: EscapingScheme): string {
  let out = '';
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === METRIC_NAME) continue;
    const name = escapeName(labels[i], escaping);
    const printed = isPlainLabelName(name) ? name : `"${escapeValue(name)}"`;
    out += `${out === '' ? '' : ','}${printed}="${escapeValue(labels[i + 1])}"`;
  }
  return out;
}

function printName(name: string): string {
  return isPlainMetricName(name) ? name : `"${escapeValue(name)}"`;
}

function escapeValue(text: string): string {
  return /[\\"\n]/.test(text) ? text.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`)) : text;
}

function escapeHelp(text: string): string {
  return /[\\\n]/.test(text) ? text.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\')) : text;
}

/** Seconds with as many decimals as the milliseconds need. */
function seconds(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const size = Math.abs(ms);
  const rest = size % 1000;
  const whole = sign + String((size - rest) / 1000);
  return rest === 0 ? whole : `${whole}.${String(rest).padStart(3, '0').replace(/0+$/, '')}`;
}
