import { MessageChannel } from 'node:worker_threads';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ChunkSource, LocalChunkSource, remoteChunkSource, serveChunks } from './chunks.ts';

/** Sorts for hours: where it isn't interrupted the tests run into their time limits. */
const ENDLESS = 'SELECT i FROM range(1000000000000) t(i) ORDER BY hash(i)';
const SHORT = 'SELECT i FROM range(5) t(i)';
const CONNECTIONS = 2;

let local: LocalChunkSource;
let instance: DuckDBInstance;

beforeEach(async () => {
  instance = await DuckDBInstance.create(':memory:', { memory_limit: '200MB', threads: '1' });
  local = new LocalChunkSource(
    instance,
    () => {
      throw new Error('no samples here');
    },
    CONNECTIONS,
  );
});

afterEach(() => {
  local.close();
  instance.closeSync();
});

async function rowsOf(source: ChunkSource, sql: string, signal?: AbortSignal): Promise<number> {
  let count = 0;
  for await (const rows of source.read(sql, undefined, signal)) count += rows.count;
  return count;
}

async function stopsEndlessReads(source: ChunkSource): Promise<void> {
  // More of them than there are connections: each must give its own back.
  for (let i = 0; i < CONNECTIONS + 2; i++) {
    const controller = new AbortController();
    const read = rowsOf(source, ENDLESS, controller.signal);
    setTimeout(() => controller.abort(), 30);
    await expect(read).rejects.toMatchObject({ code: 'cancelled', status: 499 });
  }
  expect(await rowsOf(source, SHORT)).toBe(5);
}

describe('a read whose asker leaves', () => {
  it('ends within DuckDB, before its first row', async () => {
    await stopsEndlessReads(local);
  });

  it('ends within DuckDB from another thread as well', async () => {
    const { port1, port2 } = new MessageChannel();
    serveChunks(port1, local);
    await stopsEndlessReads(remoteChunkSource(port2));
    port1.close();
  });

  it('that waits for a connection never begins', async () => {
    const controllers = Array.from({ length: CONNECTIONS + 3 }, () => new AbortController());
    const reads = controllers.map(({ signal }) => rowsOf(local, ENDLESS, signal));
    for (const controller of controllers) controller.abort();
    const settled = await Promise.allSettled(reads);
    expect(settled.map(({ status }) => status)).toEqual(settled.map(() => 'rejected'));
    expect(await rowsOf(local, SHORT)).toBe(5);
  });
});
