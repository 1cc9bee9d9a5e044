import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fleet } from './fleet.ts';
import { FleetMetrics } from './routes.ts';
import { run } from './run.ts';
import { makeTarget } from './target.ts';

const TEXTS = path.join(import.meta.dirname, 'testdata');
const read = (file: string) => fs.readFileSync(path.join(TEXTS, file));

let servers: http.Server[] = [];
let directory = '';

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'inference-exporter-'));
});

afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers = [];
  fs.rmSync(directory, { recursive: true, force: true });
});

async function serve(listener: http.RequestListener): Promise<string> {
  const server = http.createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  servers.push(server);
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const metrics =
  (file: string): http.RequestListener =>
  (request, response) =>
    request.url === '/metrics'
      ? response.writeHead(200, { 'content-type': 'text/plain' }).end(read(file))
      : response.writeHead(404).end();

async function runWith(
  args: readonly string[],
  environment = {},
): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const status = await run(
    args,
    environment,
    {
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      once: () => {},
    },
    '1.2.3',
  );
  return { status, out, err };
}

const up = (out: string) =>
  Object.fromEntries(
    [...out.matchAll(/^barograph_inference_exporter_target_up\{.*target="([^"]+)"\} (\d)$/gm)].map(
      ([, target, value]) => [target, Number(value)],
    ),
  );

describe('a target', () => {
  it('that hangs, breaks off, is too large, answers wrongly or not at all is down, and the others are not', async () => {
    const good = await serve(metrics('vllm-0.30.txt'));
    const hanging = await serve(() => {});
    const broken = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1000000' });
      response.write(read('vllm-0.9.txt').subarray(0, 2000));
      setTimeout(() => response.destroy(), 20);
    });
    const large = await serve((_request, response) => response.end('a'.repeat(300_000)));
    const bomb = await serve((_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(5_000_000, 'a'))),
    );
    const wrong = await serve((_request, response) => response.end('vllm:num_requests_running one\n'));
    const foreign = await serve((_request, response) => response.end('# TYPE node_load1 gauge\nnode_load1 3\n'));
    const locked = await serve((_request, response) => response.writeHead(401).end());
    const all = [good, hanging, broken, large, bomb, wrong, foreign, locked, '127.0.0.1:1'];
    const { status, out, err } = await runWith(['--once', '--timeout', '1s', '--max-body-bytes', '200000', ...all]);
    expect(status).toBe(0);
    expect(up(out)).toEqual(Object.fromEntries(all.map((address) => [address, address === good ? 1 : 0])));
    const reasons = Object.fromEntries(
      [...err.matchAll(/warning http:\/\/(\S+) is down \((\w+)\)/g)].map(([, address, code]) => [address, code]),
    );
    expect(reasons).toEqual({
      [hanging]: 'timeout',
      [broken]: 'unreachable',
      [large]: 'too_large',
      [bomb]: 'too_large',
      [wrong]: 'bad_exposition',
      [foreign]: 'unrecognised',
      [locked]: 'http_status',
      '127.0.0.1:1': 'unreachable',
    });
    expect(err).toMatch(/it wants a token: --bearer-token-file/);
  });

  it('is asked with the token, and a redirect to another host never sees it', async () => {
    const seen: (string | undefined)[] = [];
    const thief = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end();
    });
    const address = await serve((request, response) => {
      if (request.headers.authorization !== 'Bearer s3cret') return response.writeHead(401).end();
      if (request.url === '/metrics') return response.writeHead(307, { location: '/metrics/' }).end();
      return response.writeHead(200, { 'content-type': 'text/plain' }).end(read('litellm-1.80.txt'));
    });
    const leading = await serve((_request, response) =>
      response.writeHead(302, { location: `http://${thief}/` }).end(),
    );
    const token = path.join(directory, 'token');
    fs.writeFileSync(token, 's3cret\n');
    const { out, err } = await runWith(['--once', '--bearer-token-file', token, address, leading]);
    expect(up(out)).toEqual({ [address]: 1, [leading]: 0 });
    expect(err).toMatch(/bad_redirect/);
    expect(err + out).not.toMatch(/s3cret/);
    expect(seen).toEqual([]);
  });

  it('is asked once however many ask the exporter at the same time', async () => {
    let asked = 0;
    const address = await serve((request, response) => {
      asked++;
      metrics('sglang-0.5.txt')(request, response);
    });
    const quiet = { up: () => {}, down: () => {}, unmapped: () => {}, vanished: () => {}, refused: () => {} };
    const fleet = new Fleet({ timeoutMs: 2000, maxBodyBytes: 1_000_000, insecureSkipVerify: false }, quiet);
    fleet.setTargets([makeTarget(address, {}, 'test')]);
    const shown = new FleetMetrics(fleet, 'auto', '1');
    const texts = await Promise.all(Array.from({ length: 5 }, () => shown.render('text', 2000)));
    texts.push(await shown.render('text', 2000));
    fleet.close();
    expect(asked).toBe(1);
    for (const text of texts) expect(text).toMatch(/inference_requests_running\{/);
    expect(texts.at(-1)).toMatch(/scrapes_total\{result="ok"\} 1$/m);
  });

  it('that is labelled like another is told apart, so that no series is there twice', async () => {
    const [first, second] = [await serve(metrics('tgi-3.3.7.txt')), await serve(metrics('tgi-3.3.7.txt'))];
    const label = 'deployment=chat,replica=one';
    const { out } = await runWith(['--once', '--target', `${first},${label}`, '--target', `${second},${label}`]);
    const series = out.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const names = series.map((line) => line.replace(/ \S+$/, ''));
    expect(new Set(names).size).toBe(names.length);
    expect(out).toMatch(/inference_requests_running\{.*replica="one"\}/);
    expect(out).toContain(`replica="one/${second}"`);
  });

  it('is described: whose it is, what is mapped, missing and unknown', async () => {
    const address = await serve((_request, response) =>
      response
        .writeHead(200, { 'content-type': 'text/plain' })
        .end(
          read('vllm-0.30.txt')
            .toString()
            .replaceAll('vllm:num_preemptions_total', 'vllm:num_request_preemptions_total'),
        ),
    );
    const { status, out } = await runWith(['--check', address]);
    expect(status).toBe(0);
    expect(out).toMatch(/\/metrics: vLLM/);
    expect(out).toMatch(/inference_ttft_seconds\{stage="engine"\} +vllm:time_to_first_token_seconds/);
    expect(out).toMatch(/missing \(1\)\n {2}inference_preemptions_total +vllm:num_preemptions_total/);
    expect(out).toMatch(/num_request_preemptions_total +perhaps the new name of vllm:num_preemptions_total/);
    expect((await runWith(['--check', '127.0.0.1:1'])).status).toBe(1);
  });
});

describe('discovery', () => {
  it('by HTTP and files gives labels, and leaves those of Prometheus alone', async () => {
    const first = await serve(metrics('vllm-0.9.txt'));
    const second = await serve(metrics('tgi-3.3.7.txt'));
    const list = await serve((_request, response) =>
      response.end(JSON.stringify([{ targets: [first], labels: { deployment: 'a', __meta_x: 'y' } }])),
    );
    fs.writeFileSync(path.join(directory, 'b.json'), JSON.stringify([{ targets: [second], labels: { region: 'eu' } }]));
    const files = path.join(directory, '*.json');
    const { out } = await runWith(['--once', '--targets-url', `http://${list}/`, '--targets-file', files]);
    expect(out).toMatch(/inference_requests_running\{deployment="a",engine="vllm"/);
    expect(out).toMatch(/inference_requests_running\{deployment="tgi",engine="tgi",region="eu"/);
  });

  it('by the API of Kubernetes asks page by page with the token, and takes what runs an engine', async () => {
    const engine = await serve(metrics('sglang-0.5.txt'));
    const port = Number(engine.split(':')[1]);
    const asked: string[] = [];
    const pod = (name: string, image: string, annotations = {}) => ({
      metadata: {
        name,
        namespace: 'prod',
        annotations,
        labels: { 'pod-template-hash': 'abc' },
        ownerReferences: [{ kind: 'ReplicaSet', name: 'chat-abc' }],
      },
      spec: { nodeName: 'node-1', containers: [{ image, ports: [{ containerPort: port }] }] },
      status: { podIP: '127.0.0.1' },
    });
    const api = await serve((request, response) => {
      asked.push(`${request.url} ${request.headers.authorization}`);
      const isSecond = request.url?.includes('continue=next') === true;
      const items = isSecond
        ? [pod('chat-abc-1', 'lmsysorg/sglang:v0.5', { 'barograph.io/label-customer-tier': 'gold' })]
        : [pod('web-1', 'nginx:1'), pod('off', 'lmsysorg/sglang', { 'barograph.io/scrape': 'false' })];
      response.end(JSON.stringify({ metadata: isSecond ? {} : { continue: 'next' }, items }));
    });
    const token = path.join(directory, 'token');
    fs.writeFileSync(token, 'abc');
    const args = ['--once', '--kubernetes-api', `http://${api}`, '--kubernetes-token-file', token];
    const { out } = await runWith([...args, '--kubernetes-namespace', 'prod']);
    expect(out).toMatch(
      /inference_requests_running\{customer_tier="gold",deployment="chat",engine="sglang",model_version="Qwen\/Qwen3-32B",namespace="prod",node="node-1",replica="chat-abc-1"\} 9/,
    );
    expect(Object.keys(up(out))).toEqual([engine]);
    expect(asked[0]).toMatch(/^\/api\/v1\/namespaces\/prod\/pods\?limit=500.* Bearer abc$/);
    expect(asked).toHaveLength(2);
  });

  it.each([
    [['--targets-file', 'targets.yml'], /ends in \.json/],
    [['--target', 'host:1,shoe_size=44'], /shoe_size.*accepted is model_version/],
    [['--target', 'http://'], /bad|accepted is host:port/],
    [['--dns', 'a b'], /accepted is name:port/],
    [['--kubernetes'], /--kubernetes-api/],
    [['--count-at', 'here', 'a:1'], /auto, engine, gateway, both/],
    [['--listen', 'nowhere', 'a:1'], /HOST:PORT/],
    [['--timeout', '0s', 'a:1'], /100ms to 60000ms/],
    [['--timeout', '5', 'a:1'], /such as 5s/],
    [[], /--target, --targets-file/],
    [['--nonsense'], /see --help/],
  ])('says what is wrong with %j', async (args, message) => {
    const { status, err } = await runWith(args);
    expect(status).toBe(2);
    expect(err).toMatch(message);
  });

  it('keeps what was found where a list is broken later', async () => {
    fs.writeFileSync(path.join(directory, 't.json'), '[{"targets": "x"}]');
    const { status, err } = await runWith(['--once', '--targets-file', path.join(directory, 't.json')]);
    expect(status).toBe(1);
    expect(err).toMatch(/file discovery: .*t\.json: got group 0 without a list of targets/);
  });
});

describe('the help', () => {
  it('teaches: an example to look with, one to run, and each engine with its switch', async () => {
    const { status, out } = await runWith(['--help']);
    expect(status).toBe(0);
    for (const part of ['--check 10.0.0.5:8000', '--once', 'scrape_configs', '--enable-metrics', 'Ollama'])
      expect(out).toContain(part);
    expect((await runWith(['--version'])).out).toBe('barograph-inference-exporter 1.2.3\n');
  });
});
