import { KahanSum } from '../../model/index.ts';
import type { Window } from './windows.ts';

/**
 * The φ-quantile, linearly interpolated between neighbours; φ < 0 is −Inf, φ > 1 is +Inf, NaN or no values NaN. Reorders
 * `values`; NaN ranks first, as in Prometheus.
 */
export function quantileOf(q: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const rank = q * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  const nans = nanFirst(values);
  if (upper < nans) return Number.NaN;
  select(values, nans, lower < nans ? nans : lower);
  // What follows the lower value in order is the smallest of those behind it.
  let next = values[lower];
  if (upper > lower) {
    next = values[upper];
    for (let i = upper + 1; i < values.length; i++) if (values[i] < next) next = values[i];
  }
  return values[lower] * (1 - weight) + next * weight;
}

/** Moves NaNs to the front. @returns how many there are. */
function nanFirst(values: Float64Array): number {
  let nans = 0;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isNaN(values[i])) continue;
    values[i] = values[nans];
    values[nans++] = Number.NaN;
  }
  return nans;
}

/**
 * Hoare's selection: puts the value of rank `k` at its place, none above it before and none below it behind. O(n) on
 * average, with the median of three as the pivot. `values[from …]` hold no NaN.
 */
function select(values: Float64Array, from: number, k: number): void {
  let [low, high] = [from, values.length - 1];
  while (low < high) {
    const pivot = medianOfThree(values[low], values[(low + high) >>> 1], values[high]);
    let [i, j] = [low, high];
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      const value = values[i];
      values[i++] = values[j];
      values[j--] = value;
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else return;
  }
}

function medianOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

/** Sorts with NaN first; typed arrays sort it last. @returns how many NaNs there are. */
export function sortNanFirst(values: Float64Array): number {
  values.sort();
  let numbers = values.length;
  while (numbers > 0 && Number.isNaN(values[numbers - 1])) numbers--;
  if (numbers === values.length) return 0;
  values.copyWithin(values.length - numbers, 0, numbers);
  values.fill(Number.NaN, 0, values.length - numbers);
  return values.length - numbers;
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
