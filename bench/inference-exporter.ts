// The inference exporter: samples of engines per CPU second, from bytes to the exposition, and what a whole fleet costs.
//   npm run bench inference-exporter                in process, and the program with 40 fake engines scraped once a second
//   npm run bench inference-exporter -- 100 20      100 engines for 20 s
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { CountingPlace, ENGINE_TABLES, TargetSeries } from '../exporters/inference/index.ts';
import { renderMetrics } from '../exporters/inference/render.ts';

const ROOT = path.join(import.meta.dirname, '..');
const FILES = ['vllm-0.30.txt', 'sglang-0.5.txt', 'tgi-3.3.7.txt', 'tensorrt-llm-1.2.txt'];
const ENGINES = ['vllm', 'sglang', 'tgi', 'tensorrt_llm'] as const;
const [TARGETS, SECONDS] = [Number(process.argv[2] ?? 40), Number(process.argv[3] ?? 10)];
const CLOCK_TICKS = 100;

const texts = FILES.map((file) =>
  fs.readFileSync(path.join(ROOT, 'exporters', 'inference', 'testdata', file), 'utf8').replace(/^# Synth.*\n/, ''),
);

/** The same text with other numbers, as the next scrape has them. */
function later(text: string, scrape: number): Buffer {
  return Buffer.from(text.replace(/ (\d+)(?=(?:\.\d+)?\n)/g, (_, value: string) => ` ${Number(value) + scrape}`));
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function measure(name: string, samples: number, work: () => void): void {
  for (let i = 0; i < 20; i++) work();
  const startMs = cpuMs();
  let rounds = 0;
  while (cpuMs() - startMs < 1500) {
    work();
    rounds++;
  }
  const rate = (rounds * samples) / ((cpuMs() - startMs) / 1000);
  console.log(`${name.padEnd(34)} ${(rate / 1e6).toFixed(2).padStart(7)} M samples per CPU second`);
}

function inProcess(): void {
  for (const [i, engine] of ENGINES.entries()) {
    const bodies = Array.from({ length: 16 }, (_, scrape) => later(texts[i], scrape));
    const identity = { engine, labels: {}, fallback: { deployment: 'chat', replica: 'pod-1' } };
    const series = new TargetSeries(ENGINE_TABLES[engine], identity);
    let scrape = 0;
    const read = () => series.read(bodies[scrape++ % 16], 1_764_000_000_000 + scrape * 1000);
    read();
    measure(`${engine}: read (${series.samples} samples)`, series.samples, read);
    const place = new CountingPlace('both');
    measure(`${engine}: read and written`, series.samples, () => {
      read();
      renderMetrics([{ engine, series }], [], place, 'text');
    });
    measure(`${engine}: the first time`, series.samples, () => {
      new TargetSeries(ENGINE_TABLES[engine], identity).read(bodies[0], 1_764_000_000_000);
    });
  }
}

async function wholeProgram(): Promise<void> {
  const bodies = texts.map((text) => Array.from({ length: 8 }, (_, scrape) => later(text, scrape)));
  let asked = 0;
  const servers = await Promise.all(
    Array.from({ length: TARGETS }, async (_, i) => {
      const server = http.createServer((request, response) => {
        if (request.url !== '/metrics') return response.writeHead(404).end();
        return response
          .writeHead(200, { 'content-type': 'text/plain; version=0.0.4' })
          .end(bodies[i % bodies.length][asked++ % 8]);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
      return server;
    }),
  );
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  const program = path.join(ROOT, 'exporters', 'cmd', 'inference-exporter.ts');
  const child = spawn(process.execPath, [program, '--listen', '127.0.0.1:0', ...addresses], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const url = await new Promise<string>((resolve) => {
    let said = '';
    child.stderr.on('data', (data) => {
      said += data;
      const ready = /ready at (\S+)/.exec(said);
      if (ready) resolve(ready[1]);
    });
  });
  const scrape = async (): Promise<string> => (await fetch(url)).text();
  const text = await scrape();
  const samples = text
    .split('\n')
    .filter((line) => line.startsWith('barograph_inference_exporter_scrape_samples'))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 1050)).then(scrape);
  const cpu = () => {
    const fields = fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
  };
  const [before, rounds] = [cpu(), Math.round(SECONDS)];
  let slowestMs = 0;
  for (let i = 0; i < rounds; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1050));
    const startMs = performance.now();
    await scrape();
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
  }
  const used = cpu() - before;
  const peak = /VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'));
  console.log(
    `\nthe program, ${TARGETS} engines, ${samples} samples a scrape, ${(text.length / 1024).toFixed(0)} KiB out: ` +
      `${((rounds * samples) / used / 1e6).toFixed(2)} M samples per CPU second, ${((used / rounds) * 1000).toFixed(0)} ms CPU a scrape, ` +
      `slowest ${slowestMs.toFixed(0)} ms, peak ${(Number(peak?.[1] ?? 0) / 1024).toFixed(0)} MiB`,
  );
  child.kill();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
}

inProcess();
await wholeProgram();
