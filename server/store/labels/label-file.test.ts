import fs from 'node:fs';
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Labels } from '../../model/index.ts';
import { LabelStore } from './label-store.ts';

let directory = '';
let file = '';

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-labels-'));
  file = path.join(directory, 'series.labels');
});

afterEach(() => {
  fs.rmSync(directory, { recursive: true, force: true });
});

const TEXT = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 });
const SET = fc.dictionary(TEXT, TEXT, { maxKeys: 4 }).map((record) => Object.entries(record).sort().flat() as Labels);
const COMMITS = fc.array(fc.array(SET, { maxLength: 8 }), { minLength: 1, maxLength: 6 });

/** Writes each part as a commit of its own; returns what label sets the file then holds, and its size after each. */
async function write(
  commits: readonly (readonly Labels[])[],
): Promise<{ all: Labels[]; sizes: number[]; held: number[] }> {
  const store = await LabelStore.open(file);
  const [all, sizes, held]: [Labels[], number[], number[]] = [[], [], []];
  for (const commit of commits) {
    for (const labels of commit) if (store.registry.resolve(labels) === all.length) all.push(labels);
    store.publish(await store.save());
    sizes.push(fs.statSync(file).size);
    held.push(all.length);
  }
  await store.close();
  return { all, sizes, held };
}

async function read(): Promise<Labels[]> {
  const store = await LabelStore.open(file);
  try {
    const all = [...store.registry.committed()];
    all.forEach((labels, id) => {
      expect(store.registry.find(labels)).toBe(id);
    });
    return all;
  } finally {
    await store.close();
  }
}

describe('a file of label sets', () => {
  it('gives each label set the number that it had', async () => {
    await fc.assert(
      fc.asyncProperty(COMMITS, COMMITS, async (first, second) => {
        fs.rmSync(file, { force: true });
        const { all } = await write(first);
        expect(await read()).toEqual(all);
        const store = await LabelStore.open(file);
        for (const labels of second.flat()) if (store.registry.resolve(labels) === all.length) all.push(labels);
        await store.save();
        await store.close();
        expect(await read()).toEqual(all);
      }),
      { numRuns: 30 },
    );
  });

  it('loses at most the last record where it was cut, and goes on from there', async () => {
    await fc.assert(
      fc.asyncProperty(COMMITS, fc.nat(), SET, async (commits, seed, next) => {
        fs.rmSync(file, { force: true });
        const { all, sizes, held } = await write(commits);
        const cut = seed % ((sizes.at(-1) ?? 0) + 1);
        fs.truncateSync(file, cut);
        const whole = sizes.findLastIndex((size) => size <= cut);
        const left = all.slice(0, whole < 0 ? 0 : held[whole]);
        expect(await read()).toEqual(left);
        const { all: known } = await write([[]]);
        expect(known).toEqual([]);
        const store = await LabelStore.open(file);
        if (store.registry.resolve(next) === left.length) left.push(next);
        await store.save();
        await store.close();
        expect(await read()).toEqual(left);
      }),
      { numRuns: 40 },
    );
  });

  it('drops a damaged last record and refuses a damaged one before it', async () => {
    const { sizes } = await write([
      [['a', '1']],
      [
        ['a', '2'],
        ['b', '1'],
      ],
      [['c', '3']],
    ]);
    const bytes = fs.readFileSync(file);
    for (let at = 0; at < bytes.length; at += 4) {
      const damaged = Buffer.from(bytes);
      damaged[at] ^= 0x55;
      fs.writeFileSync(file, damaged);
      if (at >= sizes[1]) expect(await read()).toHaveLength(3);
      else await expect(read(), `byte ${at}`).rejects.toMatchObject({ code: 'labels_damaged' });
    }
  });

  it('is whole after a disk that refused to keep what was written, for once', async () => {
    const store = await LabelStore.open(file);
    store.registry.resolve(['a', '1']);
    store.publish(await store.save());
    const handle = await open(file);
    const sync = vi.spyOn(Object.getPrototypeOf(handle), 'datasync').mockRejectedValueOnce(new Error('no space'));
    await handle.close();
    store.registry.resolve(['a', '2']);
    await expect(store.save()).rejects.toThrow('no space');
    sync.mockRestore();
    expect([...store.registry.committed()]).toEqual([['a', '1']]);
    expect(await read()).toEqual([['a', '1']]);
    store.registry.resolve(['a', '3']);
    store.publish(await store.save());
    const all = [
      ['a', '1'],
      ['a', '2'],
      ['a', '3'],
    ];
    expect([...store.registry.committed()]).toEqual(all);
    await store.close();
    expect(await read()).toEqual(all);
  });

  it('keeps nothing of a label set that was never saved', async () => {
    const store = await LabelStore.open(file);
    store.registry.resolve(['a', '1']);
    store.publish(await store.save());
    store.registry.resolve(['a', '2']);
    expect([...store.registry.committed()]).toEqual([['a', '1']]);
    await store.close();
    expect(await read()).toEqual([['a', '1']]);
  });
});
