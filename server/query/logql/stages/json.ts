import { labelNameOf, type WantedLabels } from '../label-name.ts';
import type { LineState } from '../line-state.ts';

/** Objects in objects that are followed; a line nested deeper fails like a malformed one. */
const MAX_DEPTH = 128;

/** A malformed line; `reason` doesn't quote it. */
class JsonProblem extends Error {}

/** A place in a JSON text. */
interface Scanner {
  readonly text: string;
  at: number;
}

/** One step of a path: a key of an object or an index of an array. */
export type PathStep = string | number;

/**
 * Sets a label for every string, number and boolean in the object that the line is; those of nested objects are called
 * `outer_inner`. Arrays and nulls are left out. A malformed line fails with `JSONParserErr`.
 */
export function extractJson(state: LineState, wanted: WantedLabels): void {
  const scanner = { text: state.line, at: 0 };
  try {
    skipSpace(scanner);
    readObject(scanner, '', 0, state, wanted);
  } catch (problem) {
    if (!(problem instanceof JsonProblem)) throw problem;
    state.fail('JSONParserErr', problem.message);
  }
}

/** Sets a label for every path; one without a match gets an empty value. */
export function extractJsonPaths(
  state: LineState,
  names: readonly string[],
  paths: readonly (readonly PathStep[])[],
): void {
  if (state.line === '') return;
  try {
    for (let i = 0; i < names.length; i++) {
      const scanner = { text: state.line, at: 0 };
      skipSpace(scanner);
      if (scanner.text[scanner.at] !== '{' && scanner.text[scanner.at] !== '[')
        throw new JsonProblem('not a JSON object');
      const value = findPath(scanner, paths[i], 0) ? readAny(scanner) : '';
      state.set(state.hasBase(names[i]) ? `${names[i]}_extracted` : names[i], value);
    }
  } catch (problem) {
    if (!(problem instanceof JsonProblem)) throw problem;
    state.fail('JSONParserErr', problem.message);
  }
}

/** Sets a label for every string of a packed line, and takes `_entry` as the new line. */
export function unpackJson(state: LineState): void {
  const scanner = { text: state.line, at: 0 };
  const names: string[] = [];
  const values: string[] = [];
  let entry: string | undefined;
  try {
    skipSpace(scanner);
    eachEntry(scanner, 0, (key) => {
      if (scanner.text.charCodeAt(scanner.at) !== 0x22) return skipValue(scanner, 1);
      const value = readString(scanner);
      if (key === '_entry') entry = value;
      else {
        names.push(labelNameOf(key, true));
        values.push(value);
      }
    });
  } catch (problem) {
    if (!(problem instanceof JsonProblem)) throw problem;
    state.fail('JSONParserErr', problem.message);
    return;
  }
  for (let i = 0; i < names.length; i++) state.extract(names[i], values[i]);
  if (entry !== undefined) state.line = entry;
}

function readObject(scanner: Scanner, prefix: string, depth: number, state: LineState, wanted: WantedLabels): void {
  eachEntry(scanner, depth, (key) => {
    const own = labelNameOf(key, prefix === '');
    const name = prefix === '' ? own : `${prefix}_${own}`;
    const first = scanner.text.charCodeAt(scanner.at);
    if (first === 0x7b && wanted.hasUnder(name)) readObject(scanner, name, depth + 1, state, wanted);
    else if (own === '' || first === 0x7b || first === 0x5b || first === 0x6e || !wanted.has(name))
      skipValue(scanner, depth + 1);
    else state.extract(name, first === 0x22 ? readString(scanner) : readWord(scanner));
  });
}

/** Calls `visit` with each key of an object, the scanner at its value; `visit` moves behind the value. */
function eachEntry(scanner: Scanner, depth: number, visit: (key: string) => void): void {
  if (depth > MAX_DEPTH) throw new JsonProblem('nested too deeply');
  const { text } = scanner;
  if (text.charCodeAt(scanner.at) !== 0x7b) throw new JsonProblem('not a JSON object');
  scanner.at++;
  skipSpace(scanner);
  if (text.charCodeAt(scanner.at) === 0x7d) {
    scanner.at++;
    return;
  }
  for (;;) {
    if (text.charCodeAt(scanner.at) !== 0x22) throw new JsonProblem(`a key is missing at ${scanner.at}`);
    const key = readString(scanner);
    skipSpace(scanner);
    if (text.charCodeAt(scanner.at) !== 0x3a) throw new JsonProblem(`a colon is missing at ${scanner.at}`);
    scanner.at++;
    skipSpace(scanner);
    visit(key);
    skipSpace(scanner);
    const next = text.charCodeAt(scanner.at++);
    if (next === 0x7d) return;
    if (next !== 0x2c) throw new JsonProblem(`a comma or the end of an object is missing at ${scanner.at - 1}`);
    skipSpace(scanner);
  }
}

/** Moves to the value at the path; false where there is none (the scanner is then anywhere). */
function findPath(scanner: Scanner, path: readonly PathStep[], depth: number): boolean {
  if (depth === path.length) return true;
  const step = path[depth];
  const first = scanner.text[scanner.at];
  let found = -1;
  if (typeof step === 'string' && first === '{') {
    eachEntry(scanner, depth, (key) => {
      if (found < 0 && key === step) found = scanner.at;
      skipValue(scanner, depth + 1);
    });
  } else if (typeof step === 'number' && first === '[') {
    eachElement(scanner, depth, (index) => {
      if (index === step) found = scanner.at;
    });
  } else skipValue(scanner, depth);
  if (found < 0) return false;
  scanner.at = found;
  return findPath(scanner, path, depth + 1);
}

function eachElement(scanner: Scanner, depth: number, visit: (index: number) => void): void {
  if (depth > MAX_DEPTH) throw new JsonProblem('nested too deeply');
  scanner.at++;
  skipSpace(scanner);
  if (scanner.text.charCodeAt(scanner.at) === 0x5d) {
    scanner.at++;
    return;
  }
  for (let index = 0; ; index++) {
    visit(index);
    skipValue(scanner, depth + 1);
    skipSpace(scanner);
    const next = scanner.text.charCodeAt(scanner.at++);
    if (next === 0x5d) return;
    if (next !== 0x2c) throw new JsonProblem(`a comma or the end of an array is missing at ${scanner.at - 1}`);
    skipSpace(scanner);
  }
}

/** The value at the scanner as a label: a string without quotes, `null` as empty, anything else as it is written. */
function readAny(scanner: Scanner): string {
  const start = scanner.at;
  if (scanner.text.charCodeAt(start) === 0x22) return readString(scanner);
  skipValue(scanner, 0);
  const raw = scanner.text.slice(start, scanner.at);
  return raw === 'null' ? '' : raw;
}

function skipValue(scanner: Scanner, depth: number): void {
  const first = scanner.text.charCodeAt(scanner.at);
  if (first === 0x22) skipString(scanner);
  else if (first === 0x7b) eachEntry(scanner, depth, () => skipValue(scanner, depth + 1));
  else if (first === 0x5b) eachElement(scanner, depth, () => undefined);
  else readWord(scanner);
}

const WORD = /(?:-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?=[\s,\]}]|$)/y;

function readWord(scanner: Scanner): string {
  WORD.lastIndex = scanner.at;
  const word = WORD.exec(scanner.text)?.[0];
  if (word === undefined) throw new JsonProblem(`a value is missing at ${scanner.at}`);
  scanner.at += word.length;
  return word;
}

/** Moves behind a string; returns whether it has escapes. */
function skipString(scanner: Scanner): boolean {
  const { text } = scanner;
  let escaped = false;
  for (let at = scanner.at + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) {
      escaped = true;
      at++;
    } else if (code === 0x22) {
      scanner.at = at + 1;
      return escaped;
    }
  }
  throw new JsonProblem('a string has no end');
}

function readString(scanner: Scanner): string {
  const start = scanner.at;
  const escaped = skipString(scanner);
  if (!escaped) return scanner.text.slice(start + 1, scanner.at - 1);
  try {
    return JSON.parse(scanner.text.slice(start, scanner.at)) as string;
  } catch {
    throw new JsonProblem(`a string at ${start} has a bad escape`);
  }
}

function skipSpace(scanner: Scanner): void {
  const { text } = scanner;
  let code = text.charCodeAt(scanner.at);
  while (code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d) code = text.charCodeAt(++scanner.at);
}

const PATH_STEP = /\.?([\p{L}_$][\p{L}\p{N}_$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/uy;

/** Reads `a.b[0]["c d"]`; `undefined` where it isn't a path. */
export function parseJsonPath(path: string): PathStep[] | undefined {
  const steps: PathStep[] = [];
  let at = 0;
  while (at < path.length) {
    PATH_STEP.lastIndex = at;
    const match = PATH_STEP.exec(path);
    if (match === null || (steps.length > 0 && match[1] !== undefined && path[at] !== '.')) return undefined;
    if (steps.length === 0 && path[at] === '.') return undefined;
    const [all, key, index, quoted] = match;
    steps.push(key ?? (index === undefined ? (JSON.parse(quoted) as string) : Number(index)));
    at += all.length;
  }
  return steps.length > 0 ? steps : undefined;
}
