import { KahanSum } from '../../model/index.ts';
import type { Window } from './windows.ts';

/**
 * The φ-quantile, linearly interpolated between neighbours; φ < 0 is −Inf, φ > 1 is +Inf, NaN or no values NaN. Sorts
 * `values` in place, NaN first as in Prometheus.
 */
export function quantileOf(q: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  sortNanFirst(values);
  const rank = q * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return values[lower] * (1 - weight) + values[upper] * weight;
}

/** Typed arrays sort NaN last; the values are moved up and the NaNs put in front. */
function sortNanFirst(values: Float64Array): void {
  values.sort();
  let numbers = values.length;
  while (numbers > 0 && Number.isNaN(values[numbers - 1])) numbers--;
  if (numbers === values.length) return;
  values.copyWithin(values.length - numbers, 0, numbers);
  values.fill(Number.NaN, 0, values.length - numbers);
}

/** Population variance by Welford's method, with compensated sums. */
export function variance({ samples, from, to }: Window): number {
  const mean = new KahanSum();
  const squares = new KahanSum();
  for (let i = from, n = 1; i < to; i++, n++) {
    const distance = samples.values[i] - mean.value;
    mean.add(distance / n);
    squares.add(distance * (samples.values[i] - mean.value));
  }
  return squares.value / (to - from);
}

/** The median of the distances from the median; NaN where a value is. */
export function medianDeviation({ samples, from, to }: Window): number {
  const values = samples.values.slice(from, to);
  if (values.some((v) => Number.isNaN(v))) return Number.NaN;
  const median = quantileOf(0.5, values);
  return quantileOf(
    0.5,
    values.map((v) => Math.abs(v - median)),
  );
}
