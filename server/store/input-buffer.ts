/** Inputs of aggregation as columns, which grow and are used again. */
export class InputBuffer {
  count = 0;
  /** The series that the input's output writes to. */
  output = new Uint32Array(256);
  /** The hash of the input's raw labels. */
  hi = new Uint32Array(256);
  lo = new Uint32Array(256);
  last = new Float64Array(256);
  /** Milliseconds since the epoch; 0 where nobody said when the counter began. */
  startMs = new Float64Array(256);
  timestampMs = new Float64Array(256);

  /** Adds an input. */
  push(output: number, hi: number, lo: number, last: number, startMs: number, timestampMs: number): void {
    const row = this.count++;
    if (row === this.output.length) this.grow();
    this.output[row] = output;
    this.hi[row] = hi;
    this.lo[row] = lo;
    this.last[row] = last;
    this.startMs[row] = startMs;
    this.timestampMs[row] = timestampMs;
  }

  /** Forgets all and keeps the memory. */
  reset(): void {
    this.count = 0;
  }

  private grow(): void {
    const size = this.output.length * 2;
    this.output = copied(this.output, new Uint32Array(size));
    this.hi = copied(this.hi, new Uint32Array(size));
    this.lo = copied(this.lo, new Uint32Array(size));
    this.last = copied(this.last, new Float64Array(size));
    this.startMs = copied(this.startMs, new Float64Array(size));
    this.timestampMs = copied(this.timestampMs, new Float64Array(size));
  }
}

function copied<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
