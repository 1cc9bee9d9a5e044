import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CanaryReport, CanaryStatus } from '../server/canary/index.ts';
import { PROMPTS } from '../server/canary/index.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

const MAIN = path.join(import.meta.dirname, '..', 'server', 'cmd', 'main.ts');
/** Words of the prompts that are sent; where one of them is said, content is. */
const PHRASES = PROMPTS.map((prompt) => prompt.slice(0, prompt.indexOf('%')).trim()).filter((text) => text.length > 12);

let directory = '';
let program: Program | undefined;

beforeEach(() => {
  directory = temporaryDirectory();
});

afterEach(async () => {
  await program?.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

async function start(config: string): Promise<Program> {
  const file = path.join(directory, 'barograph.yaml');
  fs.writeFileSync(file, config);
  program = await startProgram(path.join(directory, 'data'), ['--config', file, '--log-level', 'info']);
  return program;
}

async function runCanary({ url }: Program): Promise<CanaryReport> {
  const response = await fetch(`${url}/api/v1/barograph/canary`, { method: 'POST' });
  expect(response.status).toBe(200);
  return ((await response.json()) as { data: CanaryReport }).data;
}

async function statusOf({ url }: Program): Promise<CanaryStatus> {
  return ((await (await fetch(`${url}/api/barograph/v1/canary`)).json()) as { data: CanaryStatus }).data;
}

async function ownMetrics({ url }: Program): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

function command(running: Program): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'canary', '--url', running.url], {
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

function saysContent(text: string): string[] {
  return PHRASES.filter((phrase) => text.includes(phrase));
}

it('proves through every receiver that no content is kept, and leaves nothing behind', async () => {
  const running = await start('canary: { enabled: false }\n');
  const report = await runCanary(running);
  expect(report.findings).toEqual([]);
  expect([report.result, report.reason]).toEqual(['clean', undefined]);
  const paths = new Map(report.paths.map((sent) => [sent.path, sent]));
  for (const signal of ['traces', 'logs', 'metrics'])
    for (const receiver of ['otlp_http_json', 'otlp_http_protobuf', 'otlp_grpc'])
      expect(paths.get(`${receiver}_${signal}`)).toMatchObject({ accepted: 1 });
  for (const name of ['loki_json', 'loki_protobuf', 'scrape_text', 'scrape_openmetrics'])
    expect(paths.get(name)).toMatchObject({ accepted: 1 });
  for (const { path: name, hidden } of report.paths) expect(hidden, name).toBeGreaterThan(0);
  // Nearly all of the broken requests are refused; some of them are right by chance.
  expect(paths.get('broken_requests')?.refused).toBeGreaterThan(10);
  expect(report.searched.files).toBeGreaterThan(2);
  expect(report.searched.answers).toBeGreaterThan(20);

  const now = Date.now() / 1000;
  const range = { start: String(now - 3600), end: String(now + 60) };
  const series = await ask(running, '/api/v1/query', { query: 'count({__name__=~".+"})' });
  expect(series.data.result).toEqual([]);
  const lines = await fetch(`${running.url}/loki/api/v1/query_range?query=${encodeURIComponent('{deployment=~".+"}')}`);
  expect(((await lines.json()) as { data: { result: unknown[] } }).data.result).toEqual([]);
  const traces = await fetch(`${running.url}/api/search?${new URLSearchParams({ q: '{}', ...range })}`);
  expect(((await traces.json()) as { traces: unknown[] }).traces).toEqual([]);

  const metrics = await ownMetrics(running);
  expect(metrics).toMatch(/^barograph_canary_last_clean_timestamp_seconds 1\.\d+e\+09$/m);
  expect(metrics).toContain('barograph_canary_runs_total{result="clean"} 1');
  // Another one is refused for a moment, and the command says so.
  const again = await fetch(`${running.url}/api/barograph/v1/canary`, { method: 'POST' });
  expect([again.status, ((await again.json()) as { error: string }).error]).toEqual([429, expect.any(String)]);
  expect(saysContent(running.output())).toEqual([]);
}, 60_000);

it('runs by itself, remembers when it was clean, and is asked for by a command', async () => {
  let running = await start('canary: { first_after_seconds: 0 }\n');
  await expect.poll(async () => (await statusOf(running)).last?.result, { timeout: 30_000 }).toBe('clean');
  expect(running.output()).toContain('content canary: clean');
  const { lastCleanMs, nextMs } = await statusOf(running);
  expect(nextMs).toBeGreaterThan(Date.now() + 23 * 3_600_000);
  await running.stop();

  running = await start('canary: { first_after_seconds: 0 }\n');
  expect((await statusOf(running)).lastCleanMs).toBe(lastCleanMs);
  expect((await statusOf(running)).isRunning).toBe(false);
  await expect.poll(() => Date.now() - (lastCleanMs ?? 0), { timeout: 10_000 }).toBeGreaterThan(5000);
  const { status, output } = command(running);
  expect(output).toMatch(/hid \d+ prompts .* on 17 paths.*\nclean: none of it was found/);
  expect(status).toBe(0);
}, 90_000);

it('names path and place where a policy lets content through, and quotes none of it', async () => {
  const names = ['app.note', 'app.payload', 'app.state', 'baggage.note', 'comment_1', 'custom.info', 'custom.value'];
  const policy = `govern: { content: { descriptions: [${[...names, 'debug.dump', 'extra', 'misc.data'].join(', ')}] } }`;
  const running = await start(`canary: { enabled: false }\n${policy}\n`);
  const { status, output } = command(running);
  expect(status).toBe(1);
  expect(output).toMatch(/FOUND otlp_\w+_traces › \S.* \(plain\) in table › spans\.\w+ \(plain\)/);
  expect(output).toContain('NOT CLEAN');
  const { last } = await statusOf(running);
  expect(last?.result).toBe('found');
  const metrics = await ownMetrics(running);
  expect(metrics).toMatch(/^barograph_canary_found_total\{path="otlp_\w+_traces"\} [1-9]/m);
  expect(metrics).not.toContain('barograph_canary_last_clean_timestamp_seconds 1');
  expect(running.output()).toContain('content canary: NOT CLEAN');
  expect(saysContent([output, running.output(), JSON.stringify(last), metrics].join('\n'))).toEqual([]);
}, 60_000);
