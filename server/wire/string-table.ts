/** Longer strings seldom repeat, and comparing them costs more. */
export const MAX_REMEMBERED_BYTES = 48;

const SLOTS = 1024;

/**
 * Remembers the strings that were last read from one body. Telemetry says the same names and values over and over;
 * comparing a few bytes with an earlier place in the body is several times faster than making a string of them, and the
 * equal strings are one in memory. A slot is overwritten by what comes later, so the table never grows.
 */
export class StringTable {
  readonly #bytes: Buffer;
  readonly #starts = new Int32Array(SLOTS);
  readonly #lengths = new Int32Array(SLOTS);
  readonly #texts: string[] = new Array(SLOTS).fill('');

  /** `bytes` must not change while the table is used. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The bytes from `start` as UTF-8; what isn't becomes U+FFFD. `length` is 1 to `MAX_REMEMBERED_BYTES`. */
  read(start: number, length: number): string {
    const bytes = this.#bytes;
    let hash = length;
    for (let i = start; i < start + length; i++) hash = Math.imul(hash, 31) + bytes[i];
    const slot = (hash ^ (hash >>> 10)) & (SLOTS - 1);
    if (this.#lengths[slot] === length && this.#matches(this.#starts[slot], start, length)) return this.#texts[slot];
    const text = bytes.toString('utf8', start, start + length);
    this.#starts[slot] = start;
    this.#lengths[slot] = length;
    this.#texts[slot] = text;
    return text;
  }

  #matches(a: number, b: number, length: number): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
    return true;
  }
}
