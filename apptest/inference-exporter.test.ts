import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

const EXPORTER = path.join(import.meta.dirname, '..', 'exporters', 'cmd', 'inference-exporter.ts');
const TEXTS = path.join(import.meta.dirname, '..', 'exporters', 'inference', 'testdata');

let directory = '';
let program: Program | undefined;
let exporter: ChildProcess | undefined;
let said = '';
const servers: http.Server[] = [];

beforeEach(() => {
  directory = temporaryDirectory();
  said = '';
});

afterEach(async () => {
  exporter?.kill();
  await program?.stop();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  [program, exporter] = [undefined, undefined];
  fs.rmSync(directory, { recursive: true, force: true });
});

type Answers = Readonly<Record<string, () => string>>;

/** A server that answers some paths; JSON where the answer begins with a brace. */
async function serve(answers: Answers): Promise<string> {
  const server = http.createServer((request, response) => {
    const body = answers[request.url ?? '']?.();
    if (body === undefined) return response.writeHead(404).end();
    const type = /^[[{]/.test(body) ? 'application/json' : 'text/plain; version=0.0.4';
    return response.writeHead(200, { 'content-type': type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  servers.push(server);
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The text of an engine; `grow` is what its counters have grown by. */
function textOf(file: string, grow: () => number = () => 0): () => string {
  const text = fs.readFileSync(path.join(TEXTS, file), 'utf8');
  return () =>
    text.replace(/^(\S*(?:request_success|num_requests)\S* )(\d+)/gm, (_, series: string, value: string) => {
      return /num_requests_(?:running|waiting)/.test(series) ? series + value : series + (Number(value) + grow());
    });
}

async function startExporter(args: readonly string[]): Promise<string> {
  exporter = spawn(process.execPath, [EXPORTER, '--listen', '127.0.0.1:0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const child = exporter;
  return new Promise((resolve, reject) => {
    child.stderr?.on('data', (data) => {
      said += data;
      const ready = /ready at http:\/\/(\S+)\/metrics/.exec(said);
      if (ready) resolve(ready[1]);
    });
    child.once('exit', (code) => reject(new Error(`the exporter ended with ${code}:\n${said}`)));
  });
}

async function startServer(address: string): Promise<void> {
  const file = path.join(directory, 'config.yml');
  const job = { job_name: 'inference', static_configs: [{ targets: [address] }] };
  fs.writeFileSync(file, JSON.stringify({ scrape: { global: { scrape_interval: '1s' }, scrape_configs: [job] } }));
  program = await startProgram(path.join(directory, 'data'), ['--config', file]);
}

/** The values of an instant query by the value of one label. */
async function valuesOf(query: string, label: string): Promise<Record<string, number>> {
  const { data } = await ask(program as Program, '/api/v1/query', { query });
  const result = data.result as { metric: Record<string, string>; value: [number, string] }[];
  return Object.fromEntries(result.map(({ metric, value }) => [metric[label] ?? '', Number(value[1])]));
}

async function until(what: () => Promise<boolean>, ms = 30_000): Promise<void> {
  const endMs = performance.now() + ms;
  while (!(await what())) {
    if (performance.now() > endMs) throw new Error(`waited in vain; the exporter said:\n${said}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe('a mixed fleet', () => {
  it('is one set of metrics in PromQL, whatever runs where', { timeout: 90_000 }, async () => {
    let grown = 0;
    const addresses = {
      vllm: await serve({ '/metrics': textOf('vllm-0.30.txt', () => grown) }),
      old: await serve({ '/metrics': textOf('vllm-0.9.txt') }),
      sglang: await serve({ '/metrics': textOf('sglang-0.5.txt') }),
      // trtllm-serve answers JSON where others have their metrics.
      trt: await serve({ '/metrics': () => '[{"iter": 1}]', '/prometheus/metrics': textOf('tensorrt-llm-1.2.txt') }),
      tgi: await serve({ '/metrics': textOf('tgi-3.3.7.txt'), '/info': () => '{"model_id": "mistralai/Mistral-7B"}' }),
      nim: await serve({ '/v1/metrics': textOf('nim-1.8.txt') }),
      llamacpp: await serve({
        '/metrics': textOf('llamacpp-b6500.txt'),
        '/v1/models': () => '{"data": [{"id": "gemma-3"}]}',
      }),
      litellm: await serve({ '/metrics': textOf('litellm-1.80.txt') }),
      ollama: await serve({
        '/api/tags': () => '{"models": [{"name": "gemma3:4b"}, {"name": "qwen3:8b"}]}',
        '/api/ps': () =>
          '{"models": [{"name": "gemma3:4b", "size": 6591830464, "size_vram": 5333539264, "context_length": 4096}]}',
      }),
    };
    const targets = Object.entries(addresses).map(([name, address]) => ({
      targets: [address],
      labels: { deployment: name, region: 'eu' },
    }));
    const file = path.join(directory, 'targets.json');
    fs.writeFileSync(file, JSON.stringify(targets));
    await startServer(await startExporter(['--targets-file', file]));

    const engines = ['llamacpp', 'nim', 'sglang', 'sglang-1', 'tensorrt_llm', 'tgi', 'vllm', 'vllm-1'];
    await until(
      async () => Object.keys(await valuesOf('sum by (engine) (inference_requests_running)', 'engine')).length >= 8,
    );
    expect(await valuesOf('sum by (engine) (inference_requests_running)', 'engine')).toEqual(
      Object.fromEntries(engines.map((engine) => [engine, expect.any(Number)])),
    );
    // The proxy would count the requests of the engines again.
    expect(await valuesOf('sum by (deployment) (inference_requests_total)', 'deployment')).toEqual({
      vllm: 2 * 1976,
      old: 1973,
      sglang: 1212,
      trt: 2419,
      tgi: 521,
      nim: 901,
    });
    expect(await valuesOf('sum by (deployment) (inference_requests_total{outcome!="ok"})', 'deployment')).toMatchObject(
      {
        vllm: 332,
        tgi: 20,
      },
    );
    expect(await valuesOf('sum by (stage) (inference_ttft_seconds_count)', 'stage')).toEqual({
      engine: 2 * 1976 + 1976 + 1100 + 2414 + 901,
      gateway: 700,
    });
    expect(await valuesOf('max by (engine) (inference_kv_cache_usage_ratio)', 'engine')).toMatchObject({
      vllm: 0.4213,
      'vllm-1': 0.7213,
      sglang: 0.62,
      nim: 0.18,
    });
    expect(
      await valuesOf('sum by (model_version) (inference_tokens_total{token_type="output"})', 'model_version'),
    ).toMatchObject({ 'mistralai/Mistral-7B': 501 * 96, 'gemma-3': 20_111 });
    const quantile = 'histogram_quantile(0.5, sum by (le, engine) (inference_ttft_seconds_bucket{stage="engine"}))';
    expect((await valuesOf(quantile, 'engine')).tensorrt_llm).toBeGreaterThan(0);
    expect(await valuesOf('sum by (deployment) (inference_cost_dollars_total)', 'deployment')).toEqual({
      litellm: 12.25,
    });
    expect(await valuesOf('barograph_inference_exporter_target_up', 'replica')).toEqual(
      Object.fromEntries(Object.values(addresses).map((address) => [address, 1])),
    );
    expect(await valuesOf('barograph_inference_exporter_model_loaded', 'model_version')).toEqual({
      'gemma3:4b': 1,
      'qwen3:8b': 0,
    });
    expect(await valuesOf('sum(count by (__name__) ({job="inference", user_email!=""}))', 'x')).toEqual({});

    grown = 100;
    await until(
      async () => (await valuesOf('sum(increase(inference_requests_total{engine="vllm"}[20s]))', ''))[''] > 0,
    );

    // A target that is taken out of the file, and one that goes away.
    fs.writeFileSync(file, JSON.stringify(targets.filter(({ labels }) => labels.deployment !== 'sglang')));
    servers[5].closeAllConnections();
    servers[5].close();
    await until(async () => {
      const running = await valuesOf('sum by (engine) (inference_requests_running)', 'engine');
      return running.sglang === undefined && running.nim === undefined;
    });
    expect((await valuesOf('barograph_inference_exporter_target_up', 'replica'))[addresses.nim]).toBe(0);
    expect(said).toMatch(new RegExp(`${addresses.nim} is down \\(unreachable\\)`));
  });

  it('is measured at its gateways where no engine can be asked', { timeout: 60_000 }, async () => {
    const address = await serve({ '/metrics': textOf('litellm-1.80.txt') });
    await startServer(await startExporter([address]));
    const requests = () => valuesOf('sum by (outcome) (inference_requests_total)', 'outcome');
    await until(async () => Object.keys(await requests()).length > 0);
    expect(await requests()).toEqual({ ok: 979, error: 12, timeout: 3 });
  });
});

describe('an engine that was upgraded', () => {
  it('goes on under its new names, and what is unknown is told once', { timeout: 60_000 }, async () => {
    const before = textOf('vllm-0.9.txt');
    const after = () =>
      textOf('vllm-0.30.txt')()
        .replaceAll('vllm:num_preemptions_total', 'vllm:num_request_preemptions_total')
        .replaceAll(/^.*engine="1".*\n/gm, '');
    let now = before;
    const address = await serve({ '/metrics': () => now() });
    await startServer(await startExporter([`${address},deployment=chat`]));
    const ratio = () => valuesOf('inference_kv_cache_usage_ratio', 'deployment');
    await until(async () => (await ratio()).chat === 0.4213);
    now = after;
    await until(async () => /no longer gives vllm:num_preemptions_total/.test(said));
    expect(await ratio()).toEqual({ chat: 0.4213 });
    expect(said).toMatch(
      /which became inference_preemptions_total; its new name may be vllm:num_request_preemptions_total/,
    );
    expect(said.match(/vllm gives vllm:num_request_preemptions_total, which isn't known/g)).toHaveLength(1);
    await until(
      async () =>
        (await valuesOf('barograph_inference_exporter_vanished_metrics', 'metric'))['vllm:num_preemptions_total'] === 1,
    );
    expect(await valuesOf('barograph_inference_exporter_unmapped_metrics', 'metric')).toEqual({
      'vllm:num_request_preemptions_total': 1,
    });
  });
});

describe('OTLP', () => {
  it('carries the same numbers', { timeout: 60_000 }, async () => {
    const address = await serve({ '/metrics': textOf('tensorrt-llm-1.2.txt') });
    program = await startProgram(path.join(directory, 'data'));
    await startExporter([
      `${address},deployment=chat`,
      '--otlp-endpoint',
      program.otlpHttpUrl,
      '--otlp-interval',
      '1s',
    ]);
    const outcomes = () => valuesOf('sum by (outcome) (inference_requests_total)', 'outcome');
    await until(async () => Object.keys(await outcomes()).length > 0);
    expect(await outcomes()).toEqual({ ok: 2100, truncated: 300, cancelled: 14, error: 5 });
    expect(await valuesOf('inference_kv_cache_usage_ratio', 'engine')).toEqual({ tensorrt_llm: 0.462890625 });
    const halves = await valuesOf('histogram_quantile(0.5, inference_ttft_seconds)', 'deployment');
    const classic = await valuesOf(
      'histogram_quantile(0.5, sum by (le, deployment) (inference_ttft_seconds_bucket))',
      'deployment',
    );
    expect({ ...halves, ...classic }.chat).toBeGreaterThan(0.1);
    expect(said).not.toMatch(/error/);
  });
});
