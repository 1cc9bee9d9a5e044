// Scraping by Barograph and Prometheus in one run: samples per CPU second of the scraper, everything included (HTTP,
// parsing, governance, the store), and its peak memory.
//   npm run bench scrape                 one target of 5,000 series, asked every 50 ms for 20 s
//   npm run bench scrape -- 10000 30     10,000 series for 30 s
//   npm run bench scrape -- 5000 20 0.2  a fifth of the series are others with each scrape
// Prometheus is looked for in BAROGRAPH_PEERS, and left out with a message where it isn't there.
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');
const PEERS = process.env.BAROGRAPH_PEERS ?? path.join(ROOT, 'node_modules', '.cache', 'barograph-peers');
const [SERIES, SECONDS, CHURN] = [
  Number(process.argv[2] ?? 5000),
  Number(process.argv[3] ?? 20),
  Number(process.argv[4] ?? 0),
];
const INTERVAL_MS = 50;
const WARM_UP_MS = 4000;
/** Ticks of `/proc` in a second. */
const CLOCK_TICKS = 100;

/** Histograms as model servers expose them: 18 buckets, a sum and a count per label set. */
function exposition(scrape: number): string {
  const bounds = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, '+Inf'];
  const lines = ['# HELP app_latency_seconds Time of a request.', '# TYPE app_latency_seconds histogram'];
  for (let set = 0, series = 0; series < SERIES; set++) {
    const changes = set / (SERIES / 20) < CHURN;
    const labels = `handler="/v1/route/${set}",method="POST",zone="zone-${changes ? scrape % 100_000 : set % 3}"`;
    for (let i = 0; i < bounds.length && series < SERIES; i++, series++) {
      lines.push(`app_latency_seconds_bucket{${labels},le="${bounds[i]}"} ${scrape * (i + set)}`);
    }
    if (series++ < SERIES) lines.push(`app_latency_seconds_sum{${labels}} ${scrape * set * 0.1731 + 0.25}`);
    if (series++ < SERIES) lines.push(`app_latency_seconds_count{${labels}} ${scrape * (17 + set)}`);
  }
  return `${lines.join('\n')}\n`;
}

const BODIES = Array.from({ length: 100 }, (_, scrape) => Buffer.from(exposition(scrape + 1)));
let scrapes = 0;
const target = http.createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(BODIES[scrapes++ % BODIES.length]);
});

interface Peer {
  readonly name: string;
  readonly start: (folder: string, config: string, port: number) => ChildProcess;
}

const BAROGRAPH: Peer = {
  name: 'barograph',
  start: (folder, config, port) =>
    spawn(
      process.execPath,
      [path.join(ROOT, 'server/cmd/main.ts'), 'serve', '--port', String(port), '--otlp-http-port', '0']
        .concat(['--otlp-grpc-port', '0', '--data', path.join(folder, 'data'), '--scrape-config', config])
        .concat(['--log-level', 'error']),
      { stdio: 'ignore' },
    ),
};
const PROMETHEUS: Peer = {
  name: 'prometheus',
  start: (folder, config, port) =>
    spawn(
      path.join(PEERS, 'usr/bin/prometheus'),
      [`--config.file=${config}`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`],
      { stdio: 'ignore' },
    ),
};

function cpuSeconds(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

function peakMiB(pid: number): number {
  const match = /VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) / 1024;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', () => resolve()));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function measure(peer: Peer, address: string): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-bench-'));
  const config = path.join(folder, 'prometheus.yml');
  const job = `{job_name: bench, static_configs: [{targets: ['${address}']}]}`;
  fs.writeFileSync(config, `global: {scrape_interval: ${INTERVAL_MS}ms}\nscrape_configs: [${job}]\n`);
  const child = peer.start(folder, config, await freePort());
  const pid = child.pid as number;
  try {
    await sleep(WARM_UP_MS);
    const [cpu, begun] = [cpuSeconds(pid), scrapes];
    await sleep(SECONDS * 1000);
    const [used, done] = [cpuSeconds(pid) - cpu, scrapes - begun];
    const rate = (done * SERIES) / used;
    console.log(
      `${peer.name.padEnd(12)} ${String(done).padStart(5)} scrapes  ${(rate / 1000).toFixed(0).padStart(6)} k samples per CPU second` +
        `  ${((used / done) * 1000).toFixed(1).padStart(6)} ms a scrape  ${peakMiB(pid).toFixed(0).padStart(5)} MiB peak`,
    );
  } finally {
    child.kill('SIGKILL');
    await sleep(200);
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', () => resolve()));
const address = `127.0.0.1:${(target.address() as AddressInfo).port}`;
console.log(`${SERIES} series, ${BODIES[0].length} bytes a scrape, every ${INTERVAL_MS} ms for ${SECONDS} s`);
for (const peer of [BAROGRAPH, PROMETHEUS]) {
  if (peer === PROMETHEUS && !fs.existsSync(path.join(PEERS, 'usr/bin/prometheus'))) {
    console.log('prometheus   left out: none in BAROGRAPH_PEERS');
  } else await measure(peer, address);
}
target.closeAllConnections();
target.close();
