import {
  bitsOf,
  type CounterResetHint,
  type Labels,
  labelsFromPairs,
  type NativeHistogram,
  parseDurationMs,
  type SeriesSamples,
  scaleHistogram,
  setStale,
  sumHistograms,
} from '../server/model/index.ts';
import { parsePromql } from '../server/query/promql/index.ts';

/** A point of a series in a script: nothing, a staleness marker, a float or a histogram. */
export type Point =
  | { kind: 'none' }
  | { kind: 'stale' }
  | { kind: 'float'; value: number }
  | { kind: 'histogram'; value: NativeHistogram; hintGiven: boolean };

/** A series as scripts write it: `metric{a="b"} 1 2 _ 3+1x4`. */
export interface SeriesLine {
  readonly labels: Labels;
  readonly points: Point[];
}

/** Reads a series line. */
export function parseSeriesLine(line: string): SeriesLine {
  const { labels, rest } = splitMetric(line);
  return { labels, points: parsePoints(rest) };
}

/** The label set in front of a line and what comes after it. */
export function splitMetric(line: string): { labels: Labels; rest: string } {
  let i = 0;
  while (i < line.length && !/[\s{]/.test(line[i])) i++;
  let end = i;
  if (line[i] === '{') {
    let quote = '';
    for (end = i + 1; end < line.length; end++) {
      const c = line[end];
      if (quote !== '') {
        if (c === '\\' && quote !== '`') end++;
        else if (c === quote) quote = '';
      } else if (c === '"' || c === "'" || c === '`') quote = c;
      else if (c === '}') break;
    }
    end++;
  }
  const metric = line.slice(0, end);
  const rest = line.slice(end).trim();
  if (metric === '{}') return { labels: [], rest };
  // A selector needs a matcher that isn't empty, so one that is removed again is added.
  const open = metric.includes('{') ? metric.replace(/,?\s*\}$/, '') : `${metric}{`;
  const expr = parsePromql(`${open}${open.endsWith('{') ? '' : ','}__all__=~".+"}`);
  if (expr.kind !== 'selector') throw new Error(`not a series: ${metric}`);
  const pairs = expr.matchers.filter((m) => m.name !== '__all__').map((m) => [m.name, m.value] as const);
  return { labels: labelsFromPairs(pairs), rest };
}

/** Reads points: numbers, `_`, `stale`, expansions `a+bxn`, and native histograms in double braces. */
export function parsePoints(text: string): Point[] {
  const out: Point[] = [];
  let rest = text.trim();
  while (rest !== '') {
    if (rest.startsWith('{{')) {
      const close = rest.indexOf('}}') + 2;
      const first = parseHistogram(rest.slice(2, close - 2));
      rest = rest.slice(close);
      const step = /^([+-])\{\{(.*?)\}\}x(\d+)/.exec(rest);
      const times = /^x(\d+)/.exec(rest);
      if (step) {
        const delta = parseHistogram(step[2]).value;
        let value = first.value;
        out.push({ kind: 'histogram', ...first });
        for (let i = 0; i < Number(step[3]); i++) {
          const sum = sumHistograms([value, step[1] === '+' ? delta : scaleHistogram(delta, -1)])?.value;
          if (!sum) throw new Error('histograms of an expansion do not fit');
          value = { ...sum, counterResetHint: first.value.counterResetHint };
          out.push({ kind: 'histogram', value, hintGiven: first.hintGiven });
        }
        rest = rest.slice(step[0].length).trim();
      } else if (times) {
        for (let i = 0; i <= Number(times[1]); i++) out.push({ kind: 'histogram', ...first });
        rest = rest.slice(times[0].length).trim();
      } else {
        out.push({ kind: 'histogram', ...first });
        rest = rest.trim();
      }
      continue;
    }
    const [token] = rest.split(/\s+/, 1);
    rest = rest.slice(token.length).trim();
    out.push(...parseFloats(token));
  }
  return out;
}

const NUMBER =
  '[+-]?(?:\\d[\\d_]*\\.?\\d*(?:[eE][+-]?\\d+)?|\\.\\d+(?:[eE][+-]?\\d+)?|0x[0-9a-fA-F]+|[iI]nf|[nN]a[nN]|NAN|INF)';

function parseFloats(token: string): Point[] {
  const gap = /^_(?:x(\d+))?$/.exec(token);
  if (gap) return Array.from({ length: Number(gap[1] ?? 1) }, () => ({ kind: 'none' as const }));
  if (token === 'stale') return [{ kind: 'stale' }];
  const series = new RegExp(`^(${NUMBER})(?:([+-])(${NUMBER}))?(?:x(\\d+))?$`).exec(token);
  if (!series) throw new Error(`not a value: ${token}`);
  const start = parseFloatGo(series[1]);
  const step = series[3] === undefined ? 0 : parseFloatGo(series[3]) * (series[2] === '-' ? -1 : 1);
  const count = series[4] === undefined ? 1 : Number(series[4]) + 1;
  return Array.from({ length: count }, (_, i) => ({
    kind: 'float' as const,
    value: i === 0 ? start : start + step * i,
  }));
}

/** A float as Go reads it. */
export function parseFloatGo(text: string): number {
  const lower = text.toLowerCase();
  if (/^\+?inf$/.test(lower)) return Infinity;
  if (lower === '-inf') return -Infinity;
  if (/^[+-]?nan$/.test(lower)) return Number.NaN;
  return Number(text.replaceAll('_', ''));
}

function parseHistogram(text: string): { value: NativeHistogram; hintGiven: boolean } {
  const fields = new Map<string, string>();
  for (const [, key, value] of text.matchAll(/(\w+):(\[[^\]]*\]|\S+)/g)) fields.set(key, value);
  const number = (key: string) => parseFloatGo(fields.get(key) ?? '0');
  const list = (key: string) =>
    (fields.get(key) ?? '[]')
      .slice(1, -1)
      .trim()
      .split(/\s+/)
      .filter((v) => v !== '')
      .map(parseFloatGo);
  const sparse = (buckets: number[], offset: number) => ({
    indices: Int32Array.from(buckets, (_, i) => i + offset),
    counts: Float64Array.from(buckets),
  });
  const schema = number('schema');
  const positive = sparse(list('buckets'), number('offset'));
  const negative = sparse(list('n_buckets'), number('n_offset'));
  const hint = (fields.get('counter_reset_hint') ?? 'unknown').replace('not_reset', 'no_reset') as CounterResetHint;
  const value: NativeHistogram = {
    schema,
    zeroThreshold: fields.has('z_bucket_w') ? number('z_bucket_w') : 0,
    zeroCount: number('z_bucket'),
    count: number('count'),
    sum: number('sum'),
    positiveIndices: positive.indices,
    positiveCounts: positive.counts,
    negativeIndices: negative.indices,
    negativeCounts: negative.counts,
    customValues: schema === -53 ? Float64Array.from(list('custom_values')) : undefined,
    counterResetHint: hint,
  };
  return { value, hintGiven: fields.has('counter_reset_hint') };
}

/** Points by time in milliseconds, ascending, as the columns of a series. */
export function toSamples(labels: Labels, points: readonly (readonly [number, Point])[]): SeriesSamples {
  const values = new Float64Array(points.length);
  const bits = bitsOf(values);
  const histograms = points.map(([, point]) => (point.kind === 'histogram' ? point.value : undefined));
  points.forEach(([, point], i) => {
    if (point.kind === 'float') values[i] = point.value;
    if (point.kind === 'stale') setStale(bits, i);
  });
  return {
    labels,
    timestamps: Float64Array.from(points, ([ms]) => ms),
    values,
    histograms: histograms.some((h) => h) ? histograms : undefined,
  };
}

/** `5m`, or a number of seconds. */
export function parseOffset(text: string): number {
  return /^[\d.]+$/.test(text) ? Number(text) * 1000 : parseDurationMs(text);
}
