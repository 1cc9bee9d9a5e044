import { bucketsOf, compactHistogram, equalLabels, type NativeHistogram, printLabels } from '../server/model/index.ts';
import { unquote } from '../server/query/promql/strings.ts';
import { type Point, parseOffset, parsePoints, splitMetric } from './promql-notation.ts';
import type { Answer, AnswerSeries, JsonHistogram, QueryTime } from './promql-target.ts';

/** A message that must occur, exactly or as a regular expression; without either any will do. */
interface Note {
  readonly message: string | undefined;
  readonly regex: RegExp | undefined;
}

/** What the lines under an `eval` say. */
export interface Expectation {
  readonly lines: string[];
  readonly warn: Note[];
  readonly info: Note[];
  fail: Note | undefined;
  noWarn: boolean;
  noInfo: boolean;
  ordered: boolean;
  text: string | undefined;
  /** The times of `expect range vector`. */
  range: QueryTime | undefined;
}

const EXPECT = /^expect\s+(fail|warn|info|no_warn|no_info|ordered|string|range vector)\b\s*(.*)$/;

/** Reads the lines under an `eval`; `old` is the suffix of `eval_fail` and its kin. */
export function parseExpectation(block: readonly string[], old: string | undefined): Expectation {
  const any: Note = { message: undefined, regex: undefined };
  const e: Expectation = {
    lines: [],
    warn: old === '_warn' ? [any] : [],
    info: old === '_info' ? [any] : [],
    fail: old === '_fail' ? any : undefined,
    noWarn: false,
    noInfo: false,
    ordered: old === '_ordered',
    text: undefined,
    range: undefined,
  };
  for (const line of block) {
    const [, what, rest] = EXPECT.exec(line) ?? [];
    if (what === undefined) {
      const [, kind, text] = /^expected_fail_(message|regexp)\s+(.*)$/.exec(line) ?? [];
      if (kind === undefined) e.lines.push(line);
      else e.fail = parseNote(`${kind === 'message' ? 'msg' : 'regex'}:${text}`);
    } else readExpectation(e, what, rest.trim());
  }
  return e;
}

function readExpectation(e: Expectation, what: string, rest: string): void {
  switch (what) {
    case 'fail':
      e.fail = parseNote(rest);
      break;
    case 'warn':
    case 'info':
      e[what].push(parseNote(rest));
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
      e.text = unquote(rest);
      break;
    default: {
      const range = /from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)/.exec(rest);
      if (!range) throw new Error(`not a range: ${rest}`);
      e.range = { startMs: parseOffset(range[1]), endMs: parseOffset(range[2]), stepMs: parseOffset(range[3]) };
    }
  }
}

function parseNote(text: string): Note {
  const [, kind, rest] = /^(msg|regex):\s*(.*)$/.exec(text) ?? [];
  return {
    message: kind === 'msg' ? rest : undefined,
    regex: kind === 'regex' ? new RegExp(rest.replace(/\(\?i\)/, '')) : undefined,
  };
}

/** Whether a failure is the one that was expected; `undefined` where it is. */
export function compareFailure(note: Note, message: string): string | undefined {
  if (fits(note, message)) return undefined;
  return `expected the failure ${note.message ?? note.regex}, got ${message}`;
}

function fits({ message, regex }: Note, text: string): boolean {
  if (message !== undefined) return text.includes(message);
  return regex === undefined || regex.test(text);
}

function compareNotes(kind: string, notes: readonly Note[], none: boolean, got: readonly string[]): string | undefined {
  if (none && got.length > 0) return `unexpected ${got[0]}`;
  for (const note of notes) {
    if (!got.some((text) => fits(note, text))) {
      return `expected ${kind} ${note.message ?? note.regex ?? ''}, got ${got.join(' | ') || 'none'}`;
    }
  }
  return undefined;
}

/** Compares an answer with what was expected; `undefined` where it fits. */
export function compareAnswer(answer: Answer, e: Expectation, time: QueryTime): string | undefined {
  // A remark that a function is experimental is ours alone.
  const infos = answer.infos.filter((info) => !info.includes('is experimental'));
  const notes =
    compareNotes('warning', e.warn, e.noWarn, answer.warnings) ?? compareNotes('info', e.info, e.noInfo, infos);
  if (notes !== undefined) return notes;
  if (e.text !== undefined) return answer.text === e.text ? undefined : `expected another string, got ${answer.text}`;
  if (answer.kind === 'string') return 'got a string';
  const expected = e.lines.map((line) => {
    const bare = /^[-+.\d]|^(NaN|Inf)$/i.test(line) && !line.includes('{') && !/\s/.test(line);
    const { labels, rest } = bare ? { labels: [], rest: line } : splitMetric(line);
    return { labels, points: parsePoints(rest) };
  });
  const got = answer.series.filter(({ points }) => points.size > 0);
  if (got.length !== expected.length) {
    const names = got.map(({ labels }) => printLabels(labels)).slice(0, 4);
    return `expected ${expected.length} series, got ${got.length}: ${names.join(' ')}`;
  }
  const { startMs, stepMs } = e.range ?? time;
  for (let i = 0; i < expected.length; i++) {
    const { labels, points } = expected[i];
    const found = e.ordered ? got[i] : got.find((one) => equalLabels(one.labels, labels));
    if (!found || !equalLabels(found.labels, labels)) {
      return `no series ${printLabels(labels)}; got ${got.map((one) => printLabels(one.labels)).join(' ')}`;
    }
    const problem = comparePoints(points, found, startMs, stepMs);
    if (problem !== undefined) return `${printLabels(labels)} ${problem}`;
  }
  return undefined;
}

function comparePoints(
  points: readonly Point[],
  { points: got }: AnswerSeries,
  startMs: number,
  stepMs: number,
): string | undefined {
  const times = new Set<number>();
  for (let i = 0; i < points.length; i++) {
    const ms = startMs + i * stepMs;
    times.add(ms);
    const problem = comparePoint(points[i], got.get(ms));
    if (problem !== undefined) return `at ${ms / 1000}s: ${problem}`;
  }
  for (const ms of got.keys()) if (!times.has(ms)) return `at ${ms / 1000}s: expected nothing`;
  return undefined;
}

function comparePoint(expected: Point, got: number | NativeHistogram | JsonHistogram | undefined): string | undefined {
  if (expected.kind === 'none') return got === undefined ? undefined : 'expected nothing';
  if (got === undefined) return 'expected a value, got nothing';
  if (expected.kind === 'float') {
    if (typeof got !== 'number') return 'expected a float, got a histogram';
    return close(expected.value, got) ? undefined : `expected ${expected.value}, got ${got}`;
  }
  if (expected.kind !== 'histogram' || typeof got === 'number') return `expected a ${expected.kind}, got a float`;
  if (!('schema' in got)) return compareJson(expected.value, got);
  if (expected.hintGiven && expected.value.counterResetHint !== got.counterResetHint) {
    return `expected the hint ${expected.value.counterResetHint}, got ${got.counterResetHint}`;
  }
  return compareHistograms(compactHistogram(expected.value), compactHistogram(got));
}

function compareHistograms(a: NativeHistogram, b: NativeHistogram): string | undefined {
  if (a.schema !== b.schema) return `expected the schema ${a.schema}, got ${b.schema}`;
  const bounds = [a.customValues ?? [], b.customValues ?? []].map((list) => [...list]);
  if (!closeLists(bounds[0], bounds[1])) return `expected the bounds ${bounds[0]}, got ${bounds[1]}`;
  // The notation writes 0 where it doesn't care about the width of an empty zero bucket.
  const zero = ['zeroThreshold', 'zeroCount'] as const;
  for (const field of ['count', 'sum', ...(a.zeroCount !== 0 || b.zeroCount !== 0 ? zero : [])] as const) {
    if (!close(a[field], b[field])) return `expected ${field} ${a[field]}, got ${b[field]}`;
  }
  for (const side of ['positive', 'negative'] as const) {
    const [ai, bi] = [a[`${side}Indices`], b[`${side}Indices`]].map((list) => [...list]);
    const [ac, bc] = [a[`${side}Counts`], b[`${side}Counts`]].map((list) => [...list]);
    if (!closeLists(ai, bi) || !closeLists(ac, bc)) {
      return `expected the ${side} buckets ${ai}: ${ac}, got ${bi}: ${bc}`;
    }
  }
  return undefined;
}

/** Compares with what an answer shows of a histogram: neither its schema nor its hint. */
function compareJson(expected: NativeHistogram, got: JsonHistogram): string | undefined {
  const numbers = (texts: readonly string[]) => texts.map((text) => Number(text.replace('Inf', 'Infinity')));
  const [count, sum] = numbers([got.count, got.sum]);
  if (!close(expected.count, count)) return `expected count ${expected.count}, got ${count}`;
  if (!close(expected.sum, sum)) return `expected sum ${expected.sum}, got ${sum}`;
  const wanted = bucketsOf(expected).filter((bucket) => bucket.count !== 0);
  const found = (got.buckets ?? []).map(([, ...bucket]) => numbers(bucket));
  const fits = wanted.every(({ lower, upper, count: size }, i) => closeLists([lower, upper, size], found[i] ?? []));
  if (fits && wanted.length === found.length) return undefined;
  const text = wanted.map(({ lower, upper, count: size }) => `(${lower}, ${upper}] ${size}`).join(' ');
  return `expected the buckets ${text}, got ${found.map(([l, u, c]) => `(${l}, ${u}] ${c}`).join(' ')}`;
}

function closeLists(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => close(value, b[i]));
}

/** Equal within Prometheus's relative tolerance of 1e-6; NaN equals NaN. */
function close(a: number, b: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b);
  if (a === b) return true;
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || Math.abs(a) + Math.abs(b) < 2.3e-308) return difference < 1e-6 * 2.3e-308;
  return difference / Math.min(Math.abs(a) + Math.abs(b), Number.MAX_VALUE) < 1e-6;
}
