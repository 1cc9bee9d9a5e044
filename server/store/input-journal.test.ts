import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputBuffer } from './input-buffer.ts';
import { InputJournal } from './input-journal.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-inputs-'));
  file = path.join(directory, 'aggregation.journal');
});

afterEach(async () => {
  for (const journal of opened.splice(0)) await journal.close().catch(() => {});
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Journals that a test leaves open, as a process that is killed does. */
const opened: InputJournal[] = [];

async function openJournal(lastCommit: number, maxBytes?: number): Promise<InputJournal> {
  const journal = await InputJournal.open(directory, lastCommit, maxBytes);
  opened.push(journal);
  return journal;
}

function inputs(...values: readonly number[]): InputBuffer {
  const buffer = new InputBuffer();
  for (const value of values) buffer.push(7, value, 4_294_967_295, value / 2, 0, 1_700_000_000_000 + value);
  return buffer;
}

/** The last value of each input by the high word of its hash. */
function known(journal: InputJournal): Map<number, number> {
  const found = new Map<number, number>();
  journal.read((_output, hi, _lo, last) => found.set(hi, last));
  return found;
}

describe('the journal of aggregation inputs', () => {
  it('gives back what commits made durable, the later of an input last', async () => {
    const journal = await openJournal(0);
    await journal.append(inputs(1, 2, 3), 1);
    await journal.confirm();
    const again = new InputBuffer();
    again.push(7, 2, 4_294_967_295, 99, 5, 6);
    await journal.append(again, 2);
    await journal.confirm();
    expect([...known(journal)]).toEqual([
      [1, 0.5],
      [2, 99],
      [3, 1.5],
    ]);
    await journal.close();
    const reopened = await openJournal(0);
    expect(known(reopened).get(2)).toBe(99);
  });

  it('leaves out the last record where its commit never was, and keeps it where it was', async () => {
    for (const [lastCommit, expected] of [
      [1, [1]],
      [2, [1, 2]],
    ] as const) {
      fs.rmSync(file, { force: true });
      const journal = await openJournal(0);
      await journal.append(inputs(1), 1);
      await journal.confirm();
      await journal.append(inputs(2), 2);
      const reopened = await openJournal(lastCommit);
      expect([...known(reopened).keys()]).toEqual(expected);
    }
  });

  it('keeps the last record whatever the numbers of later processes are, once it is settled', async () => {
    const journal = await openJournal(0);
    await journal.append(inputs(1), 500);
    await journal.confirm();
    await journal.settle();
    const reopened = await openJournal(3);
    expect([...known(reopened).keys()]).toEqual([1]);
  });

  it('takes back the record of a commit that failed', async () => {
    const journal = await openJournal(0);
    await journal.append(inputs(1), 1);
    await journal.confirm();
    await journal.append(inputs(2), 2);
    await journal.takeBack();
    await journal.append(inputs(3), 2);
    await journal.confirm();
    expect([...known(journal).keys()]).toEqual([1, 3]);
  });

  it('begins anew with what is remembered where it has grown too long', async () => {
    const journal = await openJournal(0, 4096);
    journal.remembered = (visit) => {
      visit(7, 1000, 0, 1, 0, 0);
      visit(7, 1001, 0, 2, 0, 0);
    };
    let longest = 0;
    for (let commit = 1; commit <= 200; commit++) {
      await journal.append(inputs(commit), commit);
      await journal.confirm();
      longest = Math.max(longest, journal.size);
    }
    expect(longest).toBeLessThan(4096 + 200);
    expect(known(journal).get(1001)).toBe(2);
    await journal.close();
    const reopened = await openJournal(200);
    expect(known(reopened).get(1000)).toBe(1);
    expect(fs.readdirSync(directory)).toEqual(['aggregation.journal']);
  });

  it('counts whole records only, wherever a crash cuts the file', async () => {
    const journal = await openJournal(0);
    const ends: number[] = [];
    for (let commit = 1; commit <= 5; commit++) {
      await journal.append(inputs(...Array.from({ length: commit }, (_, i) => commit * 10 + i)), commit);
      await journal.confirm();
      ends.push(journal.size);
    }
    const whole = fs.readFileSync(file);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length }), fc.boolean(), async (cut, isDamaged) => {
        const bytes = Buffer.from(whole.subarray(0, cut));
        if (isDamaged && cut > 0) bytes[cut - 1] ^= 0x40;
        fs.writeFileSync(file, bytes);
        const reopened = await openJournal(5);
        const records = ends.filter((end) => end < cut || (end === cut && !isDamaged)).length;
        expect(known(reopened).size).toBe((records * (records + 1)) / 2);
      }),
      { numRuns: 60 },
    );
  });
});
