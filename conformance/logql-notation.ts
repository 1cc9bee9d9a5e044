import { type Labels, type LogEntry, labelsFromRecord } from '../server/model/index.ts';
import { parseDurationNs } from '../server/query/logql/literal.ts';

/** What an `eval` expects. */
export type Expectation =
  | {
      readonly kind: 'series';
      readonly ordered: boolean;
      readonly series: readonly { labels: Labels; points: readonly (number | undefined)[] }[];
    }
  | { readonly kind: 'scalar'; readonly value: number }
  | { readonly kind: 'empty' }
  | { readonly kind: 'fail'; readonly message?: string; readonly pattern?: RegExp };

/** One `eval` of a script; times are nanoseconds since the epoch. */
export interface Evaluation {
  readonly line: number;
  readonly query: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** 0 for an instant query. */
  readonly stepNs: bigint;
  readonly expected: Expectation;
  /** Lines loaded before it. */
  readonly entries: readonly LogEntry[];
}

/** Reads a script in logqltest notation (`load`, `clear`, `eval`). @throws Error with the line's number. */
export function parseScript(text: string): Evaluation[] {
  const lines = text.split('\n');
  const evaluations: Evaluation[] = [];
  let entries: LogEntry[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at].trim();
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('clear')) entries = [];
    else if (line.startsWith('load')) {
      // A new array, because evaluations before keep theirs.
      const block = takeBlock(lines, at);
      entries = [...entries, ...block.flatMap((load, i) => (load.startsWith('#') ? [] : parseLoad(load, at + i + 2)))];
      at += block.length;
    } else if (line.startsWith('eval ')) {
      const number = at + 1;
      const block: string[] = [];
      while (isBlockLine(lines[at + 1])) block.push(lines[++at].trim());
      evaluations.push({
        ...parseEval(line, number),
        expected: parseExpectation(block, number),
        line: number,
        entries,
      });
    } else throw new Error(`line ${at + 1}: unknown command ${JSON.stringify(line)}`);
  }
  return evaluations;
}

function isBlockLine(line: string | undefined): boolean {
  return line !== undefined && /^\s+\S/.test(line);
}

function takeBlock(lines: readonly string[], at: number): string[] {
  let end = at + 1;
  while (isBlockLine(lines[end])) end++;
  return lines.slice(at + 1, end).map((line) => line.trim());
}

const LOAD =
  /^(\{.*?\})\s+(?:"([^"]*)"|`([^`]*)`)\s+@\s+(\S+)(?:\s+\[repeat every (\S+) for (\d+)\])?(?:\s+\[metadata ([^\]]*)\])?\s*(?:#.*)?$/;

function parseLoad(text: string, number: number): LogEntry[] {
  const match = LOAD.exec(text);
  if (!match) throw new Error(`line ${number}: not a load line: ${text}`);
  const [, selector, quoted, raw, start, every, count, metadata] = match;
  const stream = labelsFromRecord(Object.fromEntries(parsePairs(selector)));
  const pairs = parsePairs(metadata ?? '').sort(([a], [b]) => (a < b ? -1 : 1));
  const step = every === undefined ? 0n : duration(every, number);
  return Array.from({ length: count === undefined ? 1 : Number(count) }, (_, i) => ({
    stream,
    timestampNs: duration(start, number) + BigInt(i) * step,
    line: (quoted ?? raw).replaceAll('{{.i}}', String(i)),
    metadata: pairs.flat(),
  }));
}

function parsePairs(text: string): [string, string][] {
  return [...text.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [
    name,
    JSON.parse(`"${value}"`) as string,
  ]);
}

function duration(text: string, number: number): bigint {
  const ns = text === '0' ? 0n : parseDurationNs(text);
  if (ns === undefined) throw new Error(`line ${number}: not a time: ${text}`);
  return ns;
}

function parseEval(line: string, number: number): Pick<Evaluation, 'query' | 'startNs' | 'endNs' | 'stepNs'> {
  const instant = /^eval instant at (\S+) (.+)$/.exec(line);
  if (instant) {
    const at = duration(instant[1], number);
    return { query: instant[2], startNs: at, endNs: at, stepNs: 0n };
  }
  const range = /^eval range from (\S+) to (\S+) step (\S+) (.+)$/.exec(line);
  if (!range) throw new Error(`line ${number}: not an eval: ${line}`);
  return {
    query: range[4],
    startNs: duration(range[1], number),
    endNs: duration(range[2], number),
    stepNs: duration(range[3], number),
  };
}

function parseExpectation(block: readonly string[], number: number): Expectation {
  const lines = block.filter((line) => !line.startsWith('skip '));
  const fail = /^expect fail(?:\s+(msg|regex):\s*(.*))?$/.exec(lines[0] ?? '');
  if (fail) {
    if (fail[1] === 'regex') return { kind: 'fail', pattern: new RegExp(fail[2]) };
    return { kind: 'fail', message: fail[2] };
  }
  if (/^expect empty\b/.test(lines[0] ?? '')) return { kind: 'empty' };
  const ordered = lines.includes('expect ordered');
  const values = lines.filter((line) => !line.startsWith('expect '));
  // An expectation that was forgotten must not pass for one that was met.
  if (values.length === 0) throw new Error(`line ${number}: an eval without an expectation`);
  if (!values[0].startsWith('{')) return { kind: 'scalar', value: number_(values[0].split(/\s/)[0]) };
  return {
    kind: 'series',
    ordered,
    series: values.map((line) => {
      const match = /^(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})\s+([^#]*)/.exec(line);
      if (!match) throw new Error(`line ${number}: not an expected series: ${line}`);
      const labels = parsePairs(match[1])
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flat();
      const points = match[2]
        .trim()
        .split(/\s+/)
        .map((point) => (point === '_' ? undefined : number_(point)));
      return { labels, points };
    }),
  };
}

function number_(text: string): number {
  if (/^[+-]?Inf$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return text === 'NaN' ? Number.NaN : Number(text);
}
