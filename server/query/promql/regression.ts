import { KahanSum } from '../../model/index.ts';
import { executionError } from './errors.ts';
import { formatG } from './format.ts';
import type { Window } from './windows.ts';

/** `deriv(v[r])`: the slope per second of the line through the window's values. */
export function derivative(window: Window): number | undefined {
  if (window.to - window.from < 2) return undefined;
  return fitLine(window, window.samples.timestamps[window.from]).slope;
}

/** `predict_linear(v[r], seconds)`: where that line is some seconds after the step. */
export function predictLinear(window: Window, [seconds]: readonly number[], stepMs: number): number | undefined {
  if (window.to - window.from < 2) return undefined;
  const { slope, intercept } = fitLine(window, stepMs);
  return slope * seconds + intercept;
}

/** Least squares over the window: slope per second, and the line's value at `interceptMs`. */
function fitLine({ samples, from, to }: Window, interceptMs: number): { slope: number; intercept: number } {
  const { timestamps, values } = samples;
  const [sumX, sumY, sumXY, sumX2] = [new KahanSum(), new KahanSum(), new KahanSum(), new KahanSum()];
  let constant = true;
  for (let i = from; i < to; i++) {
    const x = (timestamps[i] - interceptMs) / 1000;
    const y = values[i];
    if (y !== values[from]) constant = false;
    sumX.add(x);
    sumY.add(y);
    sumXY.add(x * y);
    sumX2.add(x * x);
  }
  if (constant) {
    // A constant has no slope; computing it would leave rounding noise. Infinities have no line at all.
    return Number.isFinite(values[from])
      ? { slope: 0, intercept: values[from] }
      : { slope: Number.NaN, intercept: Number.NaN };
  }
  const n = to - from;
  const covariance = sumXY.value - (sumX.value * sumY.value) / n;
  const slope = covariance / (sumX2.value - (sumX.value * sumX.value) / n);
  return { slope, intercept: sumY.value / n - (slope * sumX.value) / n };
}

/**
 * `double_exponential_smoothing(v[r], sf, tf)`, Holt's linear method: a level that follows the values and a trend that
 * follows the level.
 * @throws BarographError `promql_execution` for factors outside of (0, 1).
 */
export function smooth({ samples, from, to }: Window, [factor, trendFactor]: readonly number[]): number | undefined {
  for (const [name, value] of [
    ['smoothing', factor],
    ['trend', trendFactor],
  ] as const) {
    if (!(value > 0 && value < 1)) {
      throw executionError(`invalid ${name} factor. Expected: 0 < ${name[0]}f < 1, got: ${formatG(value)}`);
    }
  }
  if (to - from < 2) return undefined;
  let before = 0;
  let level = samples.values[from];
  let trend = samples.values[from + 1] - samples.values[from];
  for (let i = from + 1; i < to; i++) {
    // The first trend is the first difference; later ones follow the two last levels.
    if (i > from + 1) trend = trendFactor * (level - before) + (1 - trendFactor) * trend;
    const next = factor * samples.values[i] + (1 - factor) * (level + trend);
    before = level;
    level = next;
  }
  return level;
}
