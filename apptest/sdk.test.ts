// A service that uses the SDK, as a process of its own, against the real server: what arrives is the contract's, and
// nothing of what was asked or answered.
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CANARY, HARD_CASES } from '../sdk/fixtures/hard-cases.ts';
import { type ProviderServer, startProvider } from '../sdk/fixtures/provider-server.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

const SERVICE = path.join(import.meta.dirname, 'sdk-service.ts');
const REGISTER = path.join(import.meta.dirname, '..', 'sdk', 'register.ts');

let directory = '';
let program: Program;
let provider: ProviderServer;

beforeAll(async () => {
  directory = temporaryDirectory();
  program = await startProgram(directory);
  provider = await startProvider();
});

afterAll(async () => {
  await provider?.close();
  await program?.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Runs the service to its end. @returns what it said and how it ended. */
async function runService(
  name: string,
  options: { register?: boolean; mode?: string; signal?: NodeJS.Signals } = {},
): Promise<{ output: string; code: number | null; signal: NodeJS.Signals | null }> {
  const imports = options.register === false ? [] : ['--import', REGISTER];
  const child: ChildProcess = spawn(process.execPath, [...imports, SERVICE, provider.url, options.mode ?? 'ask'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      OTEL_SERVICE_NAME: name,
      OTEL_RESOURCE_ATTRIBUTES: 'cloud.region=eu-west,deployment.environment.name=test',
      OTEL_EXPORTER_OTLP_ENDPOINT: program.otlpHttpUrl,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => {
      output += data.toString('utf8');
      if (options.signal && output.includes('waiting')) child.kill(options.signal);
    });
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve({ output, code, signal })));
}

async function values(query: string): Promise<Record<string, unknown>[]> {
  const answer = await ask(program, '/api/v1/query', { query });
  expect(answer.status, answer.error).toBe('success');
  return (answer.data.result as { metric: Record<string, string>; value: [number, string] }[]).map(
    ({ metric, value }) => ({
      ...metric,
      value: Number(value[1]),
    }),
  );
}

const REASONING_FIRST = HARD_CASES.find(({ name }) => name === 'Reasoning comes first')!;

it("arrives as the contract's metrics, spans and events, and with no word of the content", async () => {
  provider.answer(REASONING_FIRST.answer);
  const { output, code } = await runService('assistant');
  expect([output, code]).toEqual(['asked\n', 0]);

  const of = 'deployment="assistant"';
  const labels = { deployment: 'assistant', region: 'eu-west', customer_tier: 'pro', environment: 'test' };
  const model = 'gpt-5-2026-08-07';
  const [requests] = await values(`inference_requests_total{${of}}`);
  expect(requests).toMatchObject({ ...labels, model_version: model, outcome: 'ok', value: 1 });
  const ttft = await values(`sort_by_label(inference_ttft_seconds_count{${of}}, "first")`);
  const ofTtft = { prompt_class: 'rag', token_bucket: '≤128', stage: 'client', value: 1 };
  expect(ttft).toMatchObject([
    { ...ofTtft, first: 'reasoning' },
    { ...ofTtft, first: 'visible' },
  ]);
  expect(await values(`inference_inter_token_latency_seconds_count{${of}}`)).toMatchObject([{ value: 2 }]);
  expect(await values(`inference_time_per_output_token_seconds_count{${of}}`)).toMatchObject([{ value: 1 }]);
  expect(await values(`inference_total_latency_seconds_count{${of}}`)).toMatchObject([{ outcome: 'ok', value: 1 }]);
  const tokens = await values(`inference_tokens_total{${of}}`);
  expect(Object.fromEntries(tokens.map(({ token_type, value }) => [token_type, value]))).toEqual({
    input: 12,
    output: 3,
    reasoning: 2,
  });
  expect(await values(`histogram_count(inference_token_count{${of}, token_type="output"})`)).toMatchObject([
    { value: 1 },
  ]);
  expect(await values(`inference_guardrail_triggers_total{${of}}`)).toMatchObject([{ policy: 'pii', value: 1 }]);
  expect(await values(`barograph_sdk_refused_total`)).toMatchObject([{ reason: 'unknown_field', value: 1 }]);

  const found = await fetch(`${program.url}/api/search?${new URLSearchParams({ q: '{ name = "model_inference" }' })}`);
  const { traces } = (await found.json()) as { traces: { traceID: string }[] };
  expect(traces.length).toBe(1);
  const trace = await (await fetch(`${program.url}/api/traces/${traces[0].traceID}`)).text();
  for (const name of ['gateway', 'vector_search', 'prompt_build', 'model_inference', 'output_filtering'])
    expect(trace).toContain(`"${name}"`);
  expect(trace).toContain('gen_ai.usage.output_tokens');

  const query = new URLSearchParams({ query: `{${of}} | json`, limit: '100' });
  const lines = await (await fetch(`${program.url}/loki/api/v1/query_range?${query}`)).text();
  for (const event of ['request.finished', 'guardrail.triggered', 'cache.evicted']) expect(lines).toContain(event);
  expect(lines).toContain(traces[0].traceID.replace(/^0+/, ''));
  for (const text of [trace, lines, await (await fetch(`${program.url}/metrics`)).text()])
    expect(text).not.toContain(CANARY);
});

it('is sent before the process ends by a signal', async () => {
  provider.answer(REASONING_FIRST.answer);
  const { signal } = await runService('interrupted', { mode: 'wait', signal: 'SIGTERM' });
  expect(signal).toBe('SIGTERM');
  expect(await values('inference_requests_total{deployment="interrupted"}')).toMatchObject([
    { outcome: 'ok', value: 1 },
  ]);
});

it('leaves an OpenTelemetry SDK alone that is there already, and uses it', async () => {
  provider.answer(REASONING_FIRST.answer);
  const { output, code } = await runService('beside', { register: false, mode: 'beside' });
  expect([output, code]).toEqual(['already there: trace, metrics, logs, context\nasked\n', 0]);
  expect(await values('inference_requests_total{deployment="beside"}')).toMatchObject([{ outcome: 'ok', value: 1 }]);
  expect(await values('inference_ttft_seconds_count{deployment="beside",first="visible"}')).toMatchObject([
    { value: 1 },
  ]);
  expect(await values('inference_inter_token_latency_seconds_count{deployment="beside"}')).toMatchObject([
    { value: 2 },
  ]);
});

it('leaves no word of the content in any file of the store', async () => {
  await program.stop();
  const files = fs
    .readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(directory, name))
    .filter((file) => fs.statSync(file).isFile());
  const texts = files.map((file) => fs.readFileSync(file).toString('latin1'));
  expect(texts.some((text) => text.includes('cache.evicted'))).toBe(true);
  expect(texts.filter((text) => text.includes(CANARY))).toEqual([]);
  expect(program.output()).not.toContain(CANARY);
});
