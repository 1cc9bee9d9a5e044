// What an hour of the simulated fleet costs the simulator: npm run bench simulate [seed].
// Three parts, in CPU seconds of this process: the model alone, everything made but not sent (dry run), and everything
// sent to a receiver in another process that throws it away. The budget for the last is 4 s.
import { spawn } from 'node:child_process';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { runSimulation, SCENARIOS } from '../server/simulate/index.ts';
import { Simulation } from '../server/simulate/simulation.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 10, 24, 10);

function startReceiver(): void {
  const server = http.createServer((request, response) => {
    request.resume();
    request.on('end', () => response.writeHead(request.url?.startsWith('/v1/') ? 200 : 204).end());
  });
  server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
  process.once('disconnect', () => process.exit());
}

async function main(seed: number): Promise<void> {
  const before = process.cpuUsage();
  const simulation = new Simulation({ seed, startMs: NOW_MS - HOUR_MS, scenario: SCENARIOS.demo });
  simulation.runUntil(NOW_MS);
  const used = process.cpuUsage(before);
  print('model alone', (used.user + used.system) / 1e6, `${simulation.finished} requests`);

  const options = { seed, backfillMs: HOUR_MS, nowMs: NOW_MS };
  const dry = await runSimulation({ ...options, target: 'http://127.0.0.1:9', dryRun: true });
  print('dry run', dry.cpuSeconds, `${dry.counts.samples.items} samples, ${dry.counts.points.items} points`);

  const receiver = spawn(process.execPath, [import.meta.filename, '--receiver'], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [port] = await receiver.stdout!.take(1).toArray();
  const sent = await runSimulation({ ...options, target: `http://127.0.0.1:${Number(String(port))}` });
  receiver.disconnect();
  const bytes = sent.counts.samples.bytes + sent.counts.lines.bytes;
  print('sent', sent.cpuSeconds, `${sent.seconds.toFixed(2)} s, ${Math.round(bytes / 1e6)} MB beside OTLP`);
}

function print(part: string, cpuSeconds: number, what: string): void {
  console.log(`${part.padEnd(12)} ${cpuSeconds.toFixed(2).padStart(6)} CPU s   ${what}`);
}

if (process.argv[2] === '--receiver') startReceiver();
else await main(Number(process.argv[2] ?? 7));
