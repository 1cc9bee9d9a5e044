/**
 * Names and units of OTLP as Prometheus writes them. Source of every rule: prometheus/otlptranslator (metric_namer.go,
 * unit_namer.go, label_namer.go), strategy `UnderscoreEscapingWithSuffixes` unless suffixes are switched off.
 */

/** What decides about a name's suffixes. */
export type NamedMetricKind = 'monotonic_sum' | 'sum' | 'gauge' | 'histogram' | 'exponential_histogram' | 'summary';

const UNITS: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tibibytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '1': '',
  '%': 'percent',
};

const PER_UNITS: Readonly<Record<string, string>> = {
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  mo: 'month',
  y: 'year',
};

/**
 * The Prometheus name of an OTLP metric, or `undefined` where nothing valid is left of it (empty, or only underscores).
 * `addSuffixes` false leaves unit and type out and keeps runs of underscores.
 */
export function metricName(
  name: string,
  unit: string,
  kind: NamedMetricKind,
  addSuffixes: boolean,
): string | undefined {
  const built = addSuffixes
    ? nameWithSuffixes(name, unit, kind)
    : prefixDigit(tokens(name, /[^a-zA-Z0-9:_]+/u).join('_'));
  if (built === '' || (built !== name && /^_+$/.test(built))) return undefined;
  return built;
}

function nameWithSuffixes(name: string, unit: string, kind: NamedMetricKind): string {
  // Splitting at everything else folds runs of underscores and dots into one.
  let parts = tokens(name, /[^a-zA-Z0-9:]+/u);
  const { main, per } = unitSuffixes(unit);
  const perSuffix = per === 'per_' ? '' : per.replace(/_$/, '');
  const addPer = perSuffix !== '' && !parts.includes(perSuffix);
  const mainSuffix = addPer ? main.replace(/_$/, '') : main;
  if (mainSuffix !== '' && !parts.includes(main)) parts.push(mainSuffix);
  if (addPer) parts.push(perSuffix);
  if (kind === 'monotonic_sum') parts = [...parts.filter((p) => p !== 'total'), 'total'];
  // Many receivers give counters of things the unit 1, so only gauges are taken for ratios.
  if (kind === 'gauge' && unit === '1') parts = [...parts.filter((p) => p !== 'ratio'), 'ratio'];
  return prefixDigit(parts.join('_'));
}

/** The unit of an OTLP metric in Prometheus's words, such as `bytes_per_second`; '' for none. */
export function unitName(unit: string): string {
  const { main, per } = unitSuffixes(unit);
  const joined = main !== '' && per !== '' ? `${main}_${per}` : main + per;
  return joined.replace(/^_/, '').replace(/_$/, '');
}

function unitSuffixes(unit: string): { main: string; per: string } {
  const slash = unit.indexOf('/');
  const main = (slash < 0 ? unit : unit.slice(0, slash)).trim();
  const per = slash < 0 ? '' : unit.slice(slash + 1).trim();
  return {
    main: isAnnotation(main) ? '' : cleanUnit(lookUp(UNITS, main)),
    per: per === '' || isAnnotation(per) ? '' : cleanUnit(`per_${lookUp(PER_UNITS, per)}`),
  };
}

/** UCUM's annotations such as `{token}` aren't units. */
function isAnnotation(unit: string): boolean {
  return unit.includes('{') || unit.includes('}');
}

function lookUp(map: Readonly<Record<string, string>>, unit: string): string {
  return Object.hasOwn(map, unit) ? map[unit] : unit;
}

function cleanUnit(unit: string): string {
  return unit
    .replace(/[^a-zA-Z0-9:]/gu, '_')
    .replace(/__+/g, '_')
    .replace(/^_/, '');
}

function tokens(name: string, separators: RegExp): string[] {
  return name.split(separators).filter((token) => token !== '');
}

function prefixDigit(name: string): string {
  return /^[0-9]/.test(name) ? `_${name}` : name;
}

/**
 * The Prometheus label of an OTLP attribute, or `undefined` where nothing valid is left of it. Runs of underscores are
 * kept; a leading digit gets `key_`, a single leading underscore `key`.
 */
export function labelName(key: string): string | undefined {
  const name = key.replace(/[^a-zA-Z0-9_]/gu, '_');
  if (name === '' || (name !== key && /^_+$/.test(name))) return undefined;
  if (/^[0-9]/.test(name)) return `key_${name}`;
  if (name.startsWith('_') && !name.startsWith('__')) return `key${name}`;
  return name;
}

/** How many keys a namer remembers, and how long they may be: enough for any real request, nothing for a hostile one. */
const MAX_REMEMBERED_KEYS = 10_000;
const MAX_REMEMBERED_KEY_LENGTH = 128;

/** Remembers how attribute keys become label names; lives for one translation. */
export class LabelNamer {
  readonly #names = new Map<string, string | undefined>();

  /** What `labelName` says. */
  name(key: string): string | undefined {
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const name = labelName(key);
    if (this.#names.size < MAX_REMEMBERED_KEYS && key.length <= MAX_REMEMBERED_KEY_LENGTH) this.#names.set(key, name);
    return name;
  }
}
