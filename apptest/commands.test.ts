import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

const MAIN = path.join(import.meta.dirname, '..', 'server', 'cmd', 'main.ts');
const run = promisify(execFile);

/** Runs the program to its end. */
async function barograph(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await run(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args])) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

describe('barograph', () => {
  it.each(['serve', 'demo', 'simulate', 'check', 'policy'])('%s --help teaches with examples', async (command) => {
    const { code, stdout } = await barograph(command, '--help');
    expect(code).toBe(0);
    expect(stdout).toContain(`barograph ${command} `);
    expect((await barograph('--help')).stdout).toContain(stdout.trim().split('\n')[1].trim());
  });

  it.each([
    [['paint'], 2, 'got the command "paint", accepted is serve, demo, simulate, check, policy, slo, canary or gateway'],
    [['simulate', '--scenario', 'rain'], 1, 'got "rain", accepted is demo, calm'],
    [['simulate', '--colour'], 1, 'barograph simulate --help'],
    [['demo', '--seed', 'x'], 1, 'demo › --seed: got "x", accepted is a whole number'],
  ])('%j ends with %i and says why', async (args, code, message) => {
    const ended = await barograph(...args);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(message);
    expect(ended.stderr).not.toContain('    at ');
  });
});

describe('barograph simulate against a server', () => {
  let data: string;
  let program: Program;

  beforeAll(async () => {
    data = temporaryDirectory();
    program = await startProgram(data);
  });

  afterAll(async () => {
    await program?.stop();
    fs.rmSync(data, { recursive: true, force: true });
  });

  it('has its data directory for itself, and says who has it', async () => {
    const { code, stderr } = await barograph('serve', '--port', '0', '--data', data);
    expect(code).toBe(1);
    expect(stderr).toContain(`got one that process ${program.pid} has open`);
    expect(stderr).not.toContain('    at ');
  });

  it('fills the past, and says what was acknowledged, refused and planned', async () => {
    const args = ['--target', program.url, '--otlp-target', program.otlpHttpUrl, '--backfill', '4m', '--seed', '3'];
    const { code, stdout, stderr } = await barograph('simulate', ...args);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Filling the past 4m: 100 % · .* samples/m);
    expect(stdout).toMatch(/^[\d,]+ requests: ok [\d,]+/m);
    expect(stdout).not.toContain('\r');
    const lines = /^lines: ([\d,]+) made, ([\d,]+) acknowledged$/m.exec(stdout);
    expect(lines?.[1]).toBe(lines?.[2]);
    const answer = await ask(program, '/api/v1/query', { query: 'count(inference_requests_total)' });
    expect(Number(answer.data.result[0].value[1])).toBeGreaterThan(3);
  });
});
