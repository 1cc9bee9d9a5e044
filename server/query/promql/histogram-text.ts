import { bucketsOf, hasCustomBounds, type NativeHistogram } from '../../model/index.ts';
import { formatG } from './format.ts';

/** A histogram as Prometheus prints it: `{count:3, sum:2, [-1,-0.5):1, (1,2]:2}`. */
export function printHistogram(h: NativeHistogram): string {
  const parts = [`count:${formatG(h.count)}`, `sum:${formatG(h.sum)}`];
  for (const { lower, upper, count } of bucketsOf(h)) {
    if (count === 0) continue;
    const range = `${formatG(lower)},${formatG(upper)}`;
    const isClosed = hasCustomBounds(h) ? lower === Number.NEGATIVE_INFINITY : lower === -upper;
    if (!isClosed && (hasCustomBounds(h) || lower >= 0)) parts.push(`(${range}]:${formatG(count)}`);
    else if (isClosed) parts.push(`[${range}]:${formatG(count)}`);
    else parts.push(`[${range}):${formatG(count)}`);
  }
  return `{${parts.join(', ')}}`;
}

/** How many samples a histogram counts as in the limit of samples: one per 16 bytes, as in Prometheus. */
export function histogramWeight(h: NativeHistogram): number {
  return 6 + ((h.positiveIndices.length + h.negativeIndices.length) * 12) / 16;
}
