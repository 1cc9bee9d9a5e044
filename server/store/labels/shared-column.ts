/*
 * Memory that one thread appends to and all others read in place. A column reserves addresses for as much as it may ever
 * hold and takes memory only as it grows, so what others read never moves, and the buffers cross to another thread once.
 */

/** Bytes of a column that holds nothing yet. */
const FIRST_BYTES = 16 * 1024;

/** Reserves a column of at most `maxBytes` bytes. */
export function reserveColumn(maxBytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(FIRST_BYTES, { maxByteLength: maxBytes });
}

/** Thrown where a column is full; whoever knows what the column holds makes an error for users of it. */
export class ColumnFull extends Error {}

/** 32-bit words of a column, as one thread sees them. */
export class SharedWords {
  /**
   * The words up to where this thread looked or grew. Its length is fixed: typed arrays that follow their buffer's
   * length are thirty times slower to read.
   */
  view: Uint32Array;
  private readonly memory: SharedArrayBuffer;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.view = new Uint32Array(memory, 0, memory.byteLength >>> 2);
  }

  /** Takes note of what another thread grew. */
  refresh(): void {
    const words = this.memory.byteLength >>> 2;
    if (words > this.view.length) this.view = new Uint32Array(this.memory, 0, words);
  }

  /** Makes room for so many words in all; only the writing thread may. New words are 0. @throws ColumnFull. */
  ensure(words: number): void {
    if (words <= this.view.length) return;
    growTo(this.memory, words * 4);
    this.refresh();
  }
}

/** Bytes of a column, as one thread sees them; see `SharedWords`. */
export class SharedBytes {
  view: Buffer;
  private readonly memory: SharedArrayBuffer;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.view = Buffer.from(memory, 0, memory.byteLength);
  }

  refresh(): void {
    if (this.memory.byteLength > this.view.length) this.view = Buffer.from(this.memory, 0, this.memory.byteLength);
  }

  /** Makes room for so many bytes in all; only the writing thread may. @throws ColumnFull. */
  ensure(bytes: number): void {
    if (bytes <= this.view.length) return;
    growTo(this.memory, bytes);
    this.refresh();
  }
}

function growTo(memory: SharedArrayBuffer, bytes: number): void {
  if (bytes > memory.maxByteLength) throw new ColumnFull();
  memory.grow(Math.min(memory.maxByteLength, Math.max(bytes, memory.byteLength * 2)));
}
