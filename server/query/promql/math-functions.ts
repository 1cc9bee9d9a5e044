import { everyStep, type Input, type InstantFunction, mapFloats } from './instant.ts';
import { emptySeries, isEmptySeries, scalarOf, type Value, vectorOf } from './values.ts';

function math(f: (value: number) => number): InstantFunction {
  return (input) => mapFloats(input, f);
}

/** A part of the time that a value means in seconds, or of the evaluation's time where there is no argument. */
function timePart(f: (date: Date) => number): InstantFunction {
  return (input) => {
    if (input.args.length > 0) return mapFloats(input, (value) => f(new Date(Math.trunc(value) * 1000)));
    const values = everyStep(input.steps, (ms) => f(new Date(ms)));
    const series = { ...emptySeries([], 0), values, has: new Uint8Array(values.length).fill(1) };
    return { kind: 'vector', series: [series] };
  };
}

/** Go's math.Min: −Inf is smaller than anything, NaN included, unlike JavaScript's. */
function smaller(a: number, b: number): number {
  return a === Number.NEGATIVE_INFINITY || b === Number.NEGATIVE_INFINITY ? Number.NEGATIVE_INFINITY : Math.min(a, b);
}

/** Go's math.Max: +Inf is larger than anything, NaN included, unlike JavaScript's. */
function larger(a: number, b: number): number {
  return a === Number.POSITIVE_INFINITY || b === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : Math.max(a, b);
}

function clamp(input: Input, low: Float64Array | undefined, high: Float64Array | undefined): Value {
  const result = mapFloats(input, (value, i) => {
    const [min, max] = [low?.[i] ?? Number.NEGATIVE_INFINITY, high?.[i] ?? Number.POSITIVE_INFINITY];
    return larger(min, smaller(max, value));
  });
  if (!low || !high || result.kind !== 'vector') return result;
  // Where the bounds cross, clamp has no value.
  for (const { has } of result.series) for (let i = 0; i < low.length; i++) if (low[i] > high[i]) has[i] = 0;
  return { kind: 'vector', series: result.series.filter((series) => !isEmptySeries(series)) };
}

function round(input: Input): Value {
  const nearest = input.args[1] ? scalarOf(input.args[1]) : undefined;
  return mapFloats(input, (value, i) => {
    // As in Prometheus the inverse is used, so that 0.1 rounds without noise; ties go up.
    const inverse = 1 / (nearest?.[i] ?? 1);
    return Math.floor(value * inverse + 0.5) / inverse;
  });
}

/** The value of the only float of each step, NaN where there is none or more than one. */
function scalar({ args, steps }: Input): Value {
  const values = new Float64Array(steps.count);
  const found = new Uint32Array(steps.count);
  for (const series of vectorOf(args[0])) {
    for (let i = 0; i < values.length; i++) {
      if (!series.has[i] || series.histograms?.[i]) continue;
      values[i] = series.values[i];
      found[i]++;
    }
  }
  for (let i = 0; i < values.length; i++) if (found[i] !== 1) values[i] = Number.NaN;
  return { kind: 'scalar', values };
}

function vector({ args }: Input): Value {
  const values = scalarOf(args[0]);
  const series = { ...emptySeries([], 0), values, has: new Uint8Array(values.length).fill(1) };
  return { kind: 'vector', series: [series] };
}

function constant(f: (input: Input) => number): InstantFunction {
  return (input) => ({ kind: 'scalar', values: new Float64Array(input.steps.count).fill(f(input)) });
}

function pairwise(f: (a: number, b: number) => number): InstantFunction {
  return ({ args }) => {
    const right = scalarOf(args[1]);
    return { kind: 'scalar', values: scalarOf(args[0]).map((value, i) => f(value, right[i])) };
  };
}

const DAY_MS = 86_400_000;
const SAME_NAME_IN_MATH = [
  'abs',
  'ceil',
  'floor',
  'exp',
  'log2',
  'log10',
  'sqrt',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'sinh',
  'cosh',
  'tanh',
  'asinh',
  'acosh',
  'atanh',
] as const;

/** Functions of numbers and times, by name. */
export const MATH_FUNCTIONS: readonly (readonly [string, InstantFunction])[] = [
  ...SAME_NAME_IN_MATH.map((name) => [name, math(Math[name])] as const),
  ['ln', math(Math.log)],
  ['sgn', math((v) => (v > 0 ? 1 : v < 0 ? -1 : v))],
  ['deg', math((v) => (v * 180) / Math.PI)],
  ['rad', math((v) => (v * Math.PI) / 180)],
  ['minute', timePart((d) => d.getUTCMinutes())],
  ['hour', timePart((d) => d.getUTCHours())],
  ['day_of_month', timePart((d) => d.getUTCDate())],
  ['day_of_week', timePart((d) => d.getUTCDay())],
  ['day_of_year', timePart((d) => Math.floor((d.getTime() - Date.UTC(d.getUTCFullYear(), 0, 1)) / DAY_MS) + 1)],
  ['days_in_month', timePart((d) => new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth() + 1, 0)).getUTCDate())],
  ['month', timePart((d) => d.getUTCMonth() + 1)],
  ['year', timePart((d) => d.getUTCFullYear())],
  ['clamp', (input) => clamp(input, scalarOf(input.args[1]), scalarOf(input.args[2]))],
  ['clamp_min', (input) => clamp(input, scalarOf(input.args[1]), undefined)],
  ['clamp_max', (input) => clamp(input, undefined, scalarOf(input.args[1]))],
  ['round', round],
  ['scalar', scalar],
  ['vector', vector],
  ['time', ({ steps }) => ({ kind: 'scalar', values: everyStep(steps, (ms) => ms / 1000) })],
  ['pi', constant(() => Math.PI)],
  ['start', constant(({ times }) => times.startMs / 1000)],
  ['end', constant(({ times }) => times.endMs / 1000)],
  ['range', constant(({ times }) => (times.endMs - times.startMs) / 1000)],
  ['step', constant(({ times }) => times.stepMs / 1000)],
  ['min_of', pairwise(smaller)],
  ['max_of', pairwise(larger)],
];
