import fs from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { runFolder, runOwn, SHARED } from './logql.ts';

/** How many of Loki's evaluations pass at least; a file may only get better. */
const FLOORS: Readonly<Record<string, number>> = {
  'conversions.logqltest': 14,
  'formatters.logqltest': 31,
  'label_filters.logqltest': 286,
  'line_filters.logqltest': 56,
  'parsers.logqltest': 53,
};

describe('our own LogQL scripts', async () => {
  for (const { file, failures, total } of await runOwn()) {
    test(file, () => {
      expect(total).toBeGreaterThan(0);
      expect(failures).toEqual([]);
    });
  }
});

describe("Loki's scripts", () => {
  it.for(Object.entries(FLOORS))('%s passes at least %i', { timeout: 60_000 }, async ([file, floor], context) => {
    // Their licence keeps them out of this project; a checkout without them still runs our own above.
    if (!fs.existsSync(SHARED)) return context.skip("Loki's scripts do not lie beside this checkout");
    const score = (await runFolder(SHARED)).find((candidate) => candidate.file === file);
    expect(score?.passed, score?.failures.join('\n')).toBeGreaterThanOrEqual(floor);
  });
});
