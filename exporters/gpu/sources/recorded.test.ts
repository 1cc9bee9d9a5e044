import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { Measure } from '../reading.ts';
import { readSmiDetails } from './smi-details.ts';
import { SmiQuery } from './smi-query.ts';

// What nvidia-smi of driver 580.159.04 wrote on an H100 at its power limit, without serial numbers.
const read = (name: string): string => fs.readFileSync(path.join(import.meta.dirname, 'testdata', name), 'utf8');
const UUID = 'GPU-33333333-aaaa-bbbb-cccc-000000000001';

function valuesOf(measures: readonly Measure[]): Record<string, number | bigint> {
  return Object.fromEntries(
    measures.map((measure) => {
      if (measure.kind === 'reasons') return ['reasons', measure.mask];
      const labels = 'labels' in measure ? Object.values(measure.labels ?? {}) : [];
      return [[measure.metric, ...labels].join(' '), (measure as { value: number }).value];
    }),
  );
}

it('reads the fields that a real driver writes, all of which it knows', () => {
  const [fields, line] = read('smi-580.159.04-h100.csv').split('\n');
  const query = new SmiQuery();
  expect(query.args()[0]).toBe(`--query-gpu=${fields.slice(2)}`);
  const { devices, driverVersion } = query.read(line);
  expect(driverVersion).toBe('580.159.04');
  expect(devices).toMatchObject([
    { uuid: UUID, gpu: '0', pciBusId: '00000000:00:06.0', name: 'NVIDIA H100 80GB HBM3', state: 'ok' },
  ]);
  expect(valuesOf(devices[0].measures)).toEqual({
    gpu_memory_total_bytes: 81_559 * 1048576,
    gpu_memory_used_bytes: 1011 * 1048576,
    gpu_memory_reserved_bytes: 480 * 1048576,
    gpu_utilization_ratio: 1,
    gpu_memory_busy_ratio: 0.34,
    gpu_temperature_celsius: 63,
    gpu_memory_temperature_celsius: 56,
    gpu_power_watts: 698.78,
    gpu_power_limit_watts: 700,
    gpu_clock_hertz: 1.44e9,
    gpu_memory_clock_hertz: 2.619e9,
    reasons: 4n,
    'gpu_throttle_seconds_total sw_power_cap': 12.184164,
    'gpu_throttle_seconds_total sync_boost': 0,
    'gpu_throttle_seconds_total sw_thermal': 0,
    'gpu_throttle_seconds_total hw_thermal': 0,
    'gpu_throttle_seconds_total hw_power_brake': 0,
    'gpu_ecc_errors_total corrected': 0,
    'gpu_ecc_errors_total uncorrected': 0,
  });
});

it('reads the details that a real driver writes: rows, replays and the process', () => {
  const [device, ...others] = readSmiDetails(read('smi-580.159.04-h100.xml'));
  expect(others).toEqual([]);
  expect(device.uuid).toBe(UUID);
  expect(valuesOf(device.measures)).toEqual({
    'gpu_row_remaps_total corrected': 0,
    'gpu_row_remaps_total uncorrected': 0,
    gpu_row_remap_pending: 0,
    gpu_row_remap_failed: 0,
    gpu_pcie_replays_total: 0,
  });
  expect(device.processes).toEqual([{ pid: expect.any(Number), memoryBytes: 1002 * 1048576, instance: undefined }]);
});
