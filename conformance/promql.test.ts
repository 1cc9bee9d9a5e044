import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runFolder, SHARED } from './promql.ts';

const floor = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, 'promql-floor.json'), 'utf8')) as {
  files: Record<string, number>;
};

describe('PromQL scripts', () => {
  it('of our own all pass', async () => {
    const scores = await runFolder(path.join(import.meta.dirname, 'promql'));
    expect(scores.length).toBeGreaterThan(0);
    expect(scores.flatMap((score) => score.failures)).toEqual([]);
  });

  it('of our own all pass through remote write and the HTTP API', async () => {
    const scores = await runFolder(path.join(import.meta.dirname, 'promql'), 'server');
    expect(scores.length).toBeGreaterThan(0);
    expect(scores.flatMap((score) => score.failures)).toEqual([]);
  });

  it.for(['engine', 'server'] as const)(
    "of Prometheus's pass at least as often as recorded, on the level %s",
    { timeout: 120_000 },
    async (level, context) => {
      const scores = await runFolder(SHARED, level);
      if (scores.length === 0) return context.skip("Prometheus's scripts do not lie beside this checkout");
      for (const { file, passed, exceptions } of scores) {
        expect(passed + exceptions.length, file).toBeGreaterThanOrEqual(floor.files[file] ?? 0);
      }
    },
  );
});
