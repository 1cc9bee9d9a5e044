import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { loadNvml } from './library.ts';
import { NvmlReader } from './reader.ts';

// Against the driver and a GPU of this machine, where it has one; only reads.
const PROGRAM = path.join(import.meta.dirname, '..', '..', 'cmd', 'gpu-exporter.ts');
const FIELDS = [
  ...['uuid', 'driver_version', 'memory.total', 'memory.reserved', 'memory.used', 'power.draw', 'enforced.power.limit'],
  ...['temperature.gpu', 'clocks.mem', 'ecc.errors.corrected.volatile.total'],
];

function askSmi(): string[] | undefined {
  try {
    const args = [`--query-gpu=${FIELDS.join(',')}`, '--format=csv,noheader,nounits'];
    const [first] = execFileSync('nvidia-smi', args, { encoding: 'utf8', timeout: 30_000 }).split('\n');
    const cells = first.split(',').map((cell) => cell.trim());
    return cells.length === FIELDS.length && cells[0].startsWith('GPU-') ? cells : undefined;
  } catch {
    return undefined;
  }
}

describe('a real GPU', () => {
  const smi = askSmi();
  beforeEach(({ skip }) => skip(smi === undefined, 'needs a GPU of NVIDIA and nvidia-smi'));
  const cell = (field: string): number => Number(smi?.[FIELDS.indexOf(field)]);

  it('has by NVML what nvidia-smi says', async () => {
    const reader = new NvmlReader(await loadNvml());
    reader.read();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { devices, driverVersion } = reader.read();
    expect(driverVersion).toBe(smi?.[1]);
    const device = devices.find(({ uuid, mig }) => uuid === smi?.[0] && mig === undefined);
    const value = (metric: string, kind?: string): number | undefined => {
      const found = device?.measures.find(
        (one) => one.metric === metric && 'value' in one && (kind === undefined || one.labels?.kind === kind),
      );
      return found && 'value' in found ? found.value : undefined;
    };
    const mebibytes = (metric: string): number => Math.round((value(metric) ?? Number.NaN) / 1048576);
    expect(mebibytes('gpu_memory_total_bytes')).toBe(cell('memory.total'));
    expect(mebibytes('gpu_memory_reserved_bytes')).toBe(cell('memory.reserved'));
    expect(Math.abs(mebibytes('gpu_memory_used_bytes') - cell('memory.used'))).toBeLessThan(4096);
    expect(value('gpu_power_limit_watts')).toBeCloseTo(cell('enforced.power.limit'), 1);
    expect(Math.abs((value('gpu_power_watts') ?? Number.NaN) - cell('power.draw'))).toBeLessThan(150);
    expect(Math.abs((value('gpu_temperature_celsius') ?? Number.NaN) - cell('temperature.gpu'))).toBeLessThan(10);
    expect(value('gpu_energy_joules_total')).toBeGreaterThan(0);
    if (!Number.isNaN(cell('ecc.errors.corrected.volatile.total')))
      expect(value('gpu_ecc_errors_total', 'corrected')).toBe(cell('ecc.errors.corrected.volatile.total'));
    for (const metric of [
      'gpu_sm_active_ratio',
      'gpu_sm_occupancy_ratio',
      'gpu_dram_active_ratio',
      'gpu_utilization_ratio',
    ])
      if (value(metric) !== undefined) {
        expect(value(metric), metric).toBeGreaterThanOrEqual(0);
        expect(value(metric), metric).toBeLessThanOrEqual(1);
      }
    // Energy is power over time: what is counted in a second must be what is drawn.
    const joules = value('gpu_energy_joules_total') ?? Number.NaN;
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const later = reader.read().devices.find(({ uuid }) => uuid === smi?.[0]);
    const measure = later?.measures.find(({ metric }) => metric === 'gpu_energy_joules_total');
    const watts = measure && 'value' in measure ? (measure.value - joules) / 2 : Number.NaN;
    expect(watts).toBeGreaterThan(0.2 * (value('gpu_power_watts') ?? 0));
    expect(watts).toBeLessThan(5 * (value('gpu_power_watts') ?? 0));
  });

  it('is shown by the program through each source that it has', () => {
    for (const source of ['nvml', 'nvidia-smi']) {
      const args = [PROGRAM, '--once', '--source', source, '--pod-resources', ''];
      const text = execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
      for (const metric of ['gpu_up', 'gpu_memory_used_bytes', 'gpu_power_watts', 'gpu_throttle_seconds_total'])
        expect(text).toMatch(new RegExp(`^${metric}\\{[^}]*uuid="${smi?.[0]}"`, 'm'));
    }
  });
});
