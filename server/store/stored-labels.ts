import fs from 'node:fs';
import path from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { BarographError } from '../model/index.ts';
import type { ChunkSource } from './chunks.ts';
import { LabelStore } from './labels/index.ts';
import { text } from './rows.ts';
import { syncDirectory } from './samples/index.ts';
import { type FoundSchema, finishSchema } from './schema.ts';

/** The label sets that the store has: those of series of metrics, and those of log streams. */
export interface StoredLabels {
  readonly series: LabelStore;
  readonly streams: LabelStore;
}

/** Label sets that are taken over between two saves. */
const SETS_PER_SAVE = 65_536;

/**
 * Opens the files of label sets, and says in the tables that they are there. Those of a data directory whose label sets
 * are still in tables are made first; a crash meanwhile leaves the tables as they were, and the next start begins anew.
 * @throws BarographError `labels_damaged`.
 */
export async function openLabels(
  directory: string,
  found: FoundSchema,
  connection: DuckDBConnection,
  source: ChunkSource,
): Promise<StoredLabels> {
  const folder = path.join(directory, 'labels');
  fs.mkdirSync(folder, { recursive: true });
  const fileOf = (kind: keyof StoredLabels) => path.join(folder, `${kind}.labels`);
  for (const kind of ['series', 'streams'] as const) {
    if (found === 'current' && !fs.existsSync(fileOf(kind))) throw missing(fileOf(kind));
    if (found === 'labels_in_tables') fs.rmSync(fileOf(kind), { force: true });
  }
  const labels: StoredLabels = {
    series: await LabelStore.open(fileOf('series')),
    streams: await LabelStore.open(fileOf('streams')),
  };
  if (found === 'current') return labels;
  if (found === 'labels_in_tables') {
    await takeOver(source, 'series', labels.series);
    await takeOver(source, 'streams', labels.streams);
  }
  syncDirectory(folder);
  syncDirectory(directory);
  await finishSchema(connection);
  return labels;
}

/** Copies the label sets of a table of schema version 2, whose rows hold JSON arrays. */
async function takeOver(source: ChunkSource, table: string, labels: LabelStore): Promise<void> {
  const query = `SELECT id, labels FROM ${table} ORDER BY id`;
  const { registry } = labels;
  for await (const chunk of source.read(query, undefined, undefined)) {
    for (let row = 0; row < chunk.count; row++) {
      const expected = registry.size;
      const id = registry.resolve(JSON.parse(text(chunk, 1, row)) as string[]);
      if (id !== expected) throw new Error(`BUG: label set ${expected} of ${table} is the same as ${id}`);
      if (registry.size % SETS_PER_SAVE === 0) labels.publish(await labels.save());
    }
  }
  labels.publish(await labels.save());
}

function missing(file: string): BarographError {
  return new BarographError({
    code: 'labels_damaged',
    status: 500,
    where: file,
    got: 'no such file, in a data directory that has others',
    accepted: 'the file as it was written: it says which series each sample belongs to',
    fix: 'restore the file from a backup, or start with another --data directory',
  });
}
