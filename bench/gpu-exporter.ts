// What the GPU exporter costs, in CPU time: a poll of dcgm-exporter with all of the contract's fields (reading the text,
// combining, counting), and an answer to a scrape (bringing everything together, writing the text), for a node of 8 GPUs
// and for one of 64 instances; then the idle process itself.
//   npm run bench gpu-exporter
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { formatFamilies } from '../exporters/exposition/index.ts';
import { FLEET_DEFAULTS, GpuFleet } from '../exporters/gpu/fleet.ts';
import { toFamilies } from '../exporters/gpu/snapshot.ts';
import { readDcgmText } from '../exporters/gpu/sources/dcgm.ts';
import { joinWorkloads } from '../exporters/gpu/workload/join.ts';

const ROOT = path.join(import.meta.dirname, '..');
const TEXT = fs.readFileSync(path.join(ROOT, 'exporters/gpu/sources/testdata/dcgm-4.5.txt'), 'utf8');
const LAST_UUID = /f469a/g;
/** Ticks of `/proc` in a second. */
const CLOCK_TICKS = 100;

function textOf(gpus: number, poll: number): string {
  return Array.from({ length: gpus }, (_, gpu) =>
    TEXT.replace(LAST_UUID, `f4${String(gpu).padStart(3, '0')}`)
      .replaceAll('gpu="0"', `gpu="${gpu}"`)
      .replaceAll('612.345000', `${600 + poll}.345000`),
  ).join('');
}

/** CPU time of one call in µs, the least of five rounds. */
function measure(call: (i: number) => void): number {
  for (let i = 0; i < 30; i++) call(i);
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < 50; i++) call(i);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 50);
  }
  return least;
}

for (const gpus of [8, 64]) {
  const texts = Array.from({ length: 50 }, (_, poll) => textOf(gpus, poll));
  const fleet = new GpuFleet(FLEET_DEFAULTS);
  let nowMs = 0;
  const poll = measure((i) => {
    fleet.accept('dcgm', readDcgmText(texts[i]), 40_000, (nowMs += 5000), nowMs);
  });
  let bytes = 0;
  const answer = measure(() => {
    const devices = fleet.view(nowMs);
    const workloads = joinWorkloads({ devices, identities: new Map(), podDevices: [] });
    const families = toFamilies({
      ...{ devices, workloads, silent: fleet.silent(), missing: [], sources: [], drivers: [], dropped: 0 },
      ...{ node: 'gpu-1', labels: {}, version: '0', startedUnixMs: 0 },
    });
    bytes = formatFamilies(families, 'openmetrics').length;
  });
  const size = (texts[0].length / 1024).toFixed(0);
  console.log(
    `${gpus} GPUs: poll ${(poll / 1000).toFixed(2)} ms (${size} KiB), answer ${(answer / 1000).toFixed(2)} ms (${(bytes / 1024).toFixed(0)} KiB)`,
  );
}

const child = spawn(process.execPath, [
  path.join(ROOT, 'exporters/cmd/gpu-exporter.ts'),
  ...['--listen', '127.0.0.1:0', '--source', 'dcgm', '--dcgm-url', 'http://127.0.0.1:9/metrics', '--pod-resources', ''],
]);
await new Promise((resolve) => setTimeout(resolve, 3000));
const stat = (): number => {
  const fields = fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
};
const [status, before] = [fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'), stat()];
await new Promise((resolve) => setTimeout(resolve, 10_000));
const memory = (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024).toFixed(0);
console.log(`idle: ${memory} MiB, ${((stat() - before) * 1000).toFixed(0)} ms of CPU time in 10 s`);
child.kill();
