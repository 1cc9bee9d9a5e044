import {
  BIGINT,
  BLOB,
  DOUBLE,
  type DuckDBAppender,
  DuckDBBlobValue,
  DuckDBDataChunk,
  type DuckDBType,
  type DuckDBVector,
  UBIGINT,
  UINTEGER,
  VARCHAR,
} from '@duckdb/node-api';

/** Rows in one DuckDB data chunk: its standard vector size. */
export const CHUNK_ROWS = 2048;

/**
 * A growable column of a table that rows are pushed into and that is copied into DuckDB's vectors whole. `set` writes a
 * row; the table grows every column together, so a row index is always in range.
 */
export interface Column {
  readonly type: DuckDBType;
  grow(capacity: number): void;
  /** Copies rows `[from, from + count)` into a vector of at least `count` items. */
  fill(vector: DuckDBVector, from: number, count: number): void;
  /** Forgets the rows that hold references, so that they can be collected. */
  clear(): void;
}

/**
 * The typed array behind a vector of numbers. The library keeps it private and offers only access value by value, which
 * costs more than the append itself; `store.test.ts` fails if a new version of it keeps the array elsewhere.
 */
export function itemsOf<T extends Uint32Array | BigInt64Array | BigUint64Array | Float64Array>(
  vector: DuckDBVector,
): T {
  return (vector as unknown as { items: T }).items;
}

/** Unsigned 32-bit integers. */
export class UintColumn implements Column {
  readonly type = UINTEGER;
  data = new Uint32Array(0);
  grow(capacity: number): void {
    const next = new Uint32Array(capacity);
    next.set(this.data);
    this.data = next;
  }
  fill(vector: DuckDBVector, from: number, count: number): void {
    itemsOf<Uint32Array>(vector).set(this.data.subarray(from, from + count));
    vector.flush();
  }
  clear(): void {}
}

/**
 * Signed 64-bit integers that are written as doubles (milliseconds) or as bigint (nanoseconds). The halves are computed
 * without BigInt, which would allocate for each sample.
 */
export class Int64Column implements Column {
  readonly type = BIGINT;
  data = new BigInt64Array(0);
  words = new Int32Array(0);
  grow(capacity: number): void {
    const next = new BigInt64Array(capacity);
    next.set(this.data);
    this.data = next;
    this.words = new Int32Array(next.buffer);
  }
  /** Writes an integer of at most 53 bits. */
  setNumber(row: number, value: number): void {
    const high = Math.floor(value / 4294967296);
    this.words[2 * row] = value - high * 4294967296;
    this.words[2 * row + 1] = high;
  }
  fill(vector: DuckDBVector, from: number, count: number): void {
    itemsOf<BigInt64Array>(vector).set(this.data.subarray(from, from + count));
    vector.flush();
  }
  clear(): void {}
}

/** Unsigned 64-bit integers. */
export class Uint64Column implements Column {
  readonly type = UBIGINT;
  data = new BigUint64Array(0);
  grow(capacity: number): void {
    const next = new BigUint64Array(capacity);
    next.set(this.data);
    this.data = next;
  }
  fill(vector: DuckDBVector, from: number, count: number): void {
    itemsOf<BigUint64Array>(vector).set(this.data.subarray(from, from + count));
    vector.flush();
  }
  clear(): void {}
}

/** Doubles; `words` is the same memory as 32-bit words, for values whose NaN bits matter. */
export class DoubleColumn implements Column {
  readonly type = DOUBLE;
  data = new Float64Array(0);
  words = new Uint32Array(0);
  grow(capacity: number): void {
    const next = new Float64Array(capacity);
    new Uint32Array(next.buffer).set(this.words);
    this.data = next;
    this.words = new Uint32Array(next.buffer);
  }
  fill(vector: DuckDBVector, from: number, count: number): void {
    const items = itemsOf<Float64Array>(vector);
    // Copied as words: a copy through doubles may turn a staleness marker into another NaN.
    new Uint32Array(items.buffer, items.byteOffset, count * 2).set(this.words.subarray(2 * from, 2 * (from + count)));
    vector.flush();
  }
  clear(): void {}
}

/** Text. */
export class TextColumn implements Column {
  readonly type = VARCHAR;
  data: string[] = [];
  grow(): void {}
  fill(vector: DuckDBVector, from: number, count: number): void {
    for (let i = 0; i < count; i++) vector.setItem(i, this.data[from + i]);
    vector.flush();
  }
  clear(): void {
    this.data = [];
  }
}

/** Bytes. */
export class BytesColumn implements Column {
  readonly type = BLOB;
  data: Uint8Array[] = [];
  grow(): void {}
  fill(vector: DuckDBVector, from: number, count: number): void {
    for (let i = 0; i < count; i++) vector.setItem(i, new DuckDBBlobValue(this.data[from + i]));
    vector.flush();
  }
  clear(): void {
    this.data = [];
  }
}

/** The rows that wait for the next commit of one table. Columns are in the order of the table's. */
export class TableBuffer {
  readonly table: string;
  private readonly columns: readonly Column[];
  private capacity = 0;
  /** Rows pushed so far. */
  rows = 0;

  constructor(table: string, columns: readonly Column[]) {
    this.table = table;
    this.columns = columns;
  }

  /** Makes room for one more row and returns its index; the caller sets every column there. */
  push(): number {
    if (this.rows === this.capacity) {
      this.capacity = Math.max(CHUNK_ROWS, this.capacity * 2);
      for (const column of this.columns) column.grow(this.capacity);
    }
    return this.rows++;
  }

  /** Hands every row to an appender of the same table. The rows stay until `reset`, so that a failed commit can be retried. */
  appendTo(appender: DuckDBAppender): void {
    const types = this.columns.map((column) => column.type);
    for (let from = 0; from < this.rows; from += CHUNK_ROWS) {
      const count = Math.min(CHUNK_ROWS, this.rows - from);
      const chunk = DuckDBDataChunk.create(types, count);
      for (let c = 0; c < this.columns.length; c++) this.columns[c].fill(chunk.getColumnVector(c), from, count);
      appender.appendDataChunk(chunk);
    }
  }

  /** Forgets the rows and keeps the memory. */
  reset(): void {
    for (const column of this.columns) column.clear();
    this.rows = 0;
  }
}
