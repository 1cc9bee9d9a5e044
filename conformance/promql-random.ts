import { CUSTOM_BUCKETS_SCHEMA, type NativeHistogram } from '../server/model/index.ts';
import type { Point } from './promql-notation.ts';

/** A source of random numbers from 0 (inclusive) to 1 (exclusive) that repeats for a seed. */
export type Random = () => number;

/** Mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Series of the random data: metric, labels and its points by time in milliseconds. */
export interface RandomSeries {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly points: [number, Point][];
}

/** What the next sample of a series is. `undefined` for none at this time. */
type Next = (ms: number) => Point | undefined;

/**
 * Counters with resets, gauges with NaN and infinities, classic and native histograms (exponential of several schemas,
 * custom buckets, gauges, a series that turns from floats to histograms and back), series that replace each other, and
 * infos for joins; all with gaps, of which some begin with a staleness marker.
 */
export function randomData(random: Random, endMs: number): RandomSeries[] {
  const out: RandomSeries[] = [];
  const series = (metric: string, labels: Record<string, string>, next: Next): void => {
    const points: [number, Point][] = [];
    let gapUntil = -1;
    const interval = random() < 0.8 ? 15_000 : 20_000;
    // Whole seconds, because steps are compared by their time in seconds.
    const phase = Math.floor((random() * interval) / 1000) * 1000;
    for (let ms = phase; ms <= endMs; ms += interval) {
      const point = next(ms);
      if (ms >= gapUntil && random() < 0.02) {
        gapUntil = ms + random() * 600_000;
        if (random() < 0.5) points.push([ms, { kind: 'stale' }]);
      } else if (ms >= gapUntil && point) points.push([ms, point]);
    }
    if (points.length > 0) out.push({ metric, labels, points });
  };
  const float = (next: (before: number) => number): Next => {
    let value = 0;
    return () => ({ kind: 'float', value: (value = next(value)) });
  };
  for (const job of ['a', 'b']) {
    for (const instance of ['1', '2', '3']) {
      const labels = { job, instance };
      series(
        'req_total',
        labels,
        float((v) => (random() < 0.01 ? 0 : v + Math.floor(random() * 20))),
      );
      series(
        'load',
        labels,
        float(() => gauge(random)),
      );
      series('info_metric', { ...labels, version: `v${instance}` }, () => ({ kind: 'float', value: 1 }));
      // Of two versions one is there at a time, now this one and now that one.
      const rollout = random() * endMs;
      series('build', { ...labels, version: 'old' }, (ms) => (ms < rollout ? { kind: 'float', value: 1 } : undefined));
      series('build', { ...labels, version: 'new' }, (ms) => (ms > rollout ? { kind: 'float', value: 2 } : undefined));
      const steps = ['0.1', '0.5', '1', '5', '+Inf'].map(() => ({ count: 0 }));
      for (const [i, le] of ['0.1', '0.5', '1', '5', '+Inf'].entries()) {
        series(
          'lat_bucket',
          { ...labels, le },
          float(() => (steps[i].count += (i + 1) * (random() < 0.5 ? 1 : 0))),
        );
      }
      series('nh', labels, histogramCounter(random, Math.floor(random() * 4) - 1));
      series('nhc', labels, customCounter(random));
      series('nhg', labels, (ms) => gaugeHistogram(random, ms));
    }
    series(
      'limit',
      { job },
      float(() => Math.round(random() * 100)),
    );
    const [asHistogram, asFloat] = [histogramCounter(random, 1), float((v) => v + Math.floor(random() * 9))];
    series('mix', { job }, (ms) => (Math.floor(ms / 1_700_000) % 2 === 0 ? asFloat(ms) : asHistogram(ms)));
  }
  return out;
}

function gauge(random: Random): number {
  const dice = random();
  if (dice < 0.02) return Number.NaN;
  if (dice < 0.03) return Number.POSITIVE_INFINITY;
  return Math.round((random() - 0.5) * 2000) / 10;
}

/** Counts by bucket that only grow, but for resets. */
function histogramCounter(random: Random, schema: number): Next {
  // Both sides are populated from the start, since Prometheus's storage adds empty buckets that come later to samples
  // before them, and whether a side has buckets decides where the zero bucket lies.
  const start = (): Map<number, number> =>
    new Map([
      [0, 1],
      [0.5, 1],
    ]);
  let counts = start();
  // Far from zero after a reset as well: Prometheus 3.5 doesn't end extrapolation at the zero of a native histogram.
  let zero = 9000;
  let sum = 0;
  return () => {
    if (random() < 0.01) {
      counts = start();
      zero = 3000 + Math.floor(zero / 3);
      sum = 0;
    }
    for (let k = Math.floor(random() * 4); k > 0; k--) {
      const index = Math.floor(random() * 8) - 3;
      // Negative observations are told from positive ones by an odd multiple of a half.
      const key = random() < 0.2 ? index + 0.5 : index;
      counts.set(key, (counts.get(key) ?? 0) + 1 + Math.floor(random() * 3));
      sum += random() * 4;
    }
    if (random() < 0.2) zero++;
    return histogramPoint(schema, counts, zero, sum, 'unknown');
  };
}

function gaugeHistogram(random: Random, ms: number): Point {
  const counts = new Map<number, number>([[0, 1]]);
  for (let k = 1 + (ms % 3); k > 0; k--) counts.set(Math.floor(random() * 6) - 2, 1 + Math.floor(random() * 5));
  return histogramPoint(0, counts, Math.floor(random() * 2), random() * 10, 'gauge');
}

function histogramPoint(
  schema: number,
  counts: ReadonlyMap<number, number>,
  zeroCount: number,
  sum: number,
  counterResetHint: NativeHistogram['counterResetHint'],
): Point {
  const side = (isNegative: boolean): [Int32Array, Float64Array] => {
    const entries = [...counts].filter(([key]) => Number.isInteger(key) !== isNegative).sort(([a], [b]) => a - b);
    return [Int32Array.from(entries, ([key]) => Math.floor(key)), Float64Array.from(entries, ([, count]) => count)];
  };
  const [positiveIndices, positiveCounts] = side(false);
  const [negativeIndices, negativeCounts] = side(true);
  const count = [...counts.values()].reduce((all, one) => all + one, zeroCount);
  const value: NativeHistogram = {
    schema,
    zeroThreshold: 0.001,
    zeroCount,
    count,
    sum,
    positiveIndices,
    positiveCounts,
    negativeIndices,
    negativeCounts,
    customValues: undefined,
    counterResetHint,
  };
  return { kind: 'histogram', value, hintGiven: counterResetHint !== 'unknown' };
}

function customCounter(random: Random): Next {
  const bounds = Float64Array.of(0.5, 1, 2, 5);
  let counts = new Float64Array(5).fill(2000);
  let sum = 0;
  return () => {
    if (random() < 0.01) {
      counts = new Float64Array(5).fill(700 + Math.floor(counts[0] / 3));
      sum = 0;
    }
    counts = counts.map((count) => count + (random() < 0.4 ? 1 : 0));
    sum += random() * 3;
    const value: NativeHistogram = {
      schema: CUSTOM_BUCKETS_SCHEMA,
      zeroThreshold: 0,
      zeroCount: 0,
      count: counts.reduce((all, one) => all + one, 0),
      sum,
      positiveIndices: Int32Array.from(counts.keys()),
      positiveCounts: counts,
      negativeIndices: new Int32Array(0),
      negativeCounts: new Float64Array(0),
      customValues: bounds,
      counterResetHint: 'unknown',
    };
    return { kind: 'histogram', value, hintGiven: false };
  };
}

/** A random query over the random data that has no known reason to be refused. */
export function randomQuery(random: Random): string {
  const grammar = new Grammar(random);
  return random() < 0.1 ? grammar.scalar(2) : grammar.vector(3);
}

class Grammar {
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  private pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)];
  }

  private selector(): string {
    const metric = this.pick([
      ...['req_total', 'req_total', 'load', 'load', 'lat_bucket', 'info_metric', 'limit', 'nothing', 'build'],
      ...['nh', 'nh', 'nhc', 'nhg', 'mix'],
    ]);
    const matcher = this.pick(['', '', '{job="a"}', '{instance!="2"}', '{job=~"a|b",instance=~"[12]"}', '{job=""}']);
    return metric + matcher;
  }

  private modifiers(): string {
    return this.pick(['', '', '', ' offset 5m', ' offset -3m', ' @ 1800', ' @ start()', ' @ end() offset 2m']);
  }

  private range(depth: number): string {
    const length = this.pick(['30s', '1m', '5m', '17m', '1h']);
    if (depth > 0 && this.random() < 0.3) {
      return `(${this.vector(depth - 1)})[${length}:${this.pick(['', '30s', '1m', '7s'])}]${this.modifiers()}`;
    }
    return `${this.selector()}[${length}]${this.modifiers()}`;
  }

  scalar(depth: number): string {
    const literal = this.pick(['0', '1', '2.5', '-3', '0.5', '1e3', 'NaN', 'Inf', '-Inf']);
    if (depth === 0) return literal;
    const inner = depth - 1;
    switch (Math.floor(this.random() * 6)) {
      case 0:
        return `(${this.scalar(inner)} ${this.pick(['+', '-', '*', '/', '%', '^', 'atan2'])} ${this.scalar(inner)})`;
      case 1:
        return `(${this.scalar(inner)} ${this.pick(['==', '!=', '<', '>', '<=', '>='])} bool ${this.scalar(inner)})`;
      case 2:
        return this.pick(['time()', 'pi()']);
      case 3:
        return `scalar(${this.vector(inner)})`;
      default:
        return literal;
    }
  }

  vector(depth: number): string {
    if (depth === 0) return this.selector() + this.modifiers();
    const inner = depth - 1;
    switch (Math.floor(this.random() * 18)) {
      case 0:
      case 1:
      case 2:
        return `${this.pick(RANGE_FUNCTIONS)}(${this.range(inner)})`;
      case 3:
        return `${this.pick(MATH_FUNCTIONS)}(${this.vector(inner)})`;
      case 4:
      case 5:
        return this.aggregation(inner);
      case 6:
      case 7:
        return this.binary(inner);
      case 8:
        return this.pick([
          `quantile_over_time(${this.pick(['0.5', '0.9', '-1', '2'])}, ${this.range(inner)})`,
          `predict_linear(${this.range(inner)}, 600)`,
        ]);
      case 9:
        return `histogram_quantile(${this.pick(['0', '0.5', '0.99', '1', '1.5'])}, ${this.pick([
          'lat_bucket',
          'rate(lat_bucket[5m])',
          'sum by (le, job) (rate(lat_bucket[10m]))',
          'sum by (le) (lat_bucket)',
        ])})`;
      case 10:
        return this.pick([
          `clamp(${this.vector(inner)}, ${this.scalar(0)}, ${this.scalar(0)})`,
          `round(${this.vector(inner)}, 5)`,
          `label_replace(${this.vector(inner)}, "x", "$1-y", "job", "(.*)")`,
          `label_join(${this.vector(inner)}, "x", "/", "job", "instance")`,
          `absent(${this.vector(inner)})`,
          `timestamp(${this.vector(inner)})`,
          // Of NaN and infinities Prometheus gives what the processor makes of them, so that only times are asked.
          `${this.pick(['hour', 'day_of_week', 'minute', 'day_of_year'])}(timestamp(${this.vector(inner)}))`,
          `vector(${this.scalar(inner)})`,
          `sort(${this.vector(inner)})`,
        ]);
      case 11:
        return `-${this.vector(inner)}`;
      case 12:
      case 13:
        return this.histograms(inner);
      case 14:
        return this.pick([
          `sum by (job) (${this.vector(inner)})`,
          `${this.pick(['topk', 'bottomk'])} by (job) (${this.pick(['1', '2', '4'])}, load${this.modifiers()})`,
          // Which series are kept is arbitrary, how many is not.
          `count(limitk ${this.grouping()} (2, ${this.selector()}))`,
          `limit_ratio(${this.pick(['0.5', '-0.5', '0.1'])}, ${this.selector()})`,
          `mad_over_time(${this.range(inner)})`,
          `double_exponential_smoothing(${this.range(inner)}, 0.5, 0.3)`,
          `sort_by_label(${this.vector(inner)}, "instance")`,
          `absent_over_time(${this.range(inner)})`,
        ]);
      default:
        return this.selector() + this.modifiers();
    }
  }

  /** Something of native histograms. */
  private histograms(depth: number): string {
    const selector = (): string => this.pick(['nh', 'nhc', 'nhg', 'mix', 'nh{job="a"}']);
    const range = (): string => `${selector()}[${this.pick(['1m', '5m', '20m'])}]${this.modifiers()}`;
    const vector = (): string =>
      this.pick([
        selector() + this.modifiers(),
        `${this.pick(['rate', 'increase', 'delta', 'irate', 'idelta', 'sum_over_time', 'avg_over_time'])}(${range()})`,
        `sum ${this.grouping()} (rate(${range()}))`,
        `${this.pick(['sum', 'avg'])} ${this.grouping()} (${selector()})`,
        `${selector()} * 2`,
        `3 * ${selector()}`,
        `${selector()} / ${this.pick(['4', '0', '-1'])}`,
        `${selector()} ${this.pick(['+', '-', '==', '!='])} ${selector()}`,
        `${this.pick(['rate', 'sum_over_time', 'last_over_time'])}((${selector()})[10m:1m])`,
      ]);
    return this.pick([
      () => vector(),
      () => `histogram_${this.pick(['count', 'sum', 'avg', 'stddev', 'stdvar'])}(${vector()})`,
      () => `histogram_quantile(${this.pick(['0', '0.1', '0.5', '0.99', '1', '2'])}, ${vector()})`,
      () => `histogram_fraction(${this.pick(['-1', '0', '0.2'])}, ${this.pick(['0.5', '3', 'Inf'])}, ${vector()})`,
      () => `${this.pick(['changes', 'resets', 'count_over_time', 'present_over_time', 'max_over_time'])}(${range()})`,
      () => `count ${this.grouping()} (${vector()})`,
      () => `(${vector()}) ${this.pick(['and', 'or', 'unless', '+', '*', '=='])} (${this.vector(depth)})`,
    ])();
  }

  private grouping(): string {
    return this.pick(['', 'by (job)', 'by (instance, le)', 'by ()', 'without (instance)', 'without (le, job)']);
  }

  private aggregation(depth: number): string {
    const op = this.pick([
      'sum',
      'avg',
      'count',
      'min',
      'max',
      'group',
      'stddev',
      'stdvar',
      'quantile',
      'count_values',
    ]);
    const param = op === 'quantile' ? `${this.pick(['0', '0.3', '1', '-1'])}, ` : op === 'count_values' ? '"v", ' : '';
    return `${op} ${this.grouping()} (${param}${this.vector(depth)})`;
  }

  private binary(depth: number): string {
    const arithmetic = ['+', '-', '*', '/', '%', '^', '==', '!=', '>', '<', '>=', '<=', '> bool', '== bool'];
    const side = (): string => `(${this.vector(depth)})`;
    switch (Math.floor(this.random() * 7)) {
      case 0:
        return `${side()} ${this.pick(arithmetic)} ${this.scalar(1)}`;
      case 1:
        return `${this.scalar(1)} ${this.pick(arithmetic)} ${side()}`;
      case 2:
        return `${side()} ${this.pick(['and', 'or', 'unless'])}${this.pick(['', ' on (job)', ' ignoring (le)'])} ${side()}`;
      case 3: {
        const match = this.pick([
          ' on (job, instance) group_left (version)',
          ' on (job, instance) group_left ()',
          ' on (job) group_left ()',
          ' ignoring (le) group_right ()',
        ]);
        return `${side()} ${this.pick(arithmetic)}${match} ${side()}`;
      }
      case 4:
        return `${side()} * on (job, instance) group_left (version) ${this.pick(['build', 'info_metric'])}`;
      default:
        return `${side()} ${this.pick(arithmetic)}${this.pick(['', ' on (job, instance)', ' ignoring (instance)'])} ${side()}`;
    }
  }
}

const RANGE_FUNCTIONS = [
  'rate',
  'increase',
  'delta',
  'irate',
  'idelta',
  'deriv',
  'changes',
  'resets',
  'sum_over_time',
  'avg_over_time',
  'min_over_time',
  'max_over_time',
  'count_over_time',
  'last_over_time',
  'present_over_time',
  'absent_over_time',
  'stddev_over_time',
  'stdvar_over_time',
];
const MATH_FUNCTIONS = ['abs', 'ceil', 'floor', 'exp', 'sqrt', 'ln', 'log2', 'log10', 'sgn', 'sin', 'atan', 'deg'];
