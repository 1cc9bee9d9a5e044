import { describe, expect, it } from 'vitest';
import type { Progress } from './options.ts';
import { type ProgressTerminal, ProgressWriter, printProgress } from './progress.ts';

const none = { requests: 0, items: 0, acknowledged: 0, refused: {}, retries: 0, bytes: 0 };

function progress(phase: Progress['phase'], share: number): Progress {
  const counts = {
    samples: { ...none, items: 1200 },
    points: { ...none, items: 300 },
    spans: { ...none, items: 7 },
    records: { ...none, items: 4 },
    lines: { ...none, items: 1 },
  };
  return { phase, share, simulatedMs: new Date(2026, 10, 24, 10, 5).getTime(), requests: 1234, counts };
}

function record(isTTY: boolean): { terminal: ProgressTerminal; written: string[] } {
  const written: string[] = [];
  return { terminal: { isTTY, columns: 60, write: (text) => written.push(text) }, written };
}

describe('printProgress', () => {
  it('says what is done of what, how long still, and how fast', () => {
    expect(printProgress(progress('backfill', 0.25), 3_600_000, 6000)).toBe(
      'Filling the past 1h: 25 % · 18 s left · 150 × real time · 1,234 requests, 1,500 samples, 7 spans, 5 log lines',
    );
  });

  it('says nothing of an end at the start and at the end, and what time it is when it is live', () => {
    expect(printProgress(progress('backfill', 0), 3_600_000, 0)).toMatch(/^Filling the past 1h: 0 % · 1,234 requests/);
    expect(printProgress(progress('backfill', 1), 3_600_000, 9)).toMatch(/^Filling the past 1h: 100 % · 1,234 req/);
    expect(printProgress(progress('live', 1), 3_600_000, 9)).toMatch(/^Live at 10:05:00 · 1,234 requests/);
  });
});

describe('ProgressWriter', () => {
  it('writes over one line of a terminal, never wider than it, and ends it once', () => {
    const { terminal, written } = record(true);
    const writer = new ProgressWriter(terminal, 3_600_000, () => 0);
    writer.show(progress('backfill', 0.1));
    writer.show(progress('backfill', 0.2));
    writer.show(progress('done', 1));
    writer.end();
    expect(written).toHaveLength(3);
    for (const text of written.slice(0, 2)) {
      expect(text.startsWith('\r\u001b[2KFilling')).toBe(true);
      expect(text.slice(5).length).toBeLessThan(60);
    }
    expect(written[2]).toBe('\n');
  });

  it('writes few plain lines into a log: each quarter of the past, then one a minute', () => {
    const { terminal, written } = record(false);
    let nowMs = 0;
    const writer = new ProgressWriter(terminal, 3_600_000, () => nowMs);
    for (let share = 0.01; share <= 1; share += 0.01) writer.show(progress('backfill', share));
    writer.show(progress('backfill', 1));
    const shares = written.map((line) => /(\d+) %/.exec(line)?.[1]);
    expect(shares).toHaveLength(5);
    expect(shares.at(-1)).toBe('100');
    for (; nowMs < 120_000; nowMs += 500) writer.show(progress('live', 1));
    expect(written).toHaveLength(7);
    expect(written.join('')).not.toContain('\r');
  });
});
