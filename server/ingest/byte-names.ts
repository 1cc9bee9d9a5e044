/** Names that are told apart, at most, and their bytes. */
const MAX_NAMES = 8192;
const MAX_BYTES = 1 << 20;

/** Gives names that come as bytes their numbers, without making texts of them each time. Bounded; it starts anew when full. */
export class ByteNames {
  /** Goes up each time that the numbers begin anew. */
  epoch = 0;
  private readonly bytes = Buffer.allocUnsafeSlow(MAX_BYTES);
  private used = 0;
  private readonly starts = new Uint32Array(MAX_NAMES + 1);
  private texts: string[] = [];
  private readonly cells = new Int32Array(4 * MAX_NAMES);

  /** The number of the ASCII name `from[start, end)`, and a hash of it that the caller has made. */
  numberOf(from: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.cells.length - 1;
    let cell = (hash ^ (hash >>> 15)) & mask;
    for (let entry = this.cells[cell]; entry !== 0; entry = this.cells[cell]) {
      if (this.isName(entry - 1, from, start, end)) return entry - 1;
      cell = (cell + 1) & mask;
    }
    return this.add(from, start, end, hash);
  }

  /** The name of a number. */
  text(number: number): string {
    return this.texts[number];
  }

  private isName(number: number, from: Uint8Array, start: number, end: number): boolean {
    const at = this.starts[number];
    const length = end - start;
    if (this.starts[number + 1] - at !== length) return false;
    for (let i = 0; i < length; i++) if (this.bytes[at + i] !== from[start + i]) return false;
    return true;
  }

  private add(from: Uint8Array, start: number, end: number, hash: number): number {
    const length = end - start;
    if (this.texts.length === MAX_NAMES || this.used + length > MAX_BYTES) this.clear();
    const number = this.texts.length;
    for (let i = 0; i < length; i++) this.bytes[this.used + i] = from[start + i];
    this.texts.push(this.bytes.toString('latin1', this.used, this.used + length));
    this.used += length;
    this.starts[number + 1] = this.used;
    const mask = this.cells.length - 1;
    let cell = (hash ^ (hash >>> 15)) & mask;
    while (this.cells[cell] !== 0) cell = (cell + 1) & mask;
    this.cells[cell] = number + 1;
    return number;
  }

  private clear(): void {
    this.epoch++;
    this.used = 0;
    this.texts = [];
    this.cells.fill(0);
  }
}
