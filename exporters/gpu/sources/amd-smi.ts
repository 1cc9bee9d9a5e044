import { ExporterError } from '../../error.ts';
import {
  type DeviceReading,
  type GpuProcess,
  type Measure,
  normalizePciBusId,
  plausible,
  type Source,
  type SourceReport,
  scaled,
} from '../reading.ts';
import { CommandRunner } from '../run-command.ts';
import { amdMissing } from './amd-missing.ts';

/** How `amd-smi` is asked. */
export interface AmdSmiOptions {
  readonly command: string;
  /** How often names, limits and processes are asked for. */
  readonly detailsEveryMs: number;
  /** The monotonic clock, in ms. */
  readonly now: () => number;
}

interface Details {
  readonly uuid?: string;
  readonly pciBusId?: string;
  readonly name?: string;
  readonly limitWatts?: number;
  readonly processes?: readonly GpuProcess[];
}

/** `amd-smi` as a source; it is a Python program and takes about a second of a core a poll. */
export function createAmdSmiSource(options: AmdSmiOptions): Source {
  const runner = new CommandRunner(options.command);
  let details = new Map<string, Details>();
  let detailsAtMs = Number.NEGATIVE_INFINITY;
  const ask = async (args: readonly string[], signal: AbortSignal): Promise<string> => {
    const { exitCode, stdout, stderr } = await runner.run(args, signal);
    if (exitCode === 0) return stdout;
    const said = `${stdout}\n${stderr}`.trim().split('\n').at(-1) ?? '';
    throw new ExporterError({
      code: 'failed',
      where: `${options.command} ${args[0]}`,
      got: `exit code ${exitCode} and ${JSON.stringify(said.slice(0, 160))}`,
      fix: 'look whether amdgpu is loaded, and whether the user may open /dev/kfd (group render)',
    });
  };
  return {
    name: 'amd-smi',
    poll: async (signal) => {
      if (options.now() - detailsAtMs >= options.detailsEveryMs) {
        detailsAtMs = options.now();
        const list = await ask(['list', '--json'], signal);
        const fixed = await ask(['static', '--asic', '--limit', '--json'], signal);
        // Processes of others need root; without it the rest is as good.
        const processes = await ask(['process', '--json'], signal).catch(() => '[]');
        details = readAmdDetails(list, fixed, processes);
      }
      return readAmdMetric(await ask(['metric', '--json'], signal), details);
    },
    close: () => runner.close(),
  };
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** ROCm 6 gives a list of GPUs, ROCm 7 an object with `gpu_data`; warnings may stand before either. */
function readGpus(where: string, text: string): { readonly [key: string]: Json }[] {
  const start = text.search(/^\s*[[{]/m);
  let root: Json;
  try {
    root = JSON.parse(text.slice(Math.max(start, 0))) as Json;
  } catch (cause) {
    throw new ExporterError({ code: 'malformed', where, got: 'a text that is no JSON', cause });
  }
  const list = Array.isArray(root) ? root : at(root, 'gpu_data');
  return (Array.isArray(list) ? list : []).filter((entry) => at(entry, 'gpu') !== undefined);
}

function at(value: Json | undefined, ...keys: readonly string[]): Json | undefined {
  let found = value;
  for (const key of keys) {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return undefined;
    found = (found as { readonly [key: string]: Json })[key];
  }
  return found;
}

/** A number as it is, or with its unit beside it (`{value, unit}`); `N/A` and texts are none. */
function numberAt(value: Json, ...keys: readonly string[]): { value: number; unit?: string } | undefined {
  const found = at(value, ...keys);
  const number = typeof found === 'number' ? found : at(found, 'value');
  const unit = at(found, 'unit');
  if (typeof number !== 'number' || plausible(number) === undefined || number < 0) return undefined;
  return { value: number, unit: typeof unit === 'string' ? unit : undefined };
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' && value !== 'N/A' ? value : undefined;
}

/** Reads what doesn't change: identity, product name, power limit; and the processes. */
export function readAmdDetails(list: string, fixed: string, processes: string): Map<string, Details> {
  const details = new Map<string, Details>();
  const add = (gpu: Json | undefined, more: Details): void => {
    details.set(String(gpu), { ...details.get(String(gpu)), ...more });
  };
  for (const gpu of readGpus('amd-smi list', list)) {
    const bdf = textOf(at(gpu, 'bdf'));
    add(gpu.gpu, { uuid: textOf(at(gpu, 'uuid')), pciBusId: bdf === undefined ? undefined : normalizePciBusId(bdf) });
  }
  for (const gpu of readGpus('amd-smi static', fixed)) {
    const limit = numberAt(gpu, 'limit', 'socket_power') ?? numberAt(gpu, 'limit', 'ppt0', 'socket_power_limit');
    add(gpu.gpu, { name: textOf(at(gpu, 'asic', 'market_name')), limitWatts: limit?.value });
  }
  for (const gpu of readGpus('amd-smi process', processes)) {
    const found = at(gpu, 'process_list');
    add(gpu.gpu, { processes: (Array.isArray(found) ? found : []).flatMap(readProcess) });
  }
  return details;
}

function readProcess(entry: Json): GpuProcess[] {
  const info = at(entry, 'process_info') ?? entry;
  const pid = at(info, 'pid');
  if (typeof pid !== 'number' || pid <= 0) return [];
  const memory = numberAt(info, 'memory_usage', 'vram_mem') ?? numberAt(info, 'mem_usage');
  return [{ pid, memoryBytes: memory === undefined ? undefined : memory.value * byteFactor(memory.unit) }];
}

function byteFactor(unit: string | undefined): number {
  switch (unit?.toUpperCase()) {
    case 'KB':
      return 1024;
    case 'MB':
      return 1048576;
    case 'GB':
      return 1073741824;
    default:
      return 1;
  }
}

/**
 * Reads `amd-smi metric --json` of ROCm 6 or 7.
 *
 * @throws ExporterError `malformed` where there is no GPU in it.
 */
export function readAmdMetric(text: string, details: ReadonlyMap<string, Details>): SourceReport {
  const devices = readGpus('amd-smi metric', text).map((gpu): DeviceReading => {
    const index = String(gpu.gpu);
    const { uuid, pciBusId, name, limitWatts, processes } = details.get(index) ?? {};
    const measures = readMeasures(gpu);
    if (limitWatts !== undefined) measures.push({ kind: 'gauge', metric: 'gpu_power_limit_watts', value: limitWatts });
    return { uuid: uuid ?? `AMD-${index}`, gpu: index, pciBusId, name, state: 'ok', measures, processes };
  });
  if (devices.length === 0)
    throw new ExporterError({ code: 'malformed', where: 'amd-smi metric', got: 'no GPU', accepted: 'a list of GPUs' });
  return { devices, missing: amdMissing(devices, "run AMD's device-metrics-exporter with its profiler metrics on") };
}

function readMeasures(gpu: Json): Measure[] {
  const measures: Measure[] = [];
  const gauge = (metric: string, factor: number, ...paths: readonly (readonly string[])[]): void => {
    for (const path of paths) {
      const found = numberAt(gpu, ...path);
      if (found === undefined) continue;
      const scale = metric.includes('memory_') && metric.endsWith('_bytes') ? byteFactor(found.unit) : factor;
      measures.push({ kind: 'gauge', metric, value: scaled(found.value, scale) });
      return;
    }
  };
  const counter = (metric: string, kind: string | undefined, ...path: readonly string[]): void => {
    const found = numberAt(gpu, ...path);
    if (found) measures.push({ kind: 'counter', metric, labels: kind ? { kind } : undefined, value: found.value });
  };
  gauge('gpu_memory_used_bytes', 1, ['mem_usage', 'used_vram']);
  gauge('gpu_memory_total_bytes', 1, ['mem_usage', 'total_vram']);
  gauge('gpu_utilization_ratio', 0.01, ['usage', 'gfx_activity']);
  gauge('gpu_memory_busy_ratio', 0.01, ['usage', 'umc_activity']);
  gauge('gpu_power_watts', 1, ['power', 'socket_power'], ['power', 'current_socket_power']);
  gauge('gpu_temperature_celsius', 1, ['temperature', 'hotspot'], ['temperature', 'edge']);
  gauge('gpu_memory_temperature_celsius', 1, ['temperature', 'mem']);
  gauge('gpu_clock_hertz', 1e6, ['clock', 'gfx_0', 'clk'], ['clock', 'gfx', 'clk']);
  gauge('gpu_memory_clock_hertz', 1e6, ['clock', 'mem_0', 'clk'], ['clock', 'mem', 'clk']);
  counter('gpu_energy_joules_total', undefined, 'energy', 'total_energy_consumption');
  counter('gpu_ecc_errors_total', 'corrected', 'ecc', 'total_correctable_count');
  counter('gpu_ecc_errors_total', 'uncorrected', 'ecc', 'total_uncorrectable_count');
  counter('gpu_pcie_replays_total', undefined, 'pcie', 'replay_count');
  return measures;
}
