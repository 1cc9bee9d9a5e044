import { RE2JS } from 're2js';
import { convertBytes, convertDurationNs } from '../literal.ts';
import { sprintf } from './printf.ts';
import {
  formatTime,
  isTime,
  isTrue,
  printValue,
  TemplateFailure,
  type TemplateTime,
  type TemplateValue,
  toNumber,
} from './values.ts';

/** What a template's functions know of the line. */
export interface TemplateLine {
  readonly line: string;
  readonly timestampNs: bigint;
}

/** A function: how many arguments it takes (a piped value counts), and what it does. */
export interface TemplateFunction {
  readonly min: number;
  readonly max: number;
  readonly call: (args: readonly TemplateValue[], line: TemplateLine) => TemplateValue;
}

/** Functions that Loki has and this engine refuses by name. */
export const UNSUPPORTED_FUNCTIONS: ReadonlySet<string> = new Set(['toDate', 'toDateInZone', 'call', 'html', 'js']);

/** The longest text that a function makes of a shorter one, in UTF-16 code units. */
const MAX_TEXT = 1 << 20;

const text = printValue;
/** Arithmetic on integers cuts fractions off, as casting to int64 does. */
const int = (value: TemplateValue) => Math.trunc(toNumber(value));

export const TEMPLATE_FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map([
  ...stringFunctions(),
  ...numberFunctions(),
  ...logicFunctions(),
  ...lineFunctions(),
]);

function define(name: string, min: number, max: number, call: TemplateFunction['call']): [string, TemplateFunction] {
  return [name, { min, max, call }];
}

function bounded(result: string): string {
  if (result.length > MAX_TEXT) throw new TemplateFailure(`a function made more than ${MAX_TEXT} characters`);
  return result;
}

function stringFunctions(): [string, TemplateFunction][] {
  const replaceAll = ([from, to, source]: readonly TemplateValue[]) =>
    bounded(text(source).replaceAll(text(from), () => text(to)));
  return [
    define('lower', 1, 1, ([s]) => text(s).toLowerCase()),
    define('upper', 1, 1, ([s]) => text(s).toUpperCase()),
    define('ToLower', 1, 1, ([s]) => text(s).toLowerCase()),
    define('ToUpper', 1, 1, ([s]) => text(s).toUpperCase()),
    define('title', 1, 1, ([s]) =>
      text(s).replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_all, before, letter) => before + letter.toUpperCase()),
    ),
    define('trim', 1, 1, ([s]) => text(s).trim()),
    define('TrimSpace', 1, 1, ([s]) => text(s).trim()),
    define('trimAll', 2, 2, ([cut, s]) => trimSet(text(s), text(cut), true, true)),
    define('trimPrefix', 2, 2, ([prefix, s]) =>
      text(s).startsWith(text(prefix)) ? text(s).slice(text(prefix).length) : text(s),
    ),
    define('trimSuffix', 2, 2, ([suffix, s]) =>
      text(s).endsWith(text(suffix)) ? text(s).slice(0, text(s).length - text(suffix).length) : text(s),
    ),
    // The capitalised ones are Loki's first functions, with the text first.
    define('Trim', 2, 2, ([s, cut]) => trimSet(text(s), text(cut), true, true)),
    define('TrimLeft', 2, 2, ([s, cut]) => trimSet(text(s), text(cut), true, false)),
    define('TrimRight', 2, 2, ([s, cut]) => trimSet(text(s), text(cut), false, true)),
    define('TrimPrefix', 2, 2, ([s, prefix]) =>
      text(s).startsWith(text(prefix)) ? text(s).slice(text(prefix).length) : text(s),
    ),
    define('TrimSuffix', 2, 2, ([s, suffix]) =>
      text(s).endsWith(text(suffix)) ? text(s).slice(0, text(s).length - text(suffix).length) : text(s),
    ),
    define('replace', 3, 3, replaceAll),
    define('Replace', 4, 4, ([s, from, to, count]) => replaceTimes(text(s), text(from), text(to), int(count))),
    define('repeat', 2, 2, ([count, s]) => repeatText(text(s), int(count))),
    define('substr', 3, 3, ([start, end, s]) => substring(text(s), int(start), int(end))),
    define('trunc', 2, 2, ([length, s]) => truncate(text(s), int(length))),
    define('contains', 2, 2, ([part, s]) => text(s).includes(text(part))),
    define('hasPrefix', 2, 2, ([part, s]) => text(s).startsWith(text(part))),
    define('hasSuffix', 2, 2, ([part, s]) => text(s).endsWith(text(part))),
    define('indent', 2, 2, ([n, s]) => indent(text(s), int(n))),
    define('nindent', 2, 2, ([n, s]) => `\n${indent(text(s), int(n))}`),
    define('alignLeft', 2, 2, ([n, s]) => align(text(s), int(n), false)),
    define('alignRight', 2, 2, ([n, s]) => align(text(s), int(n), true)),
    define('regexReplaceAll', 3, 3, ([regex, s, to]) =>
      bounded(
        compile(text(regex))
          .matcher(text(s))
          .replaceAll(goReplacement(text(to))),
      ),
    ),
    define('regexReplaceAllLiteral', 3, 3, ([regex, s, to]) =>
      bounded(
        compile(text(regex))
          .matcher(text(s))
          .replaceAll(quoteReplacement(text(to))),
      ),
    ),
    define('count', 2, 2, ([regex, s]) => countMatches(compile(text(regex)), text(s))),
    define('urlencode', 1, 1, ([s]) => encodeURIComponent(text(s)).replaceAll('%20', '+')),
    define('urlquery', 1, 1, ([s]) => encodeURIComponent(text(s)).replaceAll('%20', '+')),
    define('urldecode', 1, 1, ([s]) =>
      orFail('not URL-encoded', () => decodeURIComponent(text(s).replaceAll('+', ' '))),
    ),
    define('b64enc', 1, 1, ([s]) => Buffer.from(text(s)).toString('base64')),
    define('b64dec', 1, 1, ([s]) => Buffer.from(text(s), 'base64').toString()),
    define('fromJson', 1, 1, ([s]) => orFail('not JSON', () => JSON.parse(text(s)) as TemplateValue)),
  ];
}

function numberFunctions(): [string, TemplateFunction][] {
  const fold =
    (start: (a: TemplateValue) => number, step: (a: number, b: number) => number) => (args: readonly TemplateValue[]) =>
      args.map(start).reduce((a, b) => step(a, b));
  const divide = (a: number, b: number) => {
    if (b === 0) throw new TemplateFailure('division by zero');
    return Math.trunc(a / b);
  };
  const rounded = (value: TemplateValue, digits: number) => Math.round(toNumber(value) * 10 ** digits) / 10 ** digits;
  return [
    define('int', 1, 1, ([n]) => int(n)),
    define('float64', 1, 1, ([n]) => toNumber(n)),
    define(
      'add',
      1,
      20,
      fold(int, (a, b) => a + b),
    ),
    define(
      'sub',
      2,
      2,
      fold(int, (a, b) => a - b),
    ),
    define(
      'mul',
      1,
      20,
      fold(int, (a, b) => a * b),
    ),
    define('div', 2, 2, fold(int, divide)),
    define('mod', 2, 2, ([a, b]) => (int(b) === 0 ? divide(1, 0) : int(a) % int(b))),
    define('max', 1, 20, fold(int, Math.max)),
    define('min', 1, 20, fold(int, Math.min)),
    define(
      'addf',
      1,
      20,
      fold(toNumber, (a, b) => a + b),
    ),
    define(
      'subf',
      1,
      20,
      fold(toNumber, (a, b) => a - b),
    ),
    define(
      'mulf',
      1,
      20,
      fold(toNumber, (a, b) => a * b),
    ),
    define(
      'divf',
      1,
      20,
      fold(toNumber, (a, b) => a / b),
    ),
    define('maxf', 1, 20, fold(toNumber, Math.max)),
    define('minf', 1, 20, fold(toNumber, Math.min)),
    define('ceil', 1, 1, ([n]) => Math.ceil(toNumber(n))),
    define('floor', 1, 1, ([n]) => Math.floor(toNumber(n))),
    define('round', 2, 2, ([n, digits]) => rounded(n, Math.min(20, Math.max(0, int(digits))))),
    define('bytes', 1, 1, ([s]) => converted(convertBytes(text(s)))),
    define('duration', 1, 1, ([s]) => converted(convertDurationNs(text(s))) / 1e9),
    define('duration_seconds', 1, 1, ([s]) => converted(convertDurationNs(text(s))) / 1e9),
  ];
}

function logicFunctions(): [string, TemplateFunction][] {
  const compare =
    (test: (order: number) => boolean) =>
    ([a, b]: readonly TemplateValue[]) =>
      test(order(a, b));
  return [
    define('and', 1, 20, (args) => args.find((arg) => !isTrue(arg)) ?? args[args.length - 1]),
    define('or', 1, 20, (args) => args.find(isTrue) ?? args[args.length - 1]),
    define('not', 1, 1, ([value]) => !isTrue(value)),
    define('eq', 2, 20, ([first, ...rest]) => rest.some((other) => first === other)),
    define('ne', 2, 2, ([a, b]) => a !== b),
    define(
      'lt',
      2,
      2,
      compare((o) => o < 0),
    ),
    define(
      'le',
      2,
      2,
      compare((o) => o <= 0),
    ),
    define(
      'gt',
      2,
      2,
      compare((o) => o > 0),
    ),
    define(
      'ge',
      2,
      2,
      compare((o) => o >= 0),
    ),
    define('default', 1, 2, ([fallback, value]) => (value !== undefined && isTrue(value) ? value : fallback)),
    define('len', 1, 1, ([value]) => lengthOf(value)),
    define('index', 1, 20, ([value, ...keys]) => keys.reduce(element, value)),
    define('print', 0, 20, (args) => args.map(text).join('')),
    define('println', 0, 20, (args) => `${args.map(text).join(' ')}\n`),
    define('printf', 1, 20, ([format, ...args]) => bounded(sprintf(text(format), args))),
  ];
}

function lineFunctions(): [string, TemplateFunction][] {
  const time = (value: TemplateValue): TemplateTime => {
    if (!isTime(value)) throw new TemplateFailure('a time is needed, such as __timestamp__');
    return value;
  };
  return [
    define('__line__', 0, 0, (_args, line) => line.line),
    define('__timestamp__', 0, 0, (_args, line) => ({ kind: 'time', ns: line.timestampNs })),
    define('now', 0, 0, () => ({ kind: 'time', ns: BigInt(Date.now()) * 1_000_000n })),
    define('date', 2, 2, ([layout, value]) => formatTime(time(value), text(layout))),
    define('unixEpoch', 1, 1, ([value]) => String(time(value).ns / 1_000_000_000n)),
    define('unixEpochMillis', 1, 1, ([value]) => String(time(value).ns / 1_000_000n)),
    define('unixEpochNanos', 1, 1, ([value]) => String(time(value).ns)),
    define('unixToTime', 1, 1, ([value]) => unixToTime(text(value))),
  ];
}

/** Loki tells days, seconds, milliseconds, microseconds and nanoseconds apart by the number of digits. */
function unixToTime(digits: string): TemplateTime {
  const scale = { 5: 86_400_000_000_000n, 10: 1_000_000_000n, 13: 1_000_000n, 16: 1000n, 19: 1n }[digits.length];
  if (scale === undefined || !/^\d+$/.test(digits))
    throw new TemplateFailure('unixToTime needs 5, 10, 13, 16 or 19 digits');
  return { kind: 'time', ns: BigInt(digits) * scale };
}

function converted(result: { value: number } | { problem: string }): number {
  if ('problem' in result) throw new TemplateFailure(result.problem);
  return result.value;
}

function orFail<T>(reason: string, run: () => T): T {
  try {
    return run();
  } catch {
    throw new TemplateFailure(reason);
  }
}

function order(a: TemplateValue, b: TemplateValue): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  throw new TemplateFailure('incompatible types for comparison');
}

function lengthOf(value: TemplateValue): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length;
  throw new TemplateFailure('len of a value without a length');
}

function element(value: TemplateValue, key: TemplateValue): TemplateValue {
  if (Array.isArray(value)) {
    const at = int(key);
    if (at < 0 || at >= value.length) throw new TemplateFailure('index out of range');
    return value[at];
  }
  if (typeof value === 'object' && value !== null)
    return Object.hasOwn(value, text(key)) ? (value as Record<string, TemplateValue>)[text(key)] : '';
  throw new TemplateFailure("can't index a value that is neither list nor map");
}

function trimSet(value: string, set: string, left: boolean, right: boolean): string {
  let [start, end] = [0, value.length];
  while (left && start < end && set.includes(value[start])) start++;
  while (right && end > start && set.includes(value[end - 1])) end--;
  return value.slice(start, end);
}

function replaceTimes(value: string, from: string, to: string, count: number): string {
  if (count < 0) return bounded(value.replaceAll(from, () => to));
  let out = value;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const found = out.indexOf(from, at);
    if (found < 0 || (from === '' && found >= out.length)) break;
    out = bounded(out.slice(0, found) + to + out.slice(found + from.length));
    at = found + to.length + (from === '' ? 1 : 0);
  }
  return out;
}

function repeatText(value: string, count: number): string {
  if (count < 0 || value.length * count > MAX_TEXT)
    throw new TemplateFailure(`repeat makes more than ${MAX_TEXT} characters`);
  return value.repeat(count);
}

function substring(value: string, start: number, end: number): string {
  if (start < 0) return value.slice(0, Math.max(0, end));
  return end < 0 || end > value.length ? value.slice(start) : value.slice(start, end);
}

function truncate(value: string, length: number): string {
  if (length < 0) return -length < value.length ? value.slice(value.length + length) : value;
  return value.slice(0, length);
}

function indent(value: string, count: number): string {
  const pad = repeatText(' ', Math.max(0, count));
  return bounded(pad + value.replaceAll('\n', `\n${pad}`));
}

function align(value: string, width: number, right: boolean): string {
  const chars = [...value];
  if (width < 0) return value;
  if (chars.length >= width) return (right ? chars.slice(chars.length - width) : chars.slice(0, width)).join('');
  const pad = repeatText(' ', width - chars.length);
  return right ? pad + value : value + pad;
}

/** Patterns of templates are few and constant; the cache is bounded because they could come from lines. */
const compiled = new Map<string, RE2JS>();

function compile(pattern: string): RE2JS {
  let regex = compiled.get(pattern);
  if (regex === undefined) {
    if (compiled.size >= 100) compiled.clear();
    regex = orFail('a regular expression that RE2 does not accept', () => RE2JS.compile(pattern));
    compiled.set(pattern, regex);
  }
  return regex;
}

/** Go's `${1}` and `$1` are RE2JS's; a `$` before anything else is a literal one there and an error here. */
function goReplacement(replacement: string): string {
  return replacement
    .replaceAll('\\', '\\\\')
    .replace(/\$\{(\w+)\}/g, (_all, name) => (/^\d+$/.test(name) ? `$${name}` : `\${${name}}`));
}

function quoteReplacement(replacement: string): string {
  return replacement.replaceAll('\\', '\\\\').replaceAll('$', '\\$');
}

function countMatches(regex: RE2JS, value: string): number {
  const matcher = regex.matcher(value);
  let count = 0;
  while (matcher.find()) count++;
  return count;
}
