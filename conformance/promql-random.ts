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

/** Series of the random data: metric, labels and what kind of values it has. */
export interface RandomSeries {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly { readonly ms: number; readonly value: number }[];
}

/** Counters with resets and gaps, gauges with NaN and infinities, classic buckets, and infos for joins. */
export function randomData(random: Random, endMs: number): RandomSeries[] {
  const out: RandomSeries[] = [];
  const series = (metric: string, labels: Record<string, string>, next: (before: number) => number): void => {
    const points: { ms: number; value: number }[] = [];
    let value = 0;
    let gapUntil = -1;
    const interval = random() < 0.8 ? 15_000 : 20_000;
    // Whole seconds, because importers of text round milliseconds in their own ways.
    const phase = Math.floor((random() * interval) / 1000) * 1000;
    for (let ms = phase; ms <= endMs; ms += interval) {
      value = next(value);
      if (random() < 0.02) gapUntil = ms + random() * 600_000;
      if (ms >= gapUntil) points.push({ ms, value });
    }
    if (points.length > 0) out.push({ metric, labels, points });
  };
  for (const job of ['a', 'b']) {
    for (const instance of ['1', '2', '3']) {
      series('req_total', { job, instance }, (v) => (random() < 0.01 ? 0 : v + Math.floor(random() * 20)));
      series('load', { job, instance }, () => gauge(random));
      series('info_metric', { job, instance, version: `v${instance}` }, () => 1);
      const steps = ['0.1', '0.5', '1', '5', '+Inf'].map(() => ({ count: 0 }));
      for (const [i, le] of ['0.1', '0.5', '1', '5', '+Inf'].entries()) {
        series('lat_bucket', { job, instance, le }, () => {
          steps[i].count += (i + 1) * (random() < 0.5 ? 1 : 0);
          return steps[i].count;
        });
      }
    }
    series('limit', { job }, () => Math.round(random() * 100));
  }
  return out;
}

function gauge(random: Random): number {
  const dice = random();
  if (dice < 0.02) return Number.NaN;
  if (dice < 0.03) return Number.POSITIVE_INFINITY;
  return Math.round((random() - 0.5) * 2000) / 10;
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
    const metric = this.pick(['req_total', 'load', 'lat_bucket', 'info_metric', 'limit', 'nothing']);
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
    switch (Math.floor(this.random() * 14)) {
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
      default:
        return this.selector() + this.modifiers();
    }
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
    switch (Math.floor(this.random() * 5)) {
      case 0:
        return `${side()} ${this.pick(arithmetic)} ${this.scalar(1)}`;
      case 1:
        return `${this.scalar(1)} ${this.pick(arithmetic)} ${side()}`;
      case 2:
        return `${side()} ${this.pick(['and', 'or', 'unless'])}${this.pick(['', ' on (job)', ' ignoring (le)'])} ${side()}`;
      case 3: {
        const match = this.pick([
          ' on (job, instance) group_left ()',
          ' on (job) group_left ()',
          ' ignoring (le) group_right ()',
        ]);
        return `${side()} ${this.pick(arithmetic)}${match} ${side()}`;
      }
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
