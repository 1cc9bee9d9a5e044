// The gateway as a process of its own between a client and a provider, into a real server: what arrives is the contract's,
// the trace goes on from the client to the provider, and no word of what was asked or answered is anywhere.
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CANARY, HARD_CASES } from '../sdk/fixtures/hard-cases.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

const MAIN = path.join(import.meta.dirname, '..', 'server', 'cmd', 'main.ts');
const CLIENT_TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const REASONING = HARD_CASES.find(({ name }) => name === 'Reasoning comes first')!;

let directory = '';
let program: Program;
let provider: http.Server;
let gateway: ChildProcess;
let gatewayUrl = '';
let metricsUrl = '';
let said = '';
let sentTraceparent: string | undefined;

beforeAll(async () => {
  directory = temporaryDirectory();
  program = await startProgram(directory);
  provider = http.createServer(async (request, response) => {
    sentTraceparent = request.headers.traceparent as string | undefined;
    request.resume();
    if (request.url?.startsWith('/v1/embeddings')) {
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: `cannot embed ${CANARY}`, code: 'embed_failed' } }));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const frame of REASONING.answer.frames) {
      if (typeof frame === 'number') await new Promise((resolve) => setTimeout(resolve, frame));
      else response.write(frame);
    }
    response.end();
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', () => resolve()));
  const upstream = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  gateway = spawn(
    process.execPath,
    [
      ...[MAIN, 'gateway', '--upstream', upstream, '--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0'],
      ...['--otlp-endpoint', program.otlpHttpUrl, '--otlp-every', '0.5', '--label', 'deployment=chat'],
      ...['--label', 'region=eu-west', '--label-from-header', 'customer_tier=x-tier:free|pro'],
      ...['--route', '/v1/chat,prompt_class=talk'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  for (const stream of [gateway.stdout, gateway.stderr])
    stream?.on('data', (data: Buffer) => {
      said += data.toString();
    });
  await until(() => /ready at \S+/.test(said));
  gatewayUrl = /ready at (\S+)/.exec(said)?.[1] ?? '';
  metricsUrl = /metrics at (\S+)/.exec(said)?.[1] ?? '';
});

afterAll(async () => {
  gateway?.kill('SIGKILL');
  provider?.closeAllConnections();
  provider?.close();
  await program?.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`it did not come to pass; the gateway said:\n${said}`);
}

async function values(query: string): Promise<Record<string, unknown>[]> {
  const answer = await ask(program, '/api/v1/query', { query });
  expect(answer.status, answer.error).toBe('success');
  return (answer.data.result as { metric: Record<string, string>; value: [number, string] }[]).map(
    ({ metric, value }) => ({ ...metric, value: Number(value[1]) }),
  );
}

function send(route: string, headers: Record<string, string> = {}): Promise<Response> {
  const messages = [{ role: 'user', content: `tell me of ${CANARY}` }];
  return fetch(gatewayUrl + route, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'gpt-5', stream: true, messages, user: CANARY }),
  });
}

it('measures into the server, continues the trace, and tells nothing of the content', async () => {
  const traceparent = `00-${CLIENT_TRACE}-00f067aa0ba902b7-01`;
  const answer = await send('/v1/chat/completions', { traceparent, 'x-tier': 'pro', 'x-stainless-retry-count': '1' });
  expect(await answer.text()).toBe(REASONING.answer.frames.filter((frame) => typeof frame === 'string').join(''));
  expect(sentTraceparent).toMatch(new RegExp(`^00-${CLIENT_TRACE}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`));
  expect((await send(`/v1/embeddings?q=${CANARY}`)).status).toBe(500);

  const of = 'deployment="chat"';
  await until(async () => (await values(`inference_requests_total{${of}}`)).length > 0);
  const labels = { deployment: 'chat', region: 'eu-west', customer_tier: 'pro', model_version: 'gpt-5-2026-08-07' };
  expect(await values(`inference_requests_total{${of}}`)).toMatchObject([{ ...labels, outcome: 'ok', value: 1 }]);
  const ttft = await values(`sort_by_label(inference_ttft_seconds_count{${of}, stage="gateway"}, "first")`);
  expect(ttft).toMatchObject([
    { ...labels, first: 'reasoning', prompt_class: 'talk', value: 1 },
    { ...labels, first: 'visible', prompt_class: 'talk', value: 1 },
  ]);
  expect(await values(`inference_retries_total{${of}}`)).toMatchObject([{ reason: 'client_retry', value: 1 }]);
  const tokens = await values(`sum by (token_type) (inference_tokens_total{${of}})`);
  expect(tokens).toEqual(
    expect.arrayContaining([
      { token_type: 'input', value: 12 },
      { token_type: 'output', value: 3 },
    ]),
  );
  expect(await values('barograph_gateway_answers_total{way="chat"}')).toMatchObject([
    { status_class: '2xx', value: 1 },
  ]);

  const query = new URLSearchParams({ q: '{ name = "model_inference" && span.outcome = "ok" }' });
  let traces: { traceID: string }[] = [];
  await until(async () => {
    ({ traces } = (await (await fetch(`${program.url}/api/search?${query}`)).json()) as typeof globalThis & {
      traces: { traceID: string }[];
    });
    return traces.length > 0;
  });
  expect(traces.map(({ traceID }) => traceID.padStart(32, '0'))).toEqual([CLIENT_TRACE]);
  const trace = await (await fetch(`${program.url}/api/traces/${CLIENT_TRACE}`)).text();
  for (const name of ['"gateway"', '"model_inference"', 'gen_ai.usage.output_tokens']) expect(trace).toContain(name);

  const events = new URLSearchParams({ query: `{${of}} | json`, limit: '100' });
  let lines = '';
  await until(async () => {
    lines = await (await fetch(`${program.url}/loki/api/v1/query_range?${events}`)).text();
    return lines.includes('request.finished');
  });
  const exposed = await (await fetch(metricsUrl)).text();
  expect(exposed).toContain('inference_ttft_seconds_bucket');
  for (const text of [trace, lines, exposed, said]) expect(text).not.toContain(CANARY);
});

it('sends what it has measured before it ends', async () => {
  await (await send('/v1/chat/completions', { 'x-tier': 'free' })).text();
  const ended = new Promise((resolve) => gateway.once('exit', resolve));
  gateway.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(await values('inference_requests_total{customer_tier="free"}')).toMatchObject([{ outcome: 'ok', value: 1 }]);
});
