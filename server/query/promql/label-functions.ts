import { compileRegex, type Labels, labelsKey, labelValue, METRIC_NAME, withLabel } from '../../model/index.ts';
import { type Expr, unparen } from './ast.ts';
import { executionError } from './errors.ts';
import type { Input, InstantFunction } from './instant.ts';
import { quote } from './strings.ts';
import { emptySeries, isEmptySeries, mergeEqual, textOf, type Value, type VectorSeries, vectorOf } from './values.ts';

function checkDestination(name: string, call: string): void {
  if (name === '' || !name.isWellFormed()) {
    throw executionError(`invalid destination label name in ${call}(): ${quote(name)}`);
  }
}

/** A series with one label set; setting the metric's name takes back that it was to be dropped. */
function relabelled(series: VectorSeries, name: string, value: string): VectorSeries {
  const dropName = name === METRIC_NAME ? false : series.dropName;
  return { ...series, labels: withLabel(series.labels, name, value), dropName };
}

/** The expression of `label_replace`; its argument is a text like any other, so a wrong one is no syntax error. */
function replaceRegex(pattern: string): ReturnType<typeof compileRegex> {
  try {
    return compileRegex(`^(?s:${pattern})$`);
  } catch {
    throw executionError(`invalid regular expression in label_replace(): ${pattern}`);
  }
}

function labelReplace({ args, context }: Input): Value {
  const [destination, replacement, source, pattern] = args.slice(1).map(textOf);
  checkDestination(destination, 'label_replace');
  const regex = replaceRegex(pattern);
  const cache = new Map<string, string | undefined>();
  const replace = (text: string): string | undefined => {
    const match = regex.matcher(text);
    if (!match.find()) return undefined;
    return replacement.replace(/\$(?:(\$)|\{(\w+)\}|(\w+))/g, (_, dollar, braced, plain) => {
      if (dollar) return '$';
      const group = braced ?? plain;
      try {
        return (/^\d+$/.test(group) ? match.group(Number(group)) : match.group(group)) ?? '';
      } catch {
        return ''; // A group that the expression doesn't have is empty, as in Go.
      }
    });
  };
  const out = vectorOf(args[0]).map((series) => {
    context.tick();
    const text = labelValue(series.labels, source);
    if (!cache.has(text)) cache.set(text, replace(text));
    const value = cache.get(text);
    return value === undefined ? series : relabelled(series, destination, value);
  });
  return { kind: 'vector', series: mergeEqual(out) };
}

function labelJoin({ args }: Input): Value {
  const [destination, separator, ...sources] = args.slice(1).map(textOf);
  checkDestination(destination, 'label_join');
  for (const source of sources) {
    if (source === '' || !source.isWellFormed()) {
      throw executionError(`invalid source label name in label_join(): ${quote(source)}`);
    }
  }
  const out = vectorOf(args[0]).map((series) => {
    const value = sources.map((name) => labelValue(series.labels, name)).join(separator);
    return relabelled(series, destination, value);
  });
  return { kind: 'vector', series: mergeEqual(out) };
}

/** Sorting is by the value of the only step; range queries have no order. */
function sortByValue(sign: 1 | -1): InstantFunction {
  const compare = (a: VectorSeries, b: VectorSeries): number => {
    const [x, y] = [a.values[0], b.values[0]];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return x === y ? 0 : sign * (x < y ? -1 : 1);
  };
  return ({ args, steps }) => {
    const floats = vectorOf(args[0]).flatMap(onlyFloats);
    return { kind: 'vector', series: steps.count === 1 ? floats.sort(compare) : floats, sorted: true };
  };
}

/** A series without its histograms, or nothing where it has no floats. */
function onlyFloats(series: VectorSeries): VectorSeries[] {
  const { histograms } = series;
  if (!histograms) return [series];
  const has = series.has.map((present, i) => (histograms[i] ? 0 : present));
  return has.includes(1) ? [{ ...series, has, histograms: undefined }] : [];
}

function sortByLabel(sign: 1 | -1): InstantFunction {
  return ({ args }) => {
    const names = args.slice(1).map(textOf);
    const compare = (a: VectorSeries, b: VectorSeries): number => {
      for (const name of names) {
        const order = compareNaturally(labelValue(a.labels, name), labelValue(b.labels, name));
        if (order !== 0) return sign * order;
      }
      return sign * (labelsKey(a.labels) < labelsKey(b.labels) ? -1 : 1);
    };
    return { kind: 'vector', series: [...vectorOf(args[0])].sort(compare), sorted: true };
  };
}

/** Runs of digits compare as numbers, everything else as text: `4m5` < `4m600`. */
function compareNaturally(a: string, b: string): number {
  if (a === b) return 0;
  const [x, y] = [a.match(/\d+|\D+/g) ?? [], b.match(/\d+|\D+/g) ?? []];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    if (x[i] === y[i]) continue;
    const bothNumbers = /^\d/.test(x[i]) && /^\d/.test(y[i]);
    const difference = bothNumbers ? Number(x[i]) - Number(y[i]) : 0;
    return difference !== 0 ? difference : x[i] < y[i] ? -1 : 1;
  }
  return x.length - y.length;
}

/** The labels that an absent selector would have had: those of its `=` matchers. */
export function absentLabels(argument: Expr): Labels {
  const expr = unparen(argument);
  const selector = expr.kind === 'matrix' ? expr.selector : expr;
  if (selector.kind !== 'selector') return [];
  const seen = new Map<string, number>();
  for (const { name } of selector.matchers) seen.set(name, (seen.get(name) ?? 0) + 1);
  let labels: Labels = [];
  for (const { name, op, value } of selector.matchers) {
    if (op === '=' && name !== METRIC_NAME && seen.get(name) === 1) labels = withLabel(labels, name, value);
  }
  return labels;
}

/** 1 at the steps at which none of the series has a value. */
export function absentSeries(labels: Labels, input: readonly VectorSeries[], steps: number): VectorSeries[] {
  const result = emptySeries(labels, steps);
  const { has, values } = result;
  for (const series of input) for (let i = 0; i < steps; i++) has[i] |= series.has[i];
  for (let i = 0; i < steps; i++) {
    has[i] = has[i] === 1 ? 0 : 1;
    values[i] = 1;
  }
  return isEmptySeries(result) ? [] : [result];
}

/** Functions of labels and of the order and presence of series, by name. */
export const LABEL_FUNCTIONS: readonly (readonly [string, InstantFunction])[] = [
  ['label_replace', labelReplace],
  ['label_join', labelJoin],
  ['sort', sortByValue(1)],
  ['sort_desc', sortByValue(-1)],
  ['sort_by_label', sortByLabel(1)],
  ['sort_by_label_desc', sortByLabel(-1)],
  [
    'absent',
    ({ call, args, steps }) => ({
      kind: 'vector',
      series: absentSeries(absentLabels(call.args[0]), vectorOf(args[0]), steps.count),
    }),
  ],
];
