import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createMatcher, type Labels } from '../model/index.ts';
import { openStore } from './index.ts';

let directory = '';

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-stored-labels-'));
});

afterEach(() => {
  fs.rmSync(directory, { recursive: true, force: true });
});

const SERIES: Labels[] = Array.from({ length: 5000 }, (_, i) => [
  '__name__',
  'm',
  'quote',
  `"it's ${i}\n`,
  'x',
  `${i % 7}`,
]);
const STREAMS: Labels[] = [
  ['app', 'a'],
  ['app', 'b', 'ü', '𝄞'],
];

async function onDatabase(run: (sql: (statement: string) => Promise<unknown[][]>) => Promise<void>): Promise<void> {
  const instance = await DuckDBInstance.create(path.join(directory, 'hot.duckdb'));
  const connection = await instance.connect();
  await run(async (statement) => (await connection.runAndReadAll(statement)).getRows());
  connection.closeSync();
  instance.closeSync();
}

/** A data directory as schema version 2 left it: the label sets are rows, one of the series has a sample. */
async function writeVersion2(): Promise<void> {
  const store = await openStore({ directory });
  for (const labels of SERIES) store.series.resolve(labels);
  store.writer.buffer.pushSample(4321, 1000, 7);
  await store.writer.commit();
  await store.close();
  fs.rmSync(path.join(directory, 'labels'), { recursive: true });
  await onDatabase(async (sql) => {
    for (const [table, sets] of Object.entries({ series: SERIES, streams: STREAMS })) {
      await sql(`CREATE TABLE ${table} (id UINTEGER, labels VARCHAR)`);
      const rows = sets.map((labels, id) => `(${id}, '${JSON.stringify(labels).replaceAll("'", "''")}')`);
      await sql(`INSERT INTO ${table} VALUES ${rows.join()}`);
    }
    await sql("UPDATE meta SET value = '2' WHERE key = 'schema_version'");
  });
}

async function checkStore(): Promise<void> {
  const store = await openStore({ directory });
  try {
    expect([...store.series.committed()]).toEqual(SERIES);
    expect([...store.streams.committed()]).toEqual(STREAMS);
    const matchers = [createMatcher('x', '=', String(4321 % 7))];
    const found = await store.readers().metrics.select({ matchers, startMs: 0, endMs: 5000 });
    expect(found.map(({ labels, values }) => [labels, ...values])).toEqual([[SERIES[4321], 7]]);
  } finally {
    await store.close();
  }
}

it('a data directory with label sets in tables is brought up to date, and stays', async () => {
  await writeVersion2();
  await checkStore();
  await onDatabase(async (sql) => {
    const tables = (await sql('SELECT table_name FROM duckdb_tables()')).flat();
    expect(tables).toContain('meta');
    expect(tables).not.toContain('series');
    expect(await sql('SELECT value FROM meta')).toEqual([['3']]);
  });
  await checkStore();
});

it('what a crash left of bringing it up to date is made anew', async () => {
  await writeVersion2();
  const folder = path.join(directory, 'labels');
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'series.labels'), 'half of something');
  await checkStore();
});

it('a data directory without its file of label sets is refused', async () => {
  await (await openStore({ directory })).close();
  fs.rmSync(path.join(directory, 'labels', 'series.labels'));
  await expect(openStore({ directory })).rejects.toMatchObject({ code: 'labels_damaged' });
});

it('a data directory of another version is refused', async () => {
  await (await openStore({ directory })).close();
  await onDatabase(async (sql) => {
    await sql("UPDATE meta SET value = '1'");
  });
  await expect(openStore({ directory })).rejects.toMatchObject({ code: 'schema_version' });
});
