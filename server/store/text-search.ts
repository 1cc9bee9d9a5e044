import type { ChunkSource } from './chunks.ts';
import { text } from './rows.ts';

/** A text of the tables in which something was found. */
export interface TextMatch {
  /** `table.column`. */
  readonly place: string;
  /** What stands there, one character a byte (latin1). */
  readonly text: string;
}

/** Rows of one column that are given back; more say nothing more. */
const MAX_ROWS = 100;

/**
 * Finds the rows of every text and binary column that hold any of the needles (one character a byte). It reads what the
 * tables mean, not how DuckDB compressed it (FSST, dictionaries, zstd), in which a file's bytes show nothing.
 */
export async function findTexts(
  source: ChunkSource,
  needles: readonly string[],
  signal?: AbortSignal,
): Promise<TextMatch[]> {
  const found: TextMatch[] = [];
  for (const { table, column, type } of await textColumns(source)) {
    const name = `"${column}"`;
    const isText = type === 'VARCHAR';
    const value = isText ? name : `hex(${name})`;
    const wanted = needles.map((needle) => (isText ? literal(needle) : `'${hexOf(needle)}'`));
    const condition = wanted.map((needle) => `contains(${value}, ${needle})`).join(' OR ');
    const query = `SELECT ${value} FROM "${table}" WHERE ${condition} LIMIT ${MAX_ROWS}`;
    for await (const chunk of source.read(query, undefined, signal)) {
      for (let row = 0; row < chunk.count; row++) {
        const bytes = Buffer.from(text(chunk, 0, row), isText ? 'utf8' : 'hex');
        found.push({ place: `${table}.${column}`, text: bytes.toString('latin1') });
      }
    }
  }
  return found;
}

interface TextColumn {
  readonly table: string;
  readonly column: string;
  readonly type: string;
}

async function textColumns(source: ChunkSource): Promise<TextColumn[]> {
  const query = `SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal AND data_type IN ('VARCHAR', 'BLOB') ORDER BY table_name, column_index`;
  const columns: TextColumn[] = [];
  for await (const chunk of source.read(query, undefined, undefined)) {
    for (let row = 0; row < chunk.count; row++)
      columns.push({ table: text(chunk, 0, row), column: text(chunk, 1, row), type: text(chunk, 2, row) });
  }
  return columns;
}

/** SQL's literals can't hold NUL, which texts can. */
function literal(needle: string): string {
  return `'${needle.replaceAll("'", "''").replaceAll('\0', "' || chr(0) || '")}'`;
}

function hexOf(needle: string): string {
  return Buffer.from(needle, 'latin1').toString('hex').toUpperCase();
}
