/**
 * Sums that keep what plain floating point loses: Kahan's summation in Neumaier's form, as Prometheus sums. `total` and
 * `lost` are kept apart so that sums of parts can be joined.
 */
export class KahanSum {
  total = 0;
  lost = 0;

  add(value: number): void {
    const next = this.total + value;
    if (next === Number.POSITIVE_INFINITY || next === Number.NEGATIVE_INFINITY) this.lost = 0;
    else if (Math.abs(this.total) >= Math.abs(value)) this.lost += this.total - next + value;
    else this.lost += value - next + this.total;
    this.total = next;
  }

  get value(): number {
    return this.total + this.lost;
  }
}

/** The compensated sum of `values[from, to)`. */
export function preciseSum(values: ArrayLike<number>, from: number, to: number): number {
  let total = 0;
  let lost = 0;
  for (let i = from; i < to; i++) {
    const value = values[i];
    const next = total + value;
    if (next === Number.POSITIVE_INFINITY || next === Number.NEGATIVE_INFINITY) lost = 0;
    else if (Math.abs(total) >= Math.abs(value)) lost += total - next + value;
    else lost += value - next + total;
    total = next;
  }
  return total + lost;
}

/**
 * The mean of `values[from, to)`, which must not be empty. Where the sum overflows, the mean is moved along value by
 * value instead, as Prometheus does, so that it is finite where the mean is.
 */
export function preciseMean(values: ArrayLike<number>, from: number, to: number): number {
  let total = values[from];
  let lost = 0;
  let mean = 0;
  let incremental = false;
  for (let i = from + 1, n = 2; i < to; i++, n++) {
    const value = values[i];
    if (!incremental) {
      const next = total + value;
      if (next !== Number.POSITIVE_INFINITY && next !== Number.NEGATIVE_INFINITY) {
        lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
        total = next;
        continue;
      }
      incremental = true;
      mean = total / (n - 1);
      lost /= n - 1;
    }
    const share = (n - 1) / n;
    const [scaled, part] = [share * mean, value / n];
    const next = scaled + part;
    lost *= share;
    if (next === Number.POSITIVE_INFINITY || next === Number.NEGATIVE_INFINITY) lost = 0;
    else lost += Math.abs(scaled) >= Math.abs(part) ? scaled - next + part : part - next + scaled;
    mean = next;
  }
  return incremental ? mean + lost : total / (to - from) + lost / (to - from);
}
