import { labelNameOf, type WantedLabels } from '../label-name.ts';
import type { LineState } from '../line-state.ts';

/** What a scan of `key=value` pairs found wrong last; the reason doesn't quote the line. */
interface Problem {
  reason: string;
}

/** Calls `visit` with the pairs of a line until it returns false. A bad pair is left out, or ends the scan if `strict`. */
function eachPair(line: string, strict: boolean, problem: Problem, visit: (key: string, value: string) => void): void {
  let at = 0;
  const end = line.length;
  while (at < end) {
    if (line.charCodeAt(at) <= 0x20) {
      at++;
      continue;
    }
    const start = at;
    let code = 0;
    while (at < end && (code = line.charCodeAt(at)) > 0x20 && code !== 0x3d && code !== 0x22) at++;
    let bad = '';
    let value = '';
    const keyEnd = at;
    if (at < end && code === 0x22) bad = 'a quote in a key';
    else if (keyEnd === start) bad = 'a value without a key';
    else if (at < end && code === 0x3d) {
      at++;
      if (line.charCodeAt(at) === 0x22) {
        const close = closingQuote(line, at);
        const text = close < 0 ? undefined : unquoteValue(line, at, close);
        if (close < 0) bad = 'a quoted value without an end';
        else if (text === undefined) bad = 'a bad escape in a quoted value';
        else value = text;
        if (close >= 0) at = close + 1;
      } else {
        const valueStart = at;
        while (at < end && (code = line.charCodeAt(at)) > 0x20 && code !== 0x3d && code !== 0x22) at++;
        if (at < end && code > 0x20) bad = `an unexpected ${code === 0x3d ? '=' : 'quote'} in a value`;
        else value = line.slice(valueStart, at);
      }
    }
    if (bad === '') visit(line.slice(start, keyEnd), value);
    else {
      problem.reason = `logfmt syntax error at pos ${at + 1}: ${bad}`;
      if (strict) return;
      while (at < end && line.charCodeAt(at) > 0x20) at++;
    }
  }
}

function closingQuote(line: string, open: number): number {
  for (let at = open + 1; at < line.length; at++) {
    const code = line.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x22) return at;
  }
  return -1;
}

function unquoteValue(line: string, open: number, close: number): string | undefined {
  const inner = line.slice(open + 1, close);
  if (!inner.includes('\\')) return inner;
  try {
    return JSON.parse(`"${inner.replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`) as string;
  } catch {
    return undefined;
  }
}

/** How a logfmt stage treats bad pairs and empty values. */
export interface LogfmtOptions {
  /** A bad pair fails the line with `LogfmtParserErr` instead of being left out. */
  readonly strict: boolean;
  /** Keys without a value become labels with an empty one. */
  readonly keepEmpty: boolean;
}

/** Sets a label for every `key=value` of the line. */
export function extractLogfmt(state: LineState, options: LogfmtOptions, wanted: WantedLabels): void {
  const problem = { reason: '' };
  eachPair(state.line, options.strict, problem, (key, value) => {
    if (value === '' && !options.keepEmpty) return;
    const name = labelNameOf(key, true);
    if (name !== '' && wanted.has(name)) state.extract(name, value);
  });
  if (options.strict && problem.reason !== '') state.fail('LogfmtParserErr', problem.reason);
}

/** Sets a label for each wanted key; one that the line doesn't have gets an empty value. */
export function extractLogfmtKeys(
  state: LineState,
  options: LogfmtOptions,
  names: readonly string[],
  keys: readonly string[],
): void {
  const problem = { reason: '' };
  const found: (string | undefined)[] = names.map(() => undefined);
  eachPair(state.line, options.strict, problem, (key, value) => {
    const name = labelNameOf(key, true);
    for (let i = 0; i < keys.length; i++) if (keys[i] === name) found[i] ??= value;
  });
  for (let i = 0; i < names.length; i++) {
    const base = state.hasBase(names[i]);
    if (found[i] !== undefined) state.set(base ? `${names[i]}_extracted` : names[i], found[i]!);
    else if (!base) state.set(names[i], '');
  }
  if (options.strict && problem.reason !== '') state.fail('LogfmtParserErr', problem.reason);
}
