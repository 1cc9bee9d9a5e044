import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LastSamples, SampleBuffer, SampleReader, SampleStore } from './index.ts';
import { blocksToMerge } from './sealer.ts';

let directory = '';
let store: SampleStore;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-samples-'));
});

afterEach(async () => {
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

const open = async (segmentSlots = 1 << 16, tablesCommit = 0): Promise<void> => {
  store = await SampleStore.open({ directory, limits: { segmentSlots }, tablesCommit, onChange: () => {} });
};

type Sample = readonly [series: number, timestampMs: number, value: number];

async function commit(samples: readonly Sample[], withTables = false): Promise<number> {
  const buffer = new SampleBuffer();
  for (const [series, timestampMs, value] of samples) buffer.push(series, timestampMs, value);
  return store.write(buffer, withTables);
}

async function write(...samples: readonly Sample[]): Promise<void> {
  await commit(samples);
  store.publish();
}

function read(ids: readonly number[], startMs = -1e15, endMs = 1e15): [number, number][][] {
  const reader = new SampleReader(store.catalog);
  const found = reader.select(ids, startMs, endMs, 1e9, undefined);
  reader.close();
  return found.map((one) => [...(one?.timestamps ?? [])].map((time, i) => [time, one?.values[i] ?? 0]));
}

/** Waits until nothing is left to seal and merge. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    const { segments, blocks, tombstones } = store.catalog;
    if (segments.length === 1 && tombstones.length === 0 && !blocksToMerge(blocks)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`still ${store.catalog.segments.length} segments, ${store.stats.failed} failures`);
}

const files = (ending: string): string[] => fs.readdirSync(directory).filter((name) => name.endsWith(ending));

describe('samples', () => {
  it('are those that were written last, across segments, blocks, merges and restarts', async () => {
    const sample = fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: -50, max: 5000 }), fc.integer());
    const step = fc.record({
      samples: fc.array(sample, { maxLength: 120 }),
      next: fc.constantFrom('nothing', 'nothing', 'settle', 'restart', 'delete', 'delete and restart'),
      gone: fc.tuple(
        fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { minLength: 1 }),
        fc.integer({ min: -50, max: 5000 }),
      ),
    });
    let round = 0;
    const root = directory;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: 5000 }),
        async (steps, cut) => {
          directory = path.join(root, String(round++));
          await open(1024);
          const model = Array.from({ length: 13 }, () => new Map<number, number>());
          for (const { samples, next, gone } of steps) {
            await write(...samples);
            for (const [series, time, value] of samples) model[series].set(time, value);
            if (next === 'settle') await settle();
            if (next.startsWith('delete')) {
              const [ids, from] = gone;
              await store.deleteSamples(Uint32Array.from(ids).sort(), from, from + 800);
              for (const id of ids) {
                for (const time of model[id].keys()) if (time >= from && time <= from + 800) model[id].delete(time);
              }
            }
            if (next.endsWith('restart')) {
              await store.close();
              await open(1024);
            }
          }
          const ids = model.map((_, id) => id);
          const expected = model.map((points) => [...points].sort((a, b) => a[0] - b[0]));
          expect(read(ids)).toEqual(expected);
          const after = expected.map((points) => points.filter(([time]) => time >= cut && time <= cut + 700));
          expect(read(ids, cut, cut + 700)).toEqual(after);
          await store.close();
        },
      ),
      { numRuns: 12 },
    );
    directory = root;
    await open();
  }, 60_000);

  it('are in blocks, and no journal but the open one is left, once they were sealed', async () => {
    await open(512);
    for (let t = 0; t < 200; t++) await write(...Array.from({ length: 10 }, (_, id): Sample => [id, t * 1000, t * id]));
    await settle();
    expect(store.stats.sealed).toBeGreaterThan(3);
    expect(store.stats.merged).toBeGreaterThan(0);
    expect(files('.journal')).toHaveLength(1);
    expect(read([3])[0]).toEqual(Array.from({ length: 200 }, (_, t) => [t * 1000, t * 3]));
    expect(read([3], 5000, 7000)[0].map(([time]) => time)).toEqual([5000, 6000, 7000]);
    const last = new LastSamples();
    last.noteBlocks(store.catalog.blocks, 0);
    const [ninth] = [...last.since(0)].filter(({ series }) => series === 9);
    expect(ninth.timestampMs).toBeGreaterThan(100_000);
    expect(ninth.value).toBe((ninth.timestampMs / 1000) * 9);
  });

  it('beyond the limit of a query are refused with the limit', async () => {
    await open();
    await write([1, 1000, 1], [1, 2000, 2]);
    const reader = new SampleReader(store.catalog);
    expect(() => reader.select([1], 0, 5000, 1, undefined)).toThrow(/2 samples.*at most 1/);
  });

  it('keep the bits of a staleness marker in every place', async () => {
    await open(512);
    const buffer = new SampleBuffer();
    buffer.pushBits(1, 1000, 2, 0x7ff00000);
    await store.write(buffer, false);
    store.publish();
    const bits = () => {
      const [found] = new SampleReader(store.catalog).select([1], 0, 2000, 10, undefined);
      return found && new BigUint64Array(found.values.slice().buffer)[0];
    };
    expect(bits()).toBe(0x7ff0000000000002n);
    await store.close();
    await open(512);
    expect(bits()).toBe(0x7ff0000000000002n);
    for (let t = 0; t < 100; t++) await write(...Array.from({ length: 10 }, (_, id): Sample => [id + 5, t, t]));
    await settle();
    expect(store.catalog.blocks.length).toBeGreaterThan(0);
    expect(bits()).toBe(0x7ff0000000000002n);
  });
});

describe('a commit', () => {
  it('that is taken back leaves nothing, and the next one is whole', async () => {
    await open(512);
    await write([1, 1000, 1]);
    await commit(Array.from({ length: 300 }, (_, i): Sample => [i % 40, 2000 + i, 7]));
    await store.takeBack();
    expect(read([1, 2])).toEqual([[[1000, 1]], []]);
    await write([1, 3000, 3], [2, 3000, 4]);
    const expected = [
      [
        [1000, 1],
        [3000, 3],
      ],
      [[3000, 4]],
    ];
    expect(read([1, 2])).toEqual(expected);
    await store.close();
    await open(512);
    expect(read([1, 2])).toEqual(expected);
  });

  it('that fills more segments than may wait is taken whole', async () => {
    await open(256);
    await write(...Array.from({ length: 600 }, (_, i): Sample => [i % 7, i, i]));
    expect(read([0, 1, 2, 3, 4, 5, 6]).flat()).toHaveLength(600);
    await settle();
    expect(read([0, 1, 2, 3, 4, 5, 6]).flat()).toHaveLength(600);
  });

  it('whose tables a crash prevented does not count, also after later commits', async () => {
    await open();
    await write([1, 1000, 1]);
    const number = await commit([[1, 2000, 2]], true);
    await store.close();
    await open(1 << 16, number - 1);
    expect(read([1])).toEqual([[[1000, 1]]]);
    await write([1, 3000, 3]);
    await store.close();
    await open(1 << 16, number + 5);
    expect(read([1])[0].map(([time]) => time)).toEqual([1000, 3000]);
  });

  it('whose tables are there counts', async () => {
    await open();
    const number = await commit([[1, 2000, 2]], true);
    await store.close();
    await open(1 << 16, number);
    expect(read([1])).toEqual([[[2000, 2]]]);
    expect(store.lastCommit).toBe(number);
  });
});

describe('deleted samples', () => {
  it('are gone at once, also for good, and later ones of the same time are there', async () => {
    await open(512);
    for (let t = 0; t < 60; t++) await write(...Array.from({ length: 10 }, (_, id): Sample => [id, t, t]));
    await store.deleteSamples(Uint32Array.of(2, 3), 10, 1000);
    const times = (id: number) => read([id])[0].map(([time]) => time);
    expect(times(2)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(times(4)).toHaveLength(60);
    await write([2, 20, 5]);
    expect(read([2], 15, 25)).toEqual([[[20, 5]]]);
    await settle();
    expect(read([2], 15, 25)).toEqual([[[20, 5]]]);
    expect(store.catalog.blocks.reduce((sum, block) => sum + block.samples, 0)).toBeLessThanOrEqual(500);
    await store.close();
    await open(512);
    expect(times(3)).toHaveLength(10);
    expect(times(2)).toHaveLength(11);
    expect(new SampleReader(store.catalog).active([2, 3, 4], 30, 40)).toEqual(Uint8Array.of(0, 0, 1));
  });
});

describe('samples written after a deletion and a restart', () => {
  it('are there, and the deleted ones stay away', async () => {
    await open();
    await write([1, 10, 1], [2, 10, 1]);
    await store.deleteSamples(Uint32Array.of(1), 0, 100);
    await write([2, 20, 2]);
    await store.deleteSamples(Uint32Array.of(2), 15, 100);
    await store.close();
    await open();
    await write([1, 10, 5], [2, 20, 6]);
    await settle();
    expect(read([1, 2])).toEqual([
      [[10, 5]],
      [
        [10, 1],
        [20, 6],
      ],
    ]);
  });
});

describe('damage', () => {
  it('at the end of the newest journal is a write that was never acknowledged', async () => {
    await open();
    await write([1, 1000, 1]);
    await store.close();
    const [journal] = files('.journal');
    const whole = fs.readFileSync(path.join(directory, journal));
    for (const rest of [Buffer.alloc(5, 1), whole.subarray(0, whole.length - 1), Buffer.alloc(100)]) {
      fs.writeFileSync(path.join(directory, journal), Buffer.concat([whole, rest]));
      await open();
      expect(store.stats.droppedBytes).toBe(rest.length);
      expect(read([1])).toEqual([[[1000, 1]]]);
      await store.close();
      expect(fs.statSync(path.join(directory, journal)).size).toBe(whole.length);
    }
    await open();
  });

  it('in an older journal stops the start and says where', async () => {
    await open();
    await write([1, 1000, 1]);
    await store.close();
    const [journal] = files('.journal');
    const bytes = fs.readFileSync(path.join(directory, journal));
    fs.writeFileSync(path.join(directory, journal.replace('1', '2')), bytes);
    bytes[40] ^= 1;
    fs.writeFileSync(path.join(directory, journal), bytes);
    await expect(open()).rejects.toMatchObject({ code: 'journal_damaged', message: expect.stringContaining('byte 0') });
  });

  it('of a block is an error, not another value', async () => {
    await open(512);
    for (let t = 0; t < 60; t++) await write(...Array.from({ length: 10 }, (_, id): Sample => [id, t, t]));
    await settle();
    await store.close();
    const [block] = files('.block');
    const bytes = fs.readFileSync(path.join(directory, block));
    bytes[60] ^= 16;
    fs.writeFileSync(path.join(directory, block), bytes);
    await open(512);
    expect(() => read([0, 1, 2, 3])).toThrow(/checksum/);
  });

  it('that cut a block off is found at the start', async () => {
    await open(512);
    for (let t = 0; t < 60; t++) await write(...Array.from({ length: 10 }, (_, id): Sample => [id, t, t]));
    await settle();
    await store.close();
    const [block] = files('.block');
    fs.truncateSync(path.join(directory, block), 200);
    await expect(open(512)).rejects.toMatchObject({ code: 'block_damaged' });
  });
});
