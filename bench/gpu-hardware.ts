// What reading a real GPU through NVML costs: time on the wall and of the CPU for a reading at 1 Hz and 10 Hz, what each
// call takes, the memory after 2,000 readings, and the whole exporter, with its reading process, at 1 Hz. Needs a GPU of
// NVIDIA and the npm package koffi; says so and ends where there is none.
//   node --expose-gc bench/gpu-hardware.ts [SECONDS]
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { loadNvml, type NvmlLibrary } from '../exporters/gpu/nvml/library.ts';
import { NvmlReader } from '../exporters/gpu/nvml/reader.ts';

const SECONDS = Number(process.argv[2] ?? 20);
/** Ticks of `/proc` in a second. */
const CLOCK_TICKS = 100;
const PROGRAM = path.join(import.meta.dirname, '..', 'exporters', 'cmd', 'gpu-exporter.ts');

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
const cpuMicros = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

const library = await loadNvml().catch((error: Error) => {
  console.log(error.message);
  process.exit(0);
});
const spent = new Map<string, { calls: number; ms: number }>();
const timed: NvmlLibrary = {
  call: (symbol, ...args) => {
    const startedMs = performance.now();
    const code = library.call(symbol, ...args);
    const known = spent.get(symbol) ?? { calls: 0, ms: 0 };
    spent.set(symbol, { calls: known.calls + 1, ms: known.ms + performance.now() - startedMs });
    return code;
  },
};
const reader = new NvmlReader(timed);
reader.read();
spent.clear();
for (const hertz of [1, 10]) {
  const [walls, cpus]: [number[], number[]] = [[], []];
  for (let i = 0; i < hertz * SECONDS; i++) {
    const [startedMs, startedMicros] = [performance.now(), cpuMicros()];
    reader.read();
    walls.push(performance.now() - startedMs);
    cpus.push(cpuMicros() - startedMicros);
    await sleep(1000 / hertz - (performance.now() - startedMs));
  }
  for (const list of [walls, cpus]) list.sort((a, b) => a - b);
  console.log(
    `${hertz} Hz: wall p50 ${at(walls, 0.5).toFixed(1)} ms, p99 ${at(walls, 0.99).toFixed(1)} ms; CPU p50 ${(at(cpus, 0.5) / 1000).toFixed(1)} ms, p99 ${(at(cpus, 0.99) / 1000).toFixed(1)} ms`,
  );
}
const readings = 11 * SECONDS;
for (const [symbol, { calls, ms }] of [...spent].sort(([, a], [, b]) => b.ms - a.ms).slice(0, 10))
  console.log(
    `  ${symbol.padEnd(44)} ${(calls / readings).toFixed(1)} a reading, ${((ms / readings) * 1000).toFixed(0)} µs`,
  );

const megabytes = (): string => {
  globalThis.gc?.();
  return (process.memoryUsage.rss() / 1048576).toFixed(1);
};
const before = megabytes();
for (let i = 1; i <= 2000; i++) {
  reader.read();
  if (i % 20 === 0) await sleep(1);
}
console.log(`memory: ${before} MiB, after 2,000 readings ${megabytes()} MiB`);

const exporter = spawn(
  process.execPath,
  [PROGRAM, '--listen', '127.0.0.1:0', '--source', 'nvml', '--interval', '1s', '--pod-resources', ''],
  { stdio: 'ignore' },
);
await sleep(3000);
const family = fs
  .readdirSync('/proc')
  .filter((pid) => /^\d+$/.test(pid))
  .map((pid) => ({ pid, stat: statOf(pid) }))
  .filter(({ pid, stat }) => Number(pid) === exporter.pid || stat?.parent === exporter.pid);
const ticksBefore = family.map(({ pid }) => statOf(pid)?.ticks ?? 0);
await sleep(SECONDS * 1000);
for (const [i, { pid }] of family.entries()) {
  const ms = (((statOf(pid)?.ticks ?? 0) - ticksBefore[i]) / CLOCK_TICKS / SECONDS) * 1000;
  const memory = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const which = Number(pid) === exporter.pid ? 'exporter' : 'reading process';
  console.log(`${which} at 1 Hz: ${ms.toFixed(1)} ms of CPU a second, ${(Number(memory) / 1024).toFixed(0)} MiB`);
}
exporter.kill();
process.exit(0);

function statOf(pid: string): { parent: number; ticks: number } | undefined {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined;
  }
}
