import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
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

describe("Loki's scripts", async () => {
  if (!fs.existsSync(SHARED)) {
    test.skip("skipped: Loki's scripts do not lie beside this checkout", () => undefined);
    return;
  }
  const scores = await runFolder(SHARED);
  for (const [file, floor] of Object.entries(FLOORS)) {
    test(`${file} passes at least ${floor}`, () => {
      const score = scores.find((candidate) => candidate.file === file);
      if (score !== undefined) expect(score.passed, score.failures.join('\n')).toBeGreaterThanOrEqual(floor);
    });
  }
});
