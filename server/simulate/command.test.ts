import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseSimulateArgs, SIMULATE_ENTRY, SIMULATE_HELP } from './command.ts';
import { printReport } from './progress.ts';
import { runSimulation } from './run.ts';

/** Runs the entry of the child process and gives its lines. */
async function runEntry(options: object): Promise<{ lines: Record<string, unknown>[]; code: number | null }> {
  const child = spawn(process.execPath, [fileURLToPath(SIMULATE_ENTRY), JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { lines, code };
}

describe('barograph simulate', () => {
  it('reads its arguments', () => {
    const args =
      '--target http://127.0.0.1:7070 --backfill 90m --seed 7 --scenario thermal --speed real --no-leak --rate 2';
    expect(parseSimulateArgs(args.split(' '))).toMatchObject({
      target: 'http://127.0.0.1:7070',
      backfillMs: 5_400_000,
      seed: 7,
      scenario: 'thermal',
      realTime: true,
      leakRequestId: false,
      rate: 2,
    });
  });

  it.each([
    ['--speed fast', 'simulate › --speed: got fast, accepted is max or real'],
    ['--rate much', 'simulate › --rate: got "much", accepted is a number'],
    ['--backfill yesterday', 'duration: got "yesterday"'],
    ['--color', 'simulate › arguments: got Unknown option'],
  ])('refuses %s', (args, message) => {
    expect(() => parseSimulateArgs(args.split(' '))).toThrow(message);
  });

  it('names every option in its help, and its examples are ones that it reads', () => {
    const examples = SIMULATE_HELP.split('\n').filter((line) => line.startsWith('        barograph simulate'));
    expect(examples.length).toBeGreaterThan(2);
    for (const example of examples) parseSimulateArgs(example.trim().split(' ').slice(2));
  });

  it('runs the dry-run example of its help, and says what it did', async () => {
    const phases: string[] = [];
    const report = await runSimulation({
      ...parseSimulateArgs('--dry-run --backfill 10m'.split(' ')),
      onProgress: ({ phase }) => phases.push(phase),
    });
    expect(phases.at(-1)).toBe('done');
    expect(printReport(report)).toMatch(/^[\d,]+ requests: ok [\d,]+.*\nsamples: [\d,]+ made, 0 acknowledged\n/);
    expect(printReport(report)).toMatch(/incident thermal, \d\d:\d\d:\d\d–/);
  });

  it('runs as a child process that writes JSON lines, and an error as one of them', async () => {
    const good = await runEntry({
      target: 'http://127.0.0.1:9',
      dryRun: true,
      backfillMs: 300_000,
      nowMs: 1.8e12,
      seed: 4,
    });
    expect(good.code).toBe(0);
    expect(good.lines.at(-1)).toMatchObject({ type: 'report' });
    expect(good.lines.at(-2)).toMatchObject({ type: 'progress', phase: 'done' });
    const bad = await runEntry({ target: 'http://127.0.0.1:9', scenario: 'rain' });
    expect(bad.code).toBe(1);
    expect(bad.lines).toEqual([{ type: 'error', code: 'unknown_scenario', message: expect.stringContaining('rain') }]);
  });
});
