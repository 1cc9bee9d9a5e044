import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DeviceReading, Measure } from '../reading.ts';
import { loadNvml } from './library.ts';
import { NvmlReader } from './reader.ts';
import { compileStandIn, missingForStandIn, openStandIn } from './stand-in.ts';

let directory = '';
let library = '';
let oldLibrary = '';
const lacks = await missingForStandIn();

beforeAll(() => {
  if (lacks !== undefined) return;
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-nvml-'));
  library = compileStandIn(directory, 'new');
  oldLibrary = compileStandIn(directory, 'old', ['OLD_DRIVER']);
});

afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

async function open(file: string, settings: Record<string, string> = {}): Promise<NvmlReader> {
  return new NvmlReader(await openStandIn(file, settings));
}

function valuesOf(device: DeviceReading): Record<string, number | bigint> {
  const numberOf = (measure: Measure): number | bigint => {
    if (measure.kind === 'reasons') return measure.mask;
    return measure.kind === 'xid_events' ? measure.count : (measure as { value: number }).value;
  };
  const nameOf = (measure: Measure): string => {
    const labels = 'labels' in measure ? Object.values(measure.labels ?? {}) : 'xid' in measure ? [measure.xid] : [];
    return [measure.metric, ...labels].join(' ');
  };
  return Object.fromEntries(
    device.measures.map((measure) => [`${measure.kind} ${nameOf(measure)}`, numberOf(measure)]),
  );
}

describe('NVML, against a library that a C compiler made', () => {
  beforeEach(({ skip }) => skip(lacks !== undefined, lacks));

  it('reads every value of two GPUs', async () => {
    const report = (await open(library)).read();
    expect(report.driverVersion).toBe('580.65.06');
    expect(report.devices.map(({ uuid, gpu, name, pciBusId, state }) => [uuid, gpu, name, pciBusId, state])).toEqual([
      ['GPU-00000000-aaaa-bbbb-cccc-dddddddddddd', '0', 'NVIDIA H100 80GB HBM3', '00000000:19:00.0', 'ok'],
      ['GPU-00000001-aaaa-bbbb-cccc-dddddddddddd', '1', 'NVIDIA H100 80GB HBM3', '00000000:1a:00.0', 'ok'],
    ]);
    const values = valuesOf(report.devices[0]);
    expect(values).toMatchObject({
      'gauge gpu_memory_used_bytes': 40_000_000_000,
      'gauge gpu_memory_total_bytes': 85_520_809_984,
      'gauge gpu_memory_reserved_bytes': 655_360_000,
      'gauge gpu_utilization_ratio': 0.97,
      'gauge gpu_power_limit_watts': 700,
      'gauge gpu_temperature_celsius': 62,
      'gauge gpu_memory_temperature_celsius': 71,
      'gauge gpu_clock_hertz': 1.98e9,
      'counter gpu_ecc_errors_total corrected': 7,
      'counter gpu_ecc_errors_total uncorrected': 1,
      'counter gpu_row_remaps_total corrected': 2,
      'gauge gpu_row_remap_pending': 1,
      'gauge gpu_row_remap_failed': 0,
      'counter gpu_nvlink_bytes_total': (1140 + 1141) * 1024,
      'counter gpu_nvlink_errors_total replay': 10,
      'counter gpu_nvlink_errors_total recovery': 12,
      'counter gpu_throttle_seconds_total power': 1.5,
      'counter gpu_throttle_seconds_total sync_boost': 4.5,
      'reasons gpu_throttle_seconds_total': 0x4n | (1n << 40n),
    });
    expect(values['gauge gpu_power_watts']).toBeCloseTo(512.346, 6);
    expect(values['counter gpu_energy_joules_total']).toBeCloseTo(5_000_000_512, 3);
    expect(values).not.toHaveProperty(['counter gpu_nvlink_errors_total crc_data']);
    expect(values).not.toHaveProperty(['counter gpu_throttle_seconds_total board_limit']);
    const withoutLinks = Object.keys(valuesOf(report.devices[1])).filter((name) => name.includes('nvlink'));
    expect(withoutLinks).toEqual([]);
    expect(report.devices[0].processes).toEqual([
      { pid: 4242, memoryBytes: 39_000_000_000, instance: undefined },
      { pid: 4243, memoryBytes: undefined, instance: undefined },
    ]);
  });

  it('tells Xid errors once, and that it would tell them', async () => {
    const reader = await open(library);
    const first = reader.read().devices.map(valuesOf);
    expect(first[0]).toMatchObject({
      'xid_events gpu_xid_errors_total 63': 2,
      'xid_events gpu_xid_errors_total 94': 1,
    });
    expect(first[1]).toMatchObject({ 'xid_events gpu_xid_errors_total 0': 0 });
    expect(valuesOf(reader.read().devices[0])).not.toHaveProperty('xid_events gpu_xid_errors_total 63');
  });

  it('has the averages of the hardware from the second reading on, without the ones that fail', async () => {
    const reader = await open(library);
    expect(valuesOf(reader.read().devices[0])).not.toHaveProperty('gauge gpu_sm_occupancy_ratio');
    for (let i = 0; i < 5; i++) {
      const values = valuesOf(reader.read().devices[0]);
      expect(values['gauge gpu_sm_active_ratio']).toBeCloseTo(0.025, 9);
      expect(values['gauge gpu_sm_occupancy_ratio']).toBeCloseTo(0.035, 9);
      expect(values['rate gpu_pcie_bytes_total tx']).toBe(20.5 * 1048576);
      expect(values['rate gpu_nvlink_bytes_total rx']).toBe(60.5 * 1048576);
      expect(values).not.toHaveProperty('gauge gpu_dram_active_ratio');
    }
  });

  it('takes what GPM says for the mean over the time between two readings', async () => {
    const reader = await open(library);
    reader.read();
    const startedMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 30));
    const { measures } = reader.read().devices[0];
    const over = measures.flatMap((measure) => (measure.kind === 'rate' ? (measure.overMs ?? 0) : []));
    expect(over).toHaveLength(4);
    for (const overMs of over) expect(overMs).toBeGreaterThan(28);
    for (const overMs of over) expect(overMs).toBeLessThan(performance.now() - startedMs + 100);
  });

  it('says of links that are not there nothing, not 0', async () => {
    const reader = await open(library);
    reader.read();
    const { devices } = reader.read();
    expect(Object.keys(valuesOf(devices[1])).filter((name) => name.includes('nvlink'))).toEqual([]);
  });

  it('reads MIG instances with their names, and leaves out what a GPU in MIG mode lacks', async () => {
    const reader = await open(library, { mig: '1' });
    reader.read();
    const [, whole, first, second] = reader.read().devices;
    expect(valuesOf(whole)).not.toHaveProperty('gauge gpu_utilization_ratio');
    expect(whole.processes?.[0].instance).toBe('5');
    expect([first.mig, second.mig]).toEqual([
      { instance: '1', profile: '3g.40gb', uuid: 'MIG-00000001-1111-2222-3333-444444444444' },
      { instance: '5', profile: '1g.10gb', uuid: 'MIG-00000005-1111-2222-3333-444444444444' },
    ]);
    expect(valuesOf(first)).toMatchObject({ 'gauge gpu_memory_used_bytes': 40_000_000_001 });
    expect(valuesOf(first)['gauge gpu_sm_occupancy_ratio']).toBeCloseTo(0.035, 9);
    expect(valuesOf(first)).not.toHaveProperty('rate gpu_pcie_bytes_total tx');
  });

  it('does with a driver that lacks functions, and says what is missing', async () => {
    const reader = await open(oldLibrary);
    reader.read();
    const { devices, missing } = reader.read();
    const values = valuesOf(devices[0]);
    expect(values).toMatchObject({
      'gauge gpu_temperature_celsius': 61,
      'reasons gpu_throttle_seconds_total': 0x24n,
      'gauge gpu_memory_used_bytes': 40_000_000_000,
      'counter gpu_throttle_seconds_total thermal': 3,
    });
    for (const absent of [
      'gauge gpu_sm_active_ratio',
      'counter gpu_nvlink_bytes_total',
      'gauge gpu_memory_temperature_celsius',
    ])
      expect(values).not.toHaveProperty([absent]);
    expect(missing.map(({ metric }) => metric)).toContain('gpu_sm_occupancy_ratio');
  });

  it.each([
    ['lost', 'lost'],
    ['reset', 'reset_required'],
  ])('keeps a GPU that is %s, without values', async (state, expected) => {
    const { devices } = (await open(library, { state })).read();
    expect(devices.map((device) => device.state)).toEqual(['ok', expected]);
    expect(devices[1].measures.filter(({ kind }) => kind !== 'xid_events')).toEqual([]);
  });

  it('says what to do where the driver is not loaded, and goes on when it is', async () => {
    const reader = await open(library, { state: 'driver' });
    for (let i = 0; i < 3; i++) expect(() => reader.read()).toThrow(/not loaded \(9\); modprobe nvidia/);
  });
});

describe('loading NVML', () => {
  it('says that koffi is missing', async () => {
    const missing = loadNvml([], () => Promise.reject(new Error('no such package')));
    await expect(missing).rejects.toThrow(/no npm package koffi; npm install koffi/);
  });

  it('says that the library is missing', async () => {
    const koffi = {
      load: () => {
        throw new Error('cannot open');
      },
    };
    await expect(loadNvml(['a.so', 'b.so'], () => Promise.resolve(koffi))).rejects.toThrow(
      /no libnvidia-ml.so.1, accepted is one of a.so, b.so/,
    );
  });
});
