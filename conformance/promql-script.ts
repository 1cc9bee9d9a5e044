import {
  addHistograms,
  equalLabels,
  type Labels,
  labelsKey,
  type NativeHistogram,
  printLabels,
} from '../server/model/index.ts';
import { type PromResult, queryPromql } from '../server/query/promql/index.ts';
import { MemoryMetricReader } from '../server/query/promql/memory-reader.ts';
import { customBucketSeries } from './promql-nhcb.ts';
import {
  type Point,
  parseFloatGo,
  parseOffset,
  parsePoints,
  parseSeriesLine,
  splitMetric,
  toSamples,
} from './promql-notation.ts';

/** What one `eval` came to. */
export interface CaseResult {
  readonly line: number;
  readonly query: string;
  /** `undefined` where it passed. */
  readonly failure: string | undefined;
}

interface Expectation {
  readonly lines: string[];
  fail: boolean;
  warn: boolean;
  info: boolean;
  noWarn: boolean;
  noInfo: boolean;
  ordered: boolean;
  text: string | undefined;
  /** A range vector starting at some time. */
  rangeFrom: { startMs: number; stepMs: number } | undefined;
  message: string | undefined;
  regex: string | undefined;
}

/** Runs a script (`load`, `clear`, `eval`) in process. */
export async function runScript(text: string): Promise<CaseResult[]> {
  let reader = new MemoryMetricReader();
  const loaded = new Map<string, { labels: Labels; points: Point[]; intervalMs: number }>();
  const results: CaseResult[] = [];
  const lines = text.split('\n').map((line) => line.replace(/\t/g, ' '));
  for (let i = 0; i < lines.length; ) {
    const line = lines[i].trim();
    const number = i + 1;
    i++;
    if (line === '' || line.startsWith('#')) continue;
    const block: string[] = [];
    while (i < lines.length && (/^\s+\S/.test(lines[i]) || lines[i].trim().startsWith('#'))) {
      const inner = lines[i].trim();
      if (!inner.startsWith('#')) block.push(inner);
      i++;
    }
    if (line === 'clear') {
      reader = new MemoryMetricReader();
      loaded.clear();
    } else if (line.startsWith('load')) {
      const [command, interval] = line.split(/\s+/);
      if (command !== 'load' && command !== 'load_with_nhcb') {
        results.push({ line: number, query: line, failure: `${command} is not supported by the runner` });
        continue;
      }
      const series = block.map(parseSeriesLine);
      if (command === 'load_with_nhcb') series.push(...customBucketSeries(series));
      for (const { labels, points } of series) {
        loaded.set(labelsKey(labels), { labels, points, intervalMs: parseOffset(interval) });
      }
      reader = new MemoryMetricReader();
      for (const { labels, points, intervalMs } of loaded.values()) reader.add(toSamples(labels, points, intervalMs));
    } else if (line.startsWith('eval')) {
      results.push(await runEval(line, block, number, reader));
    } else {
      results.push({ line: number, query: line, failure: 'unknown command' });
    }
  }
  return results;
}

async function runEval(line: string, block: string[], number: number, reader: MemoryMetricReader): Promise<CaseResult> {
  const match =
    /^eval(_fail|_warn|_info|_ordered)?\s+(?:instant\s+at\s+(\S+)|range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+))\s+(.*)$/.exec(
      line,
    );
  if (!match) return { line: number, query: line, failure: 'not an eval' };
  const [, old, at, from, to, step, query] = match;
  const expectation = parseExpectation(block, old);
  const options = at
    ? { startMs: parseOffset(at), endMs: parseOffset(at), stepMs: 0 }
    : { startMs: parseOffset(from), endMs: parseOffset(to), stepMs: parseOffset(step) };
  let failure: string | undefined;
  try {
    const result = await queryPromql(query, options, reader);
    failure = expectation.fail
      ? `expected a failure, got ${result.value.kind}`
      : compare(result, expectation, options.startMs, options.stepMs);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!expectation.fail) failure = `failed: ${message}`;
    else if (expectation.message !== undefined && !message.includes(expectation.message)) {
      failure = `expected the message ${expectation.message}, got ${message}`;
    }
  }
  return { line: number, query, failure };
}

function parseExpectation(block: string[], old: string | undefined): Expectation {
  const e: Expectation = {
    lines: [],
    fail: old === '_fail',
    warn: old === '_warn',
    info: old === '_info',
    noWarn: false,
    noInfo: false,
    ordered: old === '_ordered',
    text: undefined,
    rangeFrom: undefined,
    message: undefined,
    regex: undefined,
  };
  for (const line of block) {
    const expected =
      /^(?:expect\s+(fail|warn|info|no_warn|no_info|ordered|string|range vector)|(expected_fail_message|expected_fail_regexp))\b\s*(.*)$/.exec(
        line,
      );
    if (!expected) {
      e.lines.push(line);
      continue;
    }
    const rest = expected[3].trim();
    const message = /^msg:\s*(.*)$/.exec(rest)?.[1] ?? (expected[2] === 'expected_fail_message' ? rest : undefined);
    switch (expected[1]) {
      case 'fail':
        e.fail = true;
        e.message = message;
        break;
      case 'warn':
        e.warn = true;
        break;
      case 'info':
        e.info = true;
        break;
      case 'no_warn':
        e.noWarn = true;
        break;
      case 'no_info':
        e.noInfo = true;
        break;
      case 'ordered':
        e.ordered = true;
        break;
      case 'string':
        e.text = JSON.parse(
          rest.startsWith("'") || rest.startsWith('`') ? JSON.stringify(rest.slice(1, -1)) : rest,
        ) as string;
        break;
      case 'range vector': {
        const range = /from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)/.exec(rest);
        if (range) e.rangeFrom = { startMs: parseOffset(range[1]), stepMs: parseOffset(range[3]) };
        break;
      }
      default:
        e.message = message;
    }
  }
  return e;
}

function compare(result: PromResult, e: Expectation, startMs: number, stepMs: number): string | undefined {
  // A remark that a function is experimental is ours alone.
  const infos = result.infos.filter((info) => !info.includes('is experimental'));
  if (e.warn && result.warnings.length === 0) return 'expected a warning';
  if (e.info && infos.length === 0) return 'expected an info';
  if (e.noWarn && result.warnings.length > 0) return `unexpected ${result.warnings[0]}`;
  if (e.noInfo && infos.length > 0) return `unexpected ${infos[0]}`;
  const { value } = result;
  if (e.text !== undefined)
    return value.kind === 'string' && value.value === e.text ? undefined : 'expected another string';
  if (value.kind === 'string') return 'got a string';
  if (value.kind === 'scalar') {
    const expected = e.lines.length === 1 ? parseFloatGo(e.lines[0]) : Number.NaN;
    if (result.kind === 'instant')
      return close(expected, value.values[0]) ? undefined : `expected ${expected}, got ${value.values[0]}`;
  }
  const got =
    value.kind === 'scalar'
      ? [
          {
            labels: [] as Labels,
            points: new Map(Array.from(value.values, (v, i) => [startMs + i * stepMs, v as number | NativeHistogram])),
          },
        ]
      : value.series.map((series) => ({ labels: series.labels, points: pointsOf(series, startMs, stepMs) }));
  const expected = e.lines.map((line) => {
    const { labels, rest } =
      /^[-+.\d]|^(NaN|Inf)$/i.test(line) && !line.includes('{') && !/\s/.test(line)
        ? { labels: [], rest: line }
        : splitMetric(line);
    return { labels, points: parsePoints(rest) };
  });
  if (got.length !== expected.length)
    return `expected ${expected.length} series, got ${got.length}: ${got
      .map((g) => printLabels(g.labels))
      .slice(0, 4)
      .join(' ')}`;
  const range = e.rangeFrom ?? { startMs, stepMs };
  for (let i = 0; i < expected.length; i++) {
    const found = e.ordered ? got[i] : got.find((g) => equalLabels(g.labels, expected[i].labels));
    if (!found || !equalLabels(found.labels, expected[i].labels))
      return `no series ${printLabels(expected[i].labels)}; got ${got
        .map((g) => printLabels(g.labels))
        .slice(0, 4)
        .join(' ')}`;
    for (let p = 0; p < expected[i].points.length; p++) {
      const at = range.startMs + p * range.stepMs;
      const problem = comparePoint(expected[i].points[p], found.points.get(at));
      if (problem) return `${printLabels(expected[i].labels)} at ${at / 1000}s: ${problem}`;
    }
  }
  return undefined;
}

interface AnySeries {
  readonly labels: Labels;
  readonly values: Float64Array;
  readonly histograms: readonly (NativeHistogram | undefined)[] | undefined;
  readonly has?: Uint8Array;
  readonly timestamps?: Float64Array;
}

function pointsOf(series: AnySeries, startMs: number, stepMs: number): Map<number, number | NativeHistogram> {
  const points = new Map<number, number | NativeHistogram>();
  for (let i = 0; i < series.values.length; i++) {
    if (series.has && !series.has[i]) continue;
    points.set(series.timestamps?.[i] ?? startMs + i * stepMs, series.histograms?.[i] ?? series.values[i]);
  }
  return points;
}

function comparePoint(expected: Point, got: number | NativeHistogram | undefined): string | undefined {
  if (expected.kind === 'none') return got === undefined ? undefined : 'expected nothing';
  if (got === undefined) return 'expected a value, got nothing';
  if (expected.kind === 'float') {
    if (typeof got !== 'number') return 'expected a float, got a histogram';
    return close(expected.value, got) ? undefined : `expected ${expected.value}, got ${got}`;
  }
  if (expected.kind !== 'histogram' || typeof got === 'number') return `expected a ${expected.kind}, got a float`;
  const difference = addHistograms(expected.value, got, -1);
  if (!difference || expected.value.schema !== got.schema) return 'expected another histogram (layout)';
  const sizes = [expected.value.count, expected.value.sum, expected.value.zeroCount];
  const parts = [got.count, got.sum, got.zeroCount];
  for (let i = 0; i < parts.length; i++)
    if (!close(sizes[i], parts[i])) return `expected ${['count', 'sum', 'zero count'][i]} ${sizes[i]}, got ${parts[i]}`;
  const tolerance = 1e-6 * Math.max(1, Math.abs(expected.value.count));
  if ([...difference.positiveCounts, ...difference.negativeCounts].some((c) => Math.abs(c) > tolerance))
    return 'expected other bucket counts';
  if (expected.hintGiven && expected.value.counterResetHint !== got.counterResetHint)
    return `expected the hint ${expected.value.counterResetHint}, got ${got.counterResetHint}`;
  return undefined;
}

/** Equal within Prometheus's relative tolerance of 1e-6; NaN equals NaN. */
function close(a: number, b: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b);
  if (a === b) return true;
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || Math.abs(a) + Math.abs(b) < 2.3e-308) return difference < 1e-6 * 2.3e-308;
  return difference / Math.min(Math.abs(a) + Math.abs(b), Number.MAX_VALUE) < 1e-6;
}
