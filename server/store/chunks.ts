import type { MessagePort } from 'node:worker_threads';
import {
  type DuckDBConnection,
  type DuckDBDataChunk,
  type DuckDBInstance,
  DuckDBTypeId,
  LIST,
  listValue,
  UINTEGER,
} from '@duckdb/node-api';
import { BarographError } from '../model/index.ts';
import { itemsOf } from './columns.ts';
import type { SampleCatalog } from './samples/index.ts';

/** One column of some rows. */
export type ColumnData = Uint32Array | BigInt64Array | BigUint64Array | Float64Array | string[] | Uint8Array[];

/** Some rows of a result as columns of equal length. */
export interface Rows {
  readonly count: number;
  readonly columns: readonly ColumnData[];
}

/** Runs statements that only read. `ids` is bound as $1, a list of unsigned integers. */
export interface ChunkSource {
  /** Where samples are now. */
  catalog(): Promise<SampleCatalog>;
  read(sql: string, ids: readonly number[] | undefined, signal: AbortSignal | undefined): AsyncIterable<Rows>;
}

/** Rows that cross to another thread in one message, at least (unless the result ends). */
const ROWS_PER_MESSAGE = 16_384;
/** Milliseconds between interruptions of a statement. */
const INTERRUPT_MS = 20;
/** Characters and bytes of one message's texts after which it is sent, however few rows it has. */
const TEXT_PER_MESSAGE = 2 * 2 ** 20;

/**
 * Reads of the thread that owns the database. DuckDB runs them on threads of its own; a stream needs a connection to
 * itself, so there are as many as reads may run at once, and further reads wait.
 */
export class LocalChunkSource implements ChunkSource {
  private readonly instance: DuckDBInstance;
  private readonly idle: DuckDBConnection[] = [];
  private readonly waiting: ((connection: DuckDBConnection) => void)[] = [];
  private open = 0;
  private readonly maxConnections: number;
  private readonly currentCatalog: () => SampleCatalog;

  constructor(instance: DuckDBInstance, catalog: () => SampleCatalog, maxConnections = 8) {
    this.instance = instance;
    this.currentCatalog = catalog;
    this.maxConnections = maxConnections;
  }

  async catalog(): Promise<SampleCatalog> {
    return this.currentCatalog();
  }

  async *read(sql: string, ids: readonly number[] | undefined, signal: AbortSignal | undefined): AsyncGenerator<Rows> {
    throwIfAborted(signal);
    const connection = await this.acquire();
    // DuckDB sorts and filters on threads of its own until the first rows are there, and would go on to the end.
    // A statement that is only about to begin forgets an interruption, so it is told again until it has ended.
    let interrupting: NodeJS.Timeout | undefined;
    const interrupt = (): void => {
      connection.interrupt();
      interrupting ??= setInterval(() => connection.interrupt(), INTERRUPT_MS);
    };
    signal?.addEventListener('abort', interrupt, { once: true });
    try {
      throwIfAborted(signal);
      const result = ids
        ? await connection.stream(sql, [listValue(ids as number[])], [LIST(UINTEGER)])
        : await connection.stream(sql);
      while (true) {
        throwIfAborted(signal);
        const chunk = await result.fetchChunk();
        if (!chunk || chunk.rowCount === 0) return;
        yield rowsOf(chunk);
      }
    } catch (error) {
      throwIfAborted(signal);
      throw error;
    } finally {
      signal?.removeEventListener('abort', interrupt);
      clearInterval(interrupting);
      this.release(connection);
    }
  }

  /** Closes the connections; reads must have ended. */
  close(): void {
    for (const connection of this.idle.splice(0)) connection.closeSync();
  }

  private async acquire(): Promise<DuckDBConnection> {
    const free = this.idle.pop();
    if (free) return free;
    if (this.open < this.maxConnections) {
      this.open++;
      return this.instance.connect();
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private release(connection: DuckDBConnection): void {
    const next = this.waiting.shift();
    if (next) next(connection);
    else this.idle.push(connection);
  }
}

/** The columns of a chunk, copied: the chunk's memory is DuckDB's. */
function rowsOf(chunk: DuckDBDataChunk): Rows {
  const count = chunk.rowCount;
  const columns: ColumnData[] = [];
  for (let c = 0; c < chunk.columnCount; c++) {
    const vector = chunk.getColumnVector(c);
    switch (vector.type.typeId) {
      case DuckDBTypeId.UINTEGER:
        columns.push(itemsOf<Uint32Array>(vector).slice(0, count));
        break;
      case DuckDBTypeId.BIGINT:
        columns.push(itemsOf<BigInt64Array>(vector).slice(0, count));
        break;
      case DuckDBTypeId.UBIGINT:
        columns.push(itemsOf<BigUint64Array>(vector).slice(0, count));
        break;
      case DuckDBTypeId.DOUBLE: {
        // Copied as integers, because a copy of doubles may change a NaN's payload.
        const items = itemsOf<Float64Array>(vector);
        const bits = new BigInt64Array(items.buffer, items.byteOffset, count).slice();
        columns.push(new Float64Array(bits.buffer));
        break;
      }
      case DuckDBTypeId.VARCHAR:
        columns.push(Array.from({ length: count }, (_, row) => vector.getItem(row) as string));
        break;
      case DuckDBTypeId.BLOB:
        columns.push(
          Array.from(
            { length: count },
            (_, row) => new Uint8Array((vector.getItem(row) as { bytes: Uint8Array }).bytes),
          ),
        );
        break;
      default:
        throw new Error(`BUG: column ${c} of a read has the type ${vector.type.toString()}`);
    }
  }
  return { count, columns };
}

type ToServer =
  | { kind: 'open'; id: number; sql: string; ids: readonly number[] | undefined }
  | { kind: 'more' | 'close' | 'catalog'; id: number };
type ToClient =
  | { kind: 'catalog'; id: number; catalog: SampleCatalog }
  | { kind: 'rows'; id: number; rows: Rows | undefined; done: boolean }
  | { kind: 'error'; id: number; code: string; status: number; message: string };
/** What a reader in another thread waits for: an answer, or the end of its request. */
type Awaited = ToClient | { kind: 'aborted' };

/** Answers the reads that come through a port from another thread. One message of rows is under way at a time. */
export function serveChunks(port: MessagePort, source: ChunkSource): void {
  const open = new Map<number, { more: () => void; controller: AbortController }>();
  const send = async (message: Extract<ToServer, { kind: 'open' }>): Promise<void> => {
    const { id, sql, ids } = message;
    const controller = new AbortController();
    const entry = { more: () => {}, controller };
    open.set(id, entry);
    try {
      let gathered: Rows[] = [];
      let count = 0;
      let textSize = 0;
      for await (const rows of source.read(sql, ids, controller.signal)) {
        gathered.push(rows);
        count += rows.count;
        textSize += textSizeOf(rows);
        if (count < ROWS_PER_MESSAGE && textSize < TEXT_PER_MESSAGE) continue;
        const wanted = new Promise<void>((resolve) => {
          entry.more = resolve;
        });
        postRows(port, id, joinRows(gathered), false);
        gathered = [];
        count = 0;
        textSize = 0;
        await wanted;
        if (controller.signal.aborted) return;
      }
      postRows(port, id, gathered.length > 0 ? joinRows(gathered) : undefined, true);
    } catch (error) {
      const known = error instanceof BarographError ? error : undefined;
      const text = error instanceof Error ? error.message : String(error);
      const reply: ToClient = {
        kind: 'error',
        id,
        code: known?.code ?? 'store_read',
        status: known?.status ?? 500,
        message: text,
      };
      port.postMessage(reply);
    } finally {
      open.delete(id);
    }
  };
  port.on('message', (message: ToServer) => {
    if (message.kind === 'open') {
      void send(message);
      return;
    }
    if (message.kind === 'catalog') {
      const { id } = message;
      // The memory of segments is shared, so only its handles cross.
      void source.catalog().then((catalog) => {
        port.postMessage({ kind: 'catalog', id, catalog } satisfies ToClient);
      });
      return;
    }
    const entry = open.get(message.id);
    if (message.kind === 'close') entry?.controller.abort();
    entry?.more();
  });
}

/** Characters of the texts of some rows, and bytes of their blobs. */
function textSizeOf({ columns }: Rows): number {
  let size = 0;
  for (const column of columns) if (Array.isArray(column)) for (const item of column) size += item.length;
  return size;
}

function postRows(port: MessagePort, id: number, rows: Rows | undefined, done: boolean): void {
  const transfer = (rows?.columns ?? []).flatMap((column) =>
    ArrayBuffer.isView(column) ? [column.buffer as ArrayBuffer] : [],
  );
  port.postMessage({ kind: 'rows', id, rows, done } satisfies ToClient, transfer);
}

/** Several chunks as one, so that a message carries few buffers. */
function joinRows(parts: readonly Rows[]): Rows {
  if (parts.length === 1) return parts[0];
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const columns = parts[0].columns.map((first, c): ColumnData => {
    if (Array.isArray(first)) return parts.flatMap((part) => part.columns[c] as string[]);
    const bytes = new Uint8Array(count * first.BYTES_PER_ELEMENT);
    let at = 0;
    for (const part of parts) {
      const column = part.columns[c] as Uint32Array;
      bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
      at += column.byteLength;
    }
    const Type = first.constructor as new (buffer: ArrayBuffer) => Uint32Array;
    return new Type(bytes.buffer);
  });
  return { count, columns };
}

/** Reads through a port whose other end is served by `serveChunks` in the thread that owns the database. */
export function remoteChunkSource(port: MessagePort): ChunkSource {
  const waiting = new Map<number, (message: Awaited) => void>();
  let nextId = 1;
  port.on('message', (message: ToClient) => waiting.get(message.id)?.(message));
  return {
    async catalog() {
      const id = nextId++;
      try {
        const answer = new Promise<Awaited>((resolve) => waiting.set(id, resolve));
        port.postMessage({ kind: 'catalog', id } satisfies ToServer);
        const message = await answer;
        if (message.kind !== 'catalog') throw new Error(`BUG: asked for the catalog, got ${message.kind}`);
        return message.catalog;
      } finally {
        waiting.delete(id);
      }
    },
    async *read(sql, ids, signal) {
      throwIfAborted(signal);
      const id = nextId++;
      const next = (): Promise<Awaited> => new Promise((resolve) => waiting.set(id, resolve));
      const abort = (): void => waiting.get(id)?.({ kind: 'aborted' });
      signal?.addEventListener('abort', abort, { once: true });
      let done = false;
      try {
        let answer = next();
        port.postMessage({ kind: 'open', id, sql, ids } satisfies ToServer);
        while (!done) {
          const message = await answer;
          throwIfAborted(signal);
          if (message.kind === 'error') {
            done = true;
            throw new BarographError({ code: message.code, status: message.status, where: message.message });
          }
          if (message.kind !== 'rows') throw new Error(`BUG: asked for rows, got ${message.kind}`);
          done = message.done;
          if (!done) {
            // The next rows are asked for before these are looked at, so that reading and evaluating overlap.
            answer = next();
            port.postMessage({ kind: 'more', id } satisfies ToServer);
          }
          if (message.rows) yield message.rows;
          throwIfAborted(signal);
        }
      } finally {
        signal?.removeEventListener('abort', abort);
        if (!done) port.postMessage({ kind: 'close', id } satisfies ToServer);
        waiting.delete(id);
      }
    },
  };
}

/** @throws BarographError `cancelled` where the signal was aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new BarographError({ code: 'cancelled', status: 499, where: 'query', got: 'a cancelled request' });
  }
}
