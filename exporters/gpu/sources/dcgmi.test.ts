import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeviceReading, Source } from '../reading.ts';
import { createDcgmiSource } from './dcgmi.ts';
import { DCGMI_FIELDS, isProfiling, readDiscovery, readDmonRow } from './dcgmi-text.ts';

const DISCOVERY = fs.readFileSync(path.join(import.meta.dirname, 'testdata', 'dcgmi-discovery.txt'), 'utf8');
const CELLS: Readonly<Record<string, string>> = {
  DCGM_FI_DEV_FB_USED: '40000',
  DCGM_FI_DEV_FB_FREE: '41000',
  DCGM_FI_DEV_FB_RESERVED: '920',
  DCGM_FI_DEV_GPU_UTIL: '97',
  DCGM_FI_DEV_POWER_USAGE: '312.500',
  DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION: '55518995...',
  DCGM_FI_PROF_SM_OCCUPANCY: '0.250',
  DCGM_FI_DEV_XID_ERRORS: '0',
};

let directory = '';
const sources: Source[] = [];
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-dcgmi-'));
});
afterEach(() => {
  for (const source of sources.splice(0)) source.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

function row(gpu: number, fields = DCGMI_FIELDS, cells = CELLS): string {
  return `GPU ${gpu}     ${fields.map(({ name }) => (cells[name] ?? 'N/A').padEnd(12)).join('')}`;
}

/** A command that takes dcgmi's place; `dmon` is what it does then, with its arguments in "$@". */
function open(dmon: string, more: Partial<Parameters<typeof createDcgmiSource>[0]> = {}): Source {
  const command = path.join(directory, 'dcgmi');
  fs.writeFileSync(path.join(directory, 'discovery'), DISCOVERY);
  const script = `#!/bin/sh\necho "$@" >> ${command}.calls\nif [ "$1" = discovery ]; then cat ${directory}/discovery; exit 0; fi\n${dmon}\n`;
  fs.writeFileSync(command, script, { mode: 0o755 });
  const source = createDcgmiSource({ command, intervalMs: 50, now: () => performance.now(), ...more });
  sources.push(source);
  return source;
}

const forever = (...rows: string[]): string =>
  `echo "#Entity   FBUSD  GPUTL"; echo "ID"; while :; do ${rows.map((line) => `echo "${line}"`).join('; ')}; sleep 0.05; done`;

function gaugesOf({ measures }: DeviceReading): Record<string, number> {
  return Object.fromEntries(measures.flatMap((one) => (one.kind === 'gauge' ? [[one.metric, one.value]] : [])));
}

describe('dcgmi', () => {
  it('keeps one process, and gives the last row of each GPU', async () => {
    const source = open(forever(row(0), row(1), 'GPU-I 0   1 2 3'), { host: '10.0.0.5' });
    for (let i = 0; i < 4; i++) {
      const { devices, missing } = await source.poll(AbortSignal.timeout(10_000));
      expect(devices.map(({ uuid, gpu, name, pciBusId }) => [uuid, gpu, name, pciBusId])).toEqual([
        ['GPU-11111111-aaaa-bbbb-cccc-000000000000', '0', 'NVIDIA A100-SXM4-80GB', '00000000:07:00.0'],
        ['GPU-11111111-aaaa-bbbb-cccc-000000000001', '1', 'NVIDIA A100-SXM4-80GB', '00000000:0f:00.0'],
      ]);
      expect(gaugesOf(devices[0])).toMatchObject({
        gpu_memory_used_bytes: 40_000 * 1048576,
        gpu_memory_total_bytes: 81_920 * 1048576,
        gpu_utilization_ratio: 0.97,
        gpu_power_watts: 312.5,
        gpu_sm_occupancy_ratio: 0.25,
      });
      // A value that was cut to its column's width is no value.
      expect(devices[0].measures.map(({ metric }) => metric)).not.toContain('gpu_energy_joules_total');
      expect(missing.map(({ metric }) => metric)).toContain('gpu_energy_joules_total');
    }
    const calls = fs.readFileSync(path.join(directory, 'dcgmi.calls'), 'utf8').trim().split('\n');
    expect(calls).toHaveLength(2);
    expect(calls[1]).toMatch(/^dmon -e 252,.*1003.* -d 50 --host 10\.0\.0\.5$/);
  });

  it('that refuses profiling is asked without it, and the reason is told', async () => {
    const others = DCGMI_FIELDS.filter((field) => !isProfiling(field));
    const refusal =
      'Error setting watches. Result: -33: This request is serviced by a module of DCGM that is not loaded';
    const source = open(`case "$3" in *1003*) echo "${refusal}"; exit 1;; esac; ${forever(row(0, others))}`);
    const { devices, missing } = await source.poll(AbortSignal.timeout(10_000));
    expect(gaugesOf(devices[0])).toMatchObject({ gpu_power_watts: 312.5 });
    const told = missing.find(({ metric }) => metric === 'gpu_sm_occupancy_ratio');
    expect(told).toMatchObject({ why: expect.stringContaining('-33'), fix: expect.stringContaining('nv-hostengine') });
  });

  it('without a host engine says what to start', async () => {
    const said = 'Error: unable to establish a connection to the specified host: localhost';
    const source = open(`echo "${said}" >&2; exit 255`);
    await expect(source.poll(AbortSignal.timeout(10_000))).rejects.toThrow(/unable to establish.*start nv-hostengine/);
  });

  it('that is not there says so', async () => {
    const source = createDcgmiSource({ command: path.join(directory, 'none'), intervalMs: 50, now: () => 0 });
    await expect(source.poll(AbortSignal.timeout(10_000))).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('that gives no row in time is ended, and started again', async () => {
    const source = open('exec sleep 100');
    for (let i = 0; i < 2; i++)
      await expect(source.poll(AbortSignal.timeout(300))).rejects.toMatchObject({ code: 'timeout' });
  });

  it('that ends is started again with the next poll', async () => {
    const source = open(`echo "${row(0)}"; sleep 0.1`);
    for (let i = 0; i < 3; i++) {
      const report = await source.poll(AbortSignal.timeout(10_000)).catch(() => undefined);
      if (report) expect(report.devices).toHaveLength(1);
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  });

  it('of which a GPU has no value any more says nothing of it', async () => {
    const source = open(forever(row(0), row(1, DCGMI_FIELDS, {})));
    const { devices } = await source.poll(AbortSignal.timeout(10_000));
    expect(devices.map(({ gpu }) => gpu)).toEqual(['0']);
  });
});

it('readDiscovery reads the plain form too', () => {
  const plain = 'GPU ID: 3\nName: Quadro RTX 5000\nPCI Bus ID: 00000000:AF:00.0\nDevice UUID: GPU-1-2\n';
  expect([...readDiscovery(`1 GPU found.\n\n${plain}`)]).toEqual([
    ['3', { uuid: 'GPU-1-2', name: 'Quadro RTX 5000', pciBusId: '00000000:af:00.0' }],
  ]);
});

it.each(['', '#Entity   FBUSD', 'ID', 'GPU 0', 'GPU 0 1', 'GPU-I 0 1 2', `${row(0)} 7`])(
  'readDmonRow takes no %j',
  (line) => expect(readDmonRow(line, DCGMI_FIELDS)).toBeUndefined(),
);
