import { overFloats } from './over-floats.ts';
import type { RangeFunction, RangeOutput } from './range-functions.ts';
import { derivative, predictLinear } from './regression.ts';
import { variance } from './statistics.ts';
import { averageLength, SLIDING_FROM, type Windows } from './windows.ts';

/**
 * Means and moments of windows at O(1) a step, and without subtracting, so that nothing outside of a window costs
 * precision inside it: a window is split at a middle; moments of the front part are kept for every start, those of the
 * back part grow, and the two are joined. When the start passes the middle, the whole window becomes the front.
 * Values are added by Welford's method and parts joined by Chan's (Chan, Golub, LeVeque 1983).
 */
class SlidingMoments {
  n = 0;
  meanX = 0;
  meanY = 0;
  /** Sums of squared distances from the mean, and of their products. */
  squaresX = 0;
  squaresY = 0;
  products = 0;
  private readonly xs: Float64Array;
  private readonly ys: Float64Array;
  /** `FIELDS` numbers for every start within the front. */
  private readonly front: Float64Array;
  private readonly base: number;
  private middle: number;
  private end: number;
  private readonly back = new Float64Array(FIELDS);
  private backCount = 0;

  /** @param from The first sample of the first window. */
  constructor(xs: Float64Array, ys: Float64Array, from: number) {
    this.xs = xs;
    this.ys = ys;
    this.base = from;
    this.middle = from;
    this.end = from;
    this.front = new Float64Array((ys.length - from) * FIELDS);
  }

  /** Moves to the samples from `from` up to but without `to`; neither goes back. The window must not be empty. */
  slide(from: number, to: number): void {
    const { back, front, base } = this;
    if (from >= this.middle) {
      back.fill(0);
      let count = 0;
      for (let i = to - 1; i >= from; i--) {
        this.add(back, ++count, i);
        front.set(back, (i - base) * FIELDS);
      }
      this.middle = to;
      this.end = to;
      this.backCount = 0;
      back.fill(0);
    }
    for (; this.end < to; this.end++) this.add(back, ++this.backCount, this.end);
    this.join((from - base) * FIELDS, this.middle - from);
  }

  private add(part: Float64Array, count: number, i: number): void {
    const [x, y] = [this.xs[i], this.ys[i]];
    const [dx, dy] = [x - part[0], y - part[1]];
    part[0] += dx / count;
    part[1] += dy / count;
    const after = y - part[1];
    part[2] += dx * (x - part[0]);
    part[3] += dy * after;
    part[4] += dx * after;
  }

  private join(at: number, frontCount: number): void {
    const { front, back, backCount } = this;
    const n = frontCount + backCount;
    const [dx, dy] = [back[0] - front[at], back[1] - front[at + 1]];
    this.n = n;
    if (backCount === 0) {
      this.meanX = front[at];
      this.meanY = front[at + 1];
      this.squaresX = front[at + 2];
      this.squaresY = front[at + 3];
      this.products = front[at + 4];
      return;
    }
    const weight = (frontCount * backCount) / n;
    this.meanX = front[at] + (dx * backCount) / n;
    this.meanY = front[at + 1] + (dy * backCount) / n;
    this.squaresX = front[at + 2] + back[2] + dx * dx * weight;
    this.squaresY = front[at + 3] + back[3] + dy * dy * weight;
    this.products = front[at + 4] + back[4] + dx * dy * weight;
  }
}

/** Mean of x and y, squares of x and y, products. */
const FIELDS = 5;

/** `stdvar_over_time` or, with `root`, `stddev_over_time`. */
export function varianceColumn(root: boolean): RangeFunction {
  const direct = overFloats(root ? (window) => Math.sqrt(variance(window)) : variance);
  return (windows, out, scope) => {
    const { samples, from, to } = windows;
    if (samples.histograms || averageLength(windows) < SLIDING_FROM) return direct(windows, out, scope);
    const moments = new SlidingMoments(samples.values, samples.values, from[0]);
    for (let step = 0; step < from.length; step++) {
      if (from[step] === to[step]) continue;
      moments.slide(from[step], to[step]);
      const value = moments.squaresY / moments.n;
      out.values[step] = root ? Math.sqrt(value) : value;
      out.has[step] = 1;
    }
  };
}

/** `deriv(v[r])`. */
export const derivativeColumn: RangeFunction = lineColumn(overFloats(derivative), (line) => line.slope);

/** `predict_linear(v[r], seconds)`. */
export const predictionColumn: RangeFunction = lineColumn(
  overFloats(predictLinear),
  ({ slope, meanX, meanY }, x, [seconds]) => meanY + slope * (x - meanX) + slope * seconds,
);

/** The line through a window's values; times in seconds since the first sample of the series. */
interface Line {
  readonly slope: number;
  readonly meanX: number;
  readonly meanY: number;
}

function lineColumn(
  direct: RangeFunction,
  read: (line: Line, stepSeconds: number, args: readonly number[]) => number,
): RangeFunction {
  return (windows, out, scope) => {
    const { samples } = windows;
    if (samples.histograms || averageLength(windows) < SLIDING_FROM) return direct(windows, out, scope);
    // Means that are moved along know no infinity, and sums do.
    if (samples.values.some((value) => value === Infinity || value === -Infinity)) return direct(windows, out, scope);
    const { timestamps } = samples;
    const xs = new Float64Array(timestamps.length);
    for (let i = 0; i < xs.length; i++) xs[i] = (timestamps[i] - timestamps[0]) / 1000;
    const at: number[] = new Array(scope.args.length);
    slideLine(windows, xs, out, (line, step) => {
      for (let i = 0; i < at.length; i++) at[i] = scope.args[i][step];
      return read(line, (scope.timeOf(step) - timestamps[0]) / 1000, at);
    });
  };
}

function slideLine(
  { samples, from, to }: Windows,
  xs: Float64Array,
  out: RangeOutput,
  read: (line: Line, step: number) => number,
): void {
  const { values } = samples;
  const changes = new Uint32Array(values.length);
  for (let i = 1; i < changes.length; i++) changes[i] = changes[i - 1] + Number(values[i] !== values[i - 1]);
  const moments = new SlidingMoments(xs, values, from[0]);
  for (let step = 0; step < from.length; step++) {
    const [first, past] = [from[step], to[step]];
    if (past - first < 2) continue;
    moments.slide(first, past);
    const { meanX, products, squaresX } = moments;
    let [slope, meanY] = [products / squaresX, moments.meanY];
    if (changes[past - 1] === changes[first] && !Number.isNaN(values[first])) {
      // A constant has no slope; computing it would leave rounding noise. Infinities have no line at all.
      const hasLine = Number.isFinite(values[first]);
      slope = hasLine ? 0 : Number.NaN;
      meanY = hasLine ? values[first] : Number.NaN;
    }
    out.values[step] = read({ slope, meanX, meanY }, step);
    out.has[step] = 1;
  }
}
