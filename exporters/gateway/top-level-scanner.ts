const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SPACE = 0x20;

/** Longest name of a key that is compared; bytes. */
const MAX_KEY_BYTES = 64;
/** Longest value that is kept; bytes. Usage of a request has some hundred. */
const MAX_VALUE_BYTES = 4096;

/**
 * Reads named values at the top of a JSON object as its bytes come, whatever its size, and keeps nothing else: prompts and
 * embeddings pass by in strings that are skipped by a search for their closing quote.
 */
export class TopLevelScanner {
  readonly #wanted: ReadonlySet<string>;
  readonly #values = new Map<string, Buffer>();
  #depth = 0;
  #isObject = false;
  #isInString = false;
  /** Whether a run of backslashes at the end of the last bytes leaves the next byte escaped. */
  #isEscaped = false;
  /** At the top level a string before a colon is a key. */
  #expectsKey = false;
  #isKey = false;
  /** The bytes of the key or value that is being read; undefined where it isn't wanted or became too long. */
  #held: Buffer[] | undefined;
  #heldBytes = 0;
  #key: string | undefined;
  #isComplete = false;

  /** @param wanted Names of keys whose values are kept. */
  constructor(wanted: ReadonlySet<string>) {
    this.#wanted = wanted;
  }

  /** Whether the object has ended. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** The value of a key so far, parsed; undefined where it is absent, longer than 4 KiB, or not JSON. */
  value(key: string): unknown {
    const bytes = this.#values.get(key);
    if (!bytes) return undefined;
    try {
      return JSON.parse(bytes.toString('utf8'));
    } catch {
      return undefined;
    }
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  feed(chunk: Buffer): void {
    if (this.#isComplete) return;
    let i = 0;
    // Where the bytes begin that are to be held of this chunk.
    let from = 0;
    while (i < chunk.length) {
      if (this.#isInString) {
        i = this.#skipString(chunk, i);
        if (this.#isInString) break;
        if (this.#isKey) this.#endKey(chunk, from, i - 1);
        continue;
      }
      const byte = chunk[i++];
      if (byte <= SPACE) continue;
      switch (byte) {
        case QUOTE:
          this.#isInString = true;
          this.#isEscaped = false;
          if (this.#depth === 1 && this.#expectsKey) {
            this.#expectsKey = false;
            this.#isKey = true;
            this.#hold();
            from = i;
          }
          break;
        case COLON:
          if (this.#depth === 1 && this.#key !== undefined) {
            this.#hold();
            from = i;
          }
          break;
        case COMMA:
          if (this.#depth === 1) {
            this.#endValue(chunk, from, i - 1);
            this.#expectsKey = this.#isObject;
          }
          break;
        case OPEN_BRACE:
        case OPEN_BRACKET:
          if (++this.#depth === 1) this.#expectsKey = this.#isObject = byte === OPEN_BRACE;
          break;
        case CLOSE_BRACE:
        case CLOSE_BRACKET:
          if (this.#depth === 1) this.#endValue(chunk, from, i - 1);
          if (--this.#depth <= 0) {
            this.#isComplete = true;
            return;
          }
          break;
      }
    }
    this.#keep(chunk, from, chunk.length);
  }

  /** @returns the place behind the closing quote, or the end of the chunk. */
  #skipString(chunk: Buffer, start: number): number {
    let from = start;
    for (;;) {
      const quote = chunk.indexOf(QUOTE, from);
      const end = quote < 0 ? chunk.length : quote;
      let backslashes = 0;
      while (end - backslashes > from && chunk[end - backslashes - 1] === BACKSLASH) backslashes++;
      const reachesBack = end - backslashes === from && from === start && this.#isEscaped ? 1 : 0;
      const isEscaped = (backslashes + reachesBack) % 2 === 1;
      if (quote < 0) {
        this.#isEscaped = isEscaped;
        return chunk.length;
      }
      if (!isEscaped) {
        this.#isInString = false;
        return quote + 1;
      }
      from = quote + 1;
    }
  }

  #hold(): void {
    this.#held = [];
    this.#heldBytes = 0;
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    if (!this.#held) return;
    this.#heldBytes += to - from;
    if (this.#heldBytes > (this.#isKey ? MAX_KEY_BYTES : MAX_VALUE_BYTES)) this.#held = undefined;
    // A copy, so that a large chunk isn't held for a few bytes of it.
    else this.#held.push(Buffer.from(chunk.subarray(from, to)));
  }

  #endKey(chunk: Buffer, from: number, to: number): void {
    this.#keep(chunk, from, to);
    this.#isKey = false;
    this.#key = undefined;
    if (this.#held) {
      const name = nameOf(Buffer.concat(this.#held));
      if (this.#wanted.has(name)) this.#key = name;
    }
    this.#held = undefined;
  }

  #endValue(chunk: Buffer, from: number, to: number): void {
    if (this.#key === undefined) return;
    this.#keep(chunk, from, to);
    // Of a key that is there twice the last one counts, as JSON.parse has it.
    if (this.#held) this.#values.set(this.#key, Buffer.concat(this.#held));
    else this.#values.delete(this.#key);
    this.#held = undefined;
    this.#key = undefined;
  }
}

function nameOf(key: Buffer): string {
  const text = key.toString('utf8');
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return '';
  }
}
