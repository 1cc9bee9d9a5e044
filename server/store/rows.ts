import type { Rows } from './chunks.ts';

/** A column of 32-bit unsigned integers. */
export function uints(rows: Rows, column: number): Uint32Array {
  return rows.columns[column] as Uint32Array;
}

/** A column of 64-bit signed integers. */
export function int64s(rows: Rows, column: number): BigInt64Array {
  return rows.columns[column] as BigInt64Array;
}

/** A column of 64-bit unsigned integers. */
export function uint64s(rows: Rows, column: number): BigUint64Array {
  return rows.columns[column] as BigUint64Array;
}

/** A column of doubles. */
export function doubles(rows: Rows, column: number): Float64Array {
  return rows.columns[column] as Float64Array;
}

/** The text of one row. */
export function text(rows: Rows, column: number, row: number): string {
  return (rows.columns[column] as string[])[row];
}

/** The bytes of one row; read-only. */
export function bytes(rows: Rows, column: number, row: number): Uint8Array {
  return (rows.columns[column] as Uint8Array[])[row];
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
