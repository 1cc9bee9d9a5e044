import type { ValueType } from './ast.ts';

/** What a function takes and gives. */
export interface Signature {
  readonly args: readonly ValueType[];
  /** How many of the last arguments may be left out; −1 means that the last one repeats any number of times. */
  readonly optional: number;
  readonly returns: ValueType;
}

function signature(args: readonly ValueType[], returns: ValueType = 'vector', optional = 0): Signature {
  return { args, returns, optional };
}

const VECTOR = signature(['vector']);
const MATRIX = signature(['matrix']);
const TIME_PART = signature(['vector'], 'vector', 1);

/** Every function that the engine knows. */
export const SIGNATURES: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ...['abs', 'ceil', 'floor', 'exp', 'ln', 'log2', 'log10', 'sqrt', 'sgn', 'deg', 'rad'].map(
    (name) => [name, VECTOR] as [string, Signature],
  ),
  ...['sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'tanh', 'asinh', 'acosh', 'atanh'].map(
    (name) => [name, VECTOR] as [string, Signature],
  ),
  ...[
    'rate',
    'increase',
    'delta',
    'irate',
    'idelta',
    'deriv',
    'changes',
    'resets',
    'avg_over_time',
    'sum_over_time',
    'min_over_time',
    'max_over_time',
    'count_over_time',
    'last_over_time',
    'first_over_time',
    'present_over_time',
    'stddev_over_time',
    'stdvar_over_time',
    'mad_over_time',
    'absent_over_time',
    'ts_of_min_over_time',
    'ts_of_max_over_time',
    'ts_of_first_over_time',
    'ts_of_last_over_time',
  ].map((name) => [name, MATRIX] as [string, Signature]),
  ...['minute', 'hour', 'day_of_month', 'day_of_week', 'day_of_year', 'days_in_month', 'month', 'year'].map(
    (name) => [name, TIME_PART] as [string, Signature],
  ),
  ...['histogram_count', 'histogram_sum', 'histogram_avg', 'histogram_stddev', 'histogram_stdvar'].map(
    (name) => [name, VECTOR] as [string, Signature],
  ),
  ['histogram_quantiles', signature(['vector', 'string', 'scalar'], 'vector', -1)],
  ['quantile_over_time', signature(['scalar', 'matrix'])],
  ['predict_linear', signature(['matrix', 'scalar'])],
  ['double_exponential_smoothing', signature(['matrix', 'scalar', 'scalar'])],
  ['histogram_quantile', signature(['scalar', 'vector'])],
  ['histogram_fraction', signature(['scalar', 'scalar', 'vector'])],
  ['absent', VECTOR],
  ['clamp', signature(['vector', 'scalar', 'scalar'])],
  ['clamp_max', signature(['vector', 'scalar'])],
  ['clamp_min', signature(['vector', 'scalar'])],
  ['round', signature(['vector', 'scalar'], 'vector', 1)],
  ['label_replace', signature(['vector', 'string', 'string', 'string', 'string'])],
  ['label_join', signature(['vector', 'string', 'string', 'string'], 'vector', -1)],
  ['sort', VECTOR],
  ['sort_desc', VECTOR],
  ['sort_by_label', signature(['vector', 'string'], 'vector', -1)],
  ['sort_by_label_desc', signature(['vector', 'string'], 'vector', -1)],
  ['timestamp', VECTOR],
  ['vector', signature(['scalar'])],
  ['scalar', signature(['vector'], 'scalar')],
  ['time', signature([], 'scalar')],
  ['pi', signature([], 'scalar')],
  ...['step', 'range', 'start', 'end'].map((name) => [name, signature([], 'scalar')] as [string, Signature]),
  ['min_of', signature(['scalar', 'scalar'], 'scalar')],
  ['max_of', signature(['scalar', 'scalar'], 'scalar')],
  ['info', signature(['vector', 'vector'], 'vector', 1)],
]);

/** Functions that Prometheus keeps behind a flag; they work here and say so. */
export const EXPERIMENTAL_FUNCTIONS: ReadonlySet<string> = new Set([
  'first_over_time',
  'mad_over_time',
  'double_exponential_smoothing',
  'sort_by_label',
  'sort_by_label_desc',
  'histogram_quantiles',
  'info',
  'step',
  'range',
  'start',
  'end',
  'min_of',
  'max_of',
  'ts_of_min_over_time',
  'ts_of_max_over_time',
  'ts_of_first_over_time',
  'ts_of_last_over_time',
]);

/** Aggregations that Prometheus keeps behind a flag; they work here and say so. */
export const EXPERIMENTAL_AGGREGATIONS: ReadonlySet<string> = new Set(['limitk', 'limit_ratio']);
