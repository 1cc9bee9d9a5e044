import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPrometheus, type PeerPrometheus, startPrometheus } from './peer-prometheus.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

let directory = '';
let program: Program | undefined;
let peer: PeerPrometheus | undefined;

beforeEach(() => {
  directory = temporaryDirectory();
});

afterEach(async () => {
  await program?.stop();
  peer?.stop();
  [program, peer] = [undefined, undefined];
  fs.rmSync(directory, { recursive: true, force: true });
});

interface Sample {
  readonly metric: Record<string, string>;
  readonly value?: readonly [number, string];
  readonly histogram?: readonly [number, object];
}

/** The values of an instant query by label set. */
async function valuesOf(url: string, query: string): Promise<Map<string, string>> {
  const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`);
  const { data, error } = (await answer.json()) as { data: { result: Sample[] }; error?: string };
  if (error !== undefined) throw new Error(`${url}: ${error}`);
  const key = (metric: Record<string, string>) => JSON.stringify(Object.entries(metric).sort());
  return new Map(
    data.result.map(({ metric, value, histogram }) => [key(metric), value?.[1] ?? JSON.stringify(histogram?.[1])]),
  );
}

/** What targets say of their metrics, in the order of the names, since Prometheus has none. */
async function metadataOf(url: string, query: string): Promise<{ metric?: string; help: string }[]> {
  const answer = await fetch(`${url}/api/v1/targets/metadata${query}`);
  const { data } = (await answer.json()) as { data: { metric?: string; help: string }[] };
  return data.sort((a, b) => ((a.metric ?? '') < (b.metric ?? '') ? -1 : 1));
}

async function until(what: () => Promise<boolean>, ms = 30_000): Promise<void> {
  const endMs = performance.now() + ms;
  while (!(await what())) {
    if (performance.now() > endMs) throw new Error(`waited in vain; the program said:\n${program?.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function startWith(config: object | string, flag = '--config'): Promise<Program> {
  const file = path.join(directory, 'config.yml');
  fs.writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  program = await startProgram(path.join(directory, 'data'), [flag, file]);
  return program;
}

describe('a real Prometheus that is scraped', () => {
  it.for([
    ['text', 'PrometheusText0.0.4'],
    ['OpenMetrics', 'OpenMetricsText1.0.0'],
    ['protobuf', 'PrometheusProto'],
  ])('in %s has the series and values that it says of itself', { timeout: 120_000 }, async ([, protocol], context) => {
    const found = await findPrometheus();
    if (found === undefined) return context.skip('no Prometheus here');
    const job = (port: number): string =>
      `global: {scrape_interval: 1s, scrape_protocols: [${protocol}], external_labels: {a: b}}
rule_files: []
scrape_configs:
  - job_name: self
    static_configs: [{targets: ['127.0.0.1:${port}'], labels: {zone: z}}]
    metric_relabel_configs:
      # What it says of who asks it, and of this very scrape, differs from scraper to scraper.
      - {source_labels: [__name__], regex: 'prometheus_http_.*|net_.*|.*_active_appenders', action: drop}
`;
    peer = await startPrometheus(found, job, ['--enable-feature=native-histograms']);
    const theirs = peer.url;
    const { url } = await startWith(job(peer.port), '--scrape-config');
    expect(program?.output()).toMatch(/ignored are rule_files, global.external_labels/);
    const all = '{job="self"}';
    await until(async () => (await valuesOf(url, all)).size > 100 && (await valuesOf(theirs, all)).size > 100);
    // What doesn't change over some scrapes of theirs must be the same with us.
    const before = await valuesOf(theirs, all);
    await new Promise((resolve) => setTimeout(resolve, 4000));
    const [ours, after] = [await valuesOf(url, all), await valuesOf(theirs, all)];
    expect([...ours.keys()].sort()).toEqual([...after.keys()].sort());
    // The Go runtime's numbers go up and down, and may be the same twice by chance.
    const moves = /"(?:go_|process_|scrape_duration)/;
    const settled = [...after].filter(([key, value]) => before.get(key) === value && !moves.test(key));
    expect(settled.length).toBeGreaterThan(100);
    expect(settled.filter(([key, value]) => ours.get(key) !== value)).toEqual([]);
    const { data } = await ask(program as Program, '/api/v1/targets');
    const shown = (await (await fetch(`${theirs}/api/v1/targets`)).json()) as typeof data;
    const [mine] = data.activeTargets;
    expect(Object.keys(mine).sort()).toEqual(Object.keys(shown.data.activeTargets[0]).sort());
    for (const key of ['discoveredLabels', 'labels', 'scrapeUrl', 'health', 'scrapeInterval', 'scrapeTimeout'])
      expect(mine[key]).toEqual(shown.data.activeTargets[0][key]);
    for (const query of ['', '?match_target={zone="z"}', '?match_target={zone="y"}', '?metric=up', '?limit=0']) {
      const said = await metadataOf(theirs, query);
      // Governance leaves out help that reads like a prompt.
      const left = (await metadataOf(url, query)).map((one, i) =>
        one.help === '' ? { ...one, help: said[i].help } : one,
      );
      expect(left).toEqual(said);
    }
    const [one] = await metadataOf(url, '?metric=go_goroutines');
    expect(one.help).not.toBe('');
    expect(one).toEqual((await metadataOf(theirs, '?metric=go_goroutines'))[0]);
  });

  it('is down at once when it is gone, and its series end', { timeout: 60_000 }, async (context) => {
    const found = await findPrometheus();
    if (found === undefined) return context.skip('no Prometheus here');
    peer = await startPrometheus(found, () => 'global: {}');
    const { url } = await startWith({
      scrape: {
        global: { scrape_interval: '1s' },
        scrape_configs: [{ job_name: 'peer', static_configs: [{ targets: [`127.0.0.1:${peer.port}`] }] }],
      },
    });
    await until(async () => (await valuesOf(url, 'prometheus_build_info')).size === 1);
    peer.stop();
    await until(async () => (await valuesOf(url, 'prometheus_build_info')).size === 0, 3000);
    expect([...(await valuesOf(url, 'up')).values()]).toEqual(['0']);
    const own = await (await fetch(`${url}/metrics`)).text();
    expect(own).toMatch(/barograph_scrape_scrapes_total\{result="connection"\} [1-9]/);
    expect(own).toMatch(/barograph_scrape_targets\{job="peer",state="down"\} 1/);
  });
});

describe('discovery', () => {
  let target: http.Server;
  let address = '';

  beforeEach(async () => {
    target = http.createServer((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/plain' }).end('# TYPE jobs_total counter\njobs_total 5\n'),
    );
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', () => resolve()));
    address = `127.0.0.1:${(target.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    target.closeAllConnections();
    target.close();
  });

  it('by files follows their changes, and a target that is taken out ends within an interval', async () => {
    const file = path.join(directory, 'targets', 'a.yml');
    fs.mkdirSync(path.dirname(file));
    fs.writeFileSync(file, `- {targets: ['${address}'], labels: {version: 1.10}}\n`);
    const { url } = await startWith(
      'scrape:\n  global: {scrape_interval: 1s}\n  scrape_configs:\n' +
        "    - {job_name: files, file_sd_configs: [{files: ['targets/*.yml']}]}\n",
    );
    await until(async () => (await valuesOf(url, 'jobs_total{version="1.10"}')).size === 1);
    fs.writeFileSync(file, '- targets: [');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await valuesOf(url, 'up{job="files"}')).size).toBe(1);
    fs.writeFileSync(file, '[]');
    await until(async () => (await valuesOf(url, '{job="files"}')).size === 0, 3000);
    fs.writeFileSync(`${file}.new`, `- {targets: ['${address}']}\n`);
    fs.renameSync(`${file}.new`, file);
    await until(async () => (await valuesOf(url, 'jobs_total{version=""}')).size === 1);
  });

  it('by HTTP keeps what it knew while the server fails', async () => {
    let groups: string | undefined = JSON.stringify([{ targets: [address], labels: { zone: 'a' } }]);
    const server = http.createServer((_request, response) => {
      if (groups === undefined) response.writeHead(500).end();
      else response.writeHead(200, { 'content-type': 'application/json' }).end(groups);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    try {
      const discovery = `http://127.0.0.1:${(server.address() as AddressInfo).port}/sd?token=hunter2`;
      const { url } = await startWith({
        scrape: {
          global: { scrape_interval: '500ms' },
          scrape_configs: [{ job_name: 'http', http_sd_configs: [{ url: discovery, refresh_interval: '1s' }] }],
        },
      });
      await until(async () => (await valuesOf(url, 'jobs_total{zone="a"}')).size === 1);
      groups = undefined;
      const failed = /barograph_scrape_discovery_failures_total\{mechanism="http"\} [1-9]/;
      await until(async () => failed.test(await (await fetch(`${url}/metrics`)).text()));
      expect((await valuesOf(url, 'up{job="http"}')).size).toBe(1);
      groups = '[]';
      await until(async () => (await valuesOf(url, '{job="http"}')).size === 0);
      for (const route of ['targets', 'status/config', 'status/flags'])
        expect(await (await fetch(`${url}/api/v1/${route}`)).text()).not.toContain('hunter2');
      expect(program?.output()).not.toContain('hunter2');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('governance', () => {
  it('adds up what differs by a request’s ID, and says so by source', async () => {
    let n = 0;
    const target = http.createServer((_request, response) => {
      n++;
      const lines = Array.from(
        { length: 10 },
        (_, i) => `inference_requests_total{outcome="ok",request_id="r-${n}-${i}"} 2`,
      );
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.end(`# TYPE inference_requests_total counter\n${lines.join('\n')}\n`);
    });
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', () => resolve()));
    try {
      const { url } = await startWith({
        scrape: {
          global: { scrape_interval: '500ms' },
          scrape_configs: [
            {
              job_name: 'leak',
              static_configs: [{ targets: [`127.0.0.1:${(target.address() as AddressInfo).port}`] }],
            },
          ],
        },
      });
      await until(
        async () => n >= 4 && Number([...(await valuesOf(url, 'inference_requests_total')).values()][0]) >= 60,
      );
      const found = [...(await valuesOf(url, 'inference_requests_total'))];
      expect(found).toHaveLength(1);
      expect(found[0][0]).not.toContain('request_id');
      expect(Number(found[0][1]) % 20).toBe(0);
      expect(await (await fetch(`${url}/metrics`)).text()).toMatch(
        /decisions_total\{[^}]*source="scrape"[^}]*\} [1-9]/,
      );
    } finally {
      target.closeAllConnections();
      target.close();
    }
  });
});

describe('a configuration that is wrong', () => {
  it.each([
    [
      'an unknown key',
      'scrape:\n  scrape_configs:\n    - job_name: a\n      metric_path: /x\n',
      ':4 › scrape.scrape_configs.0.metric_path',
    ],
    [
      'another discovery',
      'scrape:\n  scrape_configs:\n    - job_name: a\n      consul_sd_configs: []\n',
      'static_configs, file_sd_configs',
    ],
    [
      'a rule',
      'scrape:\n  scrape_configs:\n    - job_name: a\n      relabel_configs:\n        - {action: hashmod}\n',
      ':5 ›',
    ],
    ['no YAML', 'scrape: [\n', 'no YAML'],
  ])('%s is named with its line, and the program ends', async (_what, text, message) => {
    await expect(startWith(text)).rejects.toThrow(message);
  });
});
