import {
  type DuckDBBlobVector,
  type DuckDBConnection,
  type DuckDBDataChunk,
  LIST,
  listValue,
  UINTEGER,
} from '@duckdb/node-api';
import { BarographError } from '../model/index.ts';
import { itemsOf } from './columns.ts';

/** Streams the chunks of a query. The chunk is valid until the next one is asked for. */
export async function* readChunks(
  connection: DuckDBConnection,
  sql: string,
  ids: readonly number[] | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<DuckDBDataChunk> {
  throwIfAborted(signal);
  const result = ids
    ? await connection.stream(sql, [listValue(ids as number[])], [LIST(UINTEGER)])
    : await connection.stream(sql);
  while (true) {
    throwIfAborted(signal);
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return;
    yield chunk;
  }
}

/** @throws BarographError `cancelled` where the signal was aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new BarographError({ code: 'cancelled', status: 499, where: 'query', got: 'a cancelled request' });
  }
}

/** A chunk's column of 32-bit unsigned integers. */
export function uints(chunk: DuckDBDataChunk, column: number): Uint32Array {
  return itemsOf(chunk.getColumnVector(column));
}

/** A chunk's column of 64-bit signed integers. */
export function int64s(chunk: DuckDBDataChunk, column: number): BigInt64Array {
  return itemsOf(chunk.getColumnVector(column));
}

/** A chunk's column of 64-bit unsigned integers. */
export function uint64s(chunk: DuckDBDataChunk, column: number): BigUint64Array {
  return itemsOf(chunk.getColumnVector(column));
}

/** A chunk's column of doubles. */
export function doubles(chunk: DuckDBDataChunk, column: number): Float64Array {
  return itemsOf(chunk.getColumnVector(column));
}

/** The text of one row. */
export function text(chunk: DuckDBDataChunk, column: number, row: number): string {
  return chunk.getColumnVector(column).getItem(row) as string;
}

/** The bytes of one row; read-only. */
export function bytes(chunk: DuckDBDataChunk, column: number, row: number): Uint8Array {
  return (chunk.getColumnVector(column) as DuckDBBlobVector).getItemBytes(row) as Uint8Array;
}

/** A SQL string literal. */
export function quote(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/**
 * The condition that narrows a scan to some numbers, and whether the list has to be bound. Few numbers are a list in
 * the text; many of a narrow range are that range (the caller filters again); the rest is a semi-join with a list.
 */
export function idCondition(column: string, ids: readonly number[]): { sql: string; bind: boolean } {
  const low = ids[0];
  const high = ids[ids.length - 1];
  if (ids.length <= 64) return { sql: `${column} IN (${ids.join(',')})`, bind: false };
  const range = `${column} BETWEEN ${low} AND ${high}`;
  if (ids.length * 2 >= high - low + 1) return { sql: range, bind: false };
  return { sql: `${range} AND ${column} IN (SELECT unnest($1))`, bind: true };
}
