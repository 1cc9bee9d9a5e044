import { RE2JS } from 're2js';
import { parseDurationMs } from '../model/index.ts';

/** A value within a template: Go's int is a bigint here, its float64 a number. */
export type TemplateValue = string | number | bigint | boolean | null | TemplateValue[] | TemplateRecord;
/** A map or struct of Go. */
export interface TemplateRecord {
  readonly [name: string]: TemplateValue;
}

type TemplateFunction = (args: readonly TemplateValue[]) => TemplateValue;

const BIG_PREFIXES = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
const SMALL_PREFIXES = ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y'];
const BINARY_PREFIXES = ['ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'];

function scaled(value: number, base: number, prefixes: readonly string[]): string {
  let prefix = '';
  let rest = value;
  for (const next of prefixes) {
    if (Math.abs(rest) < base) break;
    prefix = next;
    rest /= base;
  }
  return general(rest, 4) + prefix;
}

function scaledDown(value: number, unit: string): string {
  let prefix = '';
  let rest = value;
  for (const next of SMALL_PREFIXES) {
    if (Math.abs(rest) >= 1) break;
    prefix = next;
    rest *= 1000;
  }
  return general(rest, 4) + prefix + unit;
}

/** Digits past the last one that show whether a number lies exactly between two: a double's fit into these. */
const TIE_DIGITS = 40;

/** Like `toFixed`, but a number exactly between two is rounded to the even one, as in Go. */
function fixed(value: number, digits: number): string {
  return evenOfTie(value.toFixed(digits), value.toFixed(Math.min(100, digits + TIE_DIGITS)), digits);
}

/** The same for `toExponential`. */
function exponential(value: number, digits: number): string {
  const [long, power] = value.toExponential(Math.min(100, digits + TIE_DIGITS)).split('e');
  const rounded = value.toExponential(digits);
  const [mantissa] = rounded.split('e');
  const even = evenOfTie(mantissa, long, digits);
  return even === mantissa ? rounded : `${even}e${power}`;
}

function evenOfTie(rounded: string, long: string, digits: number): string {
  const end = long.indexOf('.') + (digits === 0 ? 0 : digits + 1);
  const isTie = /^\.?50*$/.test(long.slice(end));
  const cut = long.slice(0, end);
  return isTie && /[02468]$/.test(cut) ? cut : rounded;
}

/** Go's `%.{precision}g`. */
export function general(value: number, precision: number): string {
  if (!Number.isFinite(value)) return special(value);
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [digits, power] = exponential(value, precision - 1).split('e');
  const exponent = Number(power);
  const trim = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  if (exponent < -4 || exponent >= precision) return trim(digits) + goExponent(exponent);
  return trim(fixed(value, Math.max(0, precision - 1 - exponent)));
}

function special(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

function goExponent(exponent: number): string {
  return `e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** Go decides by this exponent where it prints the shortest digits. Source: strconv/ftoa.go. */
const SHORTEST_EXPONENT = 6;

/** A float as Go prints it with `%v`: the shortest digits, an exponent below 1e-4 and from 1e6 on. */
export function shortest(value: number): string {
  if (!Number.isFinite(value)) return special(value);
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [digits, power] = value.toExponential().split('e');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= SHORTEST_EXPONENT) return digits + goExponent(exponent);
  return String(value);
}

/** A value as Go prints it. @throws Error for maps and lists, which no template of a rule needs to print. */
export function printValue(value: TemplateValue): string {
  if (value === null) return '<no value>';
  if (typeof value === 'number') return shortest(value);
  if (typeof value === 'object') throw new Error('maps and lists can not be printed; name one of their values');
  return String(value);
}

function toFloat(value: TemplateValue): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') {
    if (/^[-+]?inf(inity)?$/i.test(value)) return value.startsWith('-') ? -Infinity : Infinity;
    if (/^nan$/i.test(value)) return Number.NaN;
    if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(value)) return Number(value);
  }
  throw new Error('expected a number');
}

function toText(value: TemplateValue): string {
  if (typeof value !== 'string') throw new Error('expected a text');
  return value;
}

/** Whether a value counts as true in `if` and `with`, as in Go. */
export function isTrue(value: TemplateValue): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value) || Number.isNaN(value);
}

function compare(a: TemplateValue, b: TemplateValue): number {
  if (typeof a !== typeof b) throw new Error('incompatible types for comparison');
  if (typeof a === 'object' || typeof b === 'object') throw new Error('values that can not be compared');
  return a === b ? 0 : (a as string) < (b as string) ? -1 : (a as string) > (b as string) ? 1 : Number.NaN;
}

function humanizeDuration(value: number): string {
  if (!Number.isFinite(value)) return special(value);
  if (value === 0) return '0s';
  if (Math.abs(value) < 1) return scaledDown(value, 's');
  const sign = value < 0 ? '-' : '';
  const whole = Math.trunc(Math.abs(value));
  const [seconds, minutes] = [whole % 60, Math.trunc(whole / 60) % 60];
  const [hours, days] = [Math.trunc(whole / 3600) % 24, Math.trunc(whole / 86_400)];
  if (days !== 0) return `${sign}${days}d ${hours}h ${minutes}m ${seconds}s`;
  if (hours !== 0) return `${sign}${hours}h ${minutes}m ${seconds}s`;
  if (minutes !== 0) return `${sign}${minutes}m ${seconds}s`;
  return `${sign}${general(Math.abs(value), 4)}s`;
}

function humanizeTimestamp(seconds: number): string {
  if (!Number.isFinite(seconds)) return special(seconds);
  const ms = Math.round(seconds * 1000);
  if (Math.abs(ms) > 8.64e15) throw new Error('a time out of range');
  const [day, time] = new Date(ms).toISOString().slice(0, -1).split('T');
  return `${day} ${time.replace(/\.?0+$/, '')} +0000 UTC`;
}

function format(args: readonly TemplateValue[]): string {
  const values = args.slice(1);
  let next = 0;
  const text = toText(args[0]).replace(
    /%([-+0 ]*)(\d*)(?:\.(\d+))?(.)/gs,
    (_all, flags: string, width: string, digits: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      if (next >= values.length) throw new Error('printf has too few arguments');
      if (Number(width || 0) > 1000 || Number(digits ?? 0) > 100)
        throw new Error('printf with a width above 1000 or a precision above 100');
      const value = values[next++];
      let out = formatOne(verb, value, digits);
      const isNumber = typeof value === 'number' || typeof value === 'bigint';
      if (isNumber && !/^[-+]/.test(out)) out = (flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '') + out;
      const room = Number(width || 0);
      if (flags.includes('-')) return out.padEnd(room);
      if (!flags.includes('0') || !isNumber) return out.padStart(room);
      const sign = /^[-+ ]/.exec(out)?.[0] ?? '';
      return sign + out.slice(sign.length).padStart(room - sign.length, '0');
    },
  );
  if (next < values.length) throw new Error('printf has too many arguments');
  return text;
}

function formatOne(verb: string, value: TemplateValue, digits: string | undefined): string {
  const precision = digits === undefined ? undefined : Number(digits);
  if (verb === 'v' && precision === undefined) return printValue(value);
  if (verb === 's' && typeof value === 'string')
    return precision === undefined ? value : [...value].slice(0, precision).join('');
  if (verb === 'd' && typeof value === 'bigint') return String(value);
  if (verb === 't' && typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value) && 'feg'.includes(verb)) return special(value);
  if (verb === 'f' && typeof value === 'number' && Math.abs(value) < 1e21) return fixed(value, precision ?? 6);
  if (verb === 'e' && typeof value === 'number') {
    const [mantissa, power] = exponential(value, precision ?? 6).split('e');
    return mantissa + goExponent(Number(power));
  }
  if ((verb === 'g' || verb === 'v') && typeof value === 'number')
    return precision === undefined ? shortest(value) : general(value, Math.max(1, precision));
  throw new Error(`printf with %${verb} and a value of another type`);
}

function matches(args: readonly TemplateValue[]): boolean {
  return RE2JS.compile(toText(args[0])).matcher(toText(args[1])).find();
}

const number =
  (of: (value: number) => TemplateValue): TemplateFunction =>
  ([value]) =>
    of(toFloat(value));
const text =
  (of: (value: string) => TemplateValue): TemplateFunction =>
  ([value]) =>
    of(toText(value));
const order =
  (of: (order: number) => boolean): TemplateFunction =>
  ([a, b]) =>
    of(compare(a, b));

/** How many arguments a function takes (at least, at most), and what it does. Functions that aren't here are refused. */
export const TEMPLATE_FUNCTIONS: ReadonlyMap<
  string,
  { readonly min: number; readonly max: number; readonly run: TemplateFunction }
> = new Map(
  (
    [
      [
        'humanize',
        1,
        1,
        number((v) =>
          v === 0 || !Number.isFinite(v)
            ? general(v, 4)
            : Math.abs(v) >= 1
              ? scaled(v, 1000, BIG_PREFIXES)
              : scaledDown(v, ''),
        ),
      ],
      [
        'humanize1024',
        1,
        1,
        number((v) => (Math.abs(v) <= 1 || !Number.isFinite(v) ? general(v, 4) : scaled(v, 1024, BINARY_PREFIXES))),
      ],
      ['humanizeDuration', 1, 1, number(humanizeDuration)],
      ['humanizePercentage', 1, 1, number((v) => `${general(v * 100, 4)}%`)],
      ['humanizeTimestamp', 1, 1, number(humanizeTimestamp)],
      [
        'title',
        1,
        1,
        text((v) =>
          v.replace(
            /(^|[^\p{L}\p{N}_'])(\p{L})/gu,
            (_all, before: string, letter: string) => before + letter.toUpperCase(),
          ),
        ),
      ],
      ['toUpper', 1, 1, text((v) => v.toUpperCase())],
      ['toLower', 1, 1, text((v) => v.toLowerCase())],
      [
        'stripPort',
        1,
        1,
        text(
          (v) =>
            /^(?:\[([^\]]*)\]|([^:]*)):[^:]*$/
              .exec(v)
              ?.slice(1)
              .find((part) => part !== undefined) ?? v,
        ),
      ],
      ['parseDuration', 1, 1, text((v) => parseDurationMs(v) / 1000)],
      ['match', 2, 2, matches],
      ['print', 1, 1, ([v]: readonly TemplateValue[]) => printValue(v)],
      ['printf', 1, 20, format],
      ['len', 1, 1, text((v) => BigInt(Buffer.byteLength(v)))],
      ['not', 1, 1, ([v]: readonly TemplateValue[]) => !isTrue(v)],
      ['and', 1, 20, (args: readonly TemplateValue[]) => args.at(args.findIndex((v) => !isTrue(v))) ?? null],
      ['or', 1, 20, (args: readonly TemplateValue[]) => args.at(args.findIndex(isTrue)) ?? null],
      ['eq', 2, 20, ([a, ...others]: readonly TemplateValue[]) => others.some((b) => compare(a, b) === 0)],
      ['ne', 2, 2, order((o) => o !== 0)],
      ['lt', 2, 2, order((o) => o < 0)],
      ['le', 2, 2, order((o) => o <= 0)],
      ['gt', 2, 2, order((o) => o > 0)],
      ['ge', 2, 2, order((o) => o >= 0)],
    ] as [string, number, number, TemplateFunction][]
  ).map(([name, min, max, run]) => [name, { min, max, run }]),
);
