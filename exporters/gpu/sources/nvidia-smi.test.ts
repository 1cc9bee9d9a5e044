import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeviceReading, Source } from '../reading.ts';
import { type FakeSmi, smiFields, without, writeFakeSmi } from './fake-smi.ts';
import { createNvidiaSmiSource } from './nvidia-smi.ts';
import { readSmiDetails } from './smi-details.ts';

const XML = fs.readFileSync(path.join(import.meta.dirname, 'testdata', 'smi-580-mig.xml'), 'utf8');
const OLD_XML = fs.readFileSync(path.join(import.meta.dirname, 'testdata', 'smi-535.xml'), 'utf8');
const LISTING = `GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-22222222-aaaa-bbbb-cccc-000000000001)
  MIG 3g.40gb     Device  0: (UUID: MIG-aaaaaaaa-0000-0000-0000-000000000001)
  MIG 1c.2g.20gb  Device  1: (UUID: MIG-aaaaaaaa-0000-0000-0000-000000000002)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-22222222-aaaa-bbbb-cccc-000000000002)
`;

let directory = '';
let nowMs = 0;
const sources: Source[] = [];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-smi-'));
  nowMs = 0;
});

afterEach(() => {
  for (const source of sources.splice(0)) source.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

function open(fake: FakeSmi): Source {
  const command = writeFakeSmi(directory, fake);
  const source = createNvidiaSmiSource({ command, detailsEveryMs: 60_000, now: () => nowMs });
  sources.push(source);
  return source;
}

function poll(source: Source, ms = 10_000): ReturnType<Source['poll']> {
  return source.poll(AbortSignal.timeout(ms));
}

function valuesOf({ measures }: DeviceReading): Record<string, number | bigint> {
  return Object.fromEntries(
    measures.map((measure) => {
      if (measure.kind === 'reasons') return ['reasons', measure.mask];
      const labels = 'labels' in measure ? Object.values(measure.labels ?? {}) : [];
      return [[measure.metric, ...labels].join(' '), (measure as { value: number }).value];
    }),
  );
}

function calls(): string[] {
  return fs.readFileSync(path.join(directory, 'nvidia-smi.calls'), 'utf8').trim().split('\n');
}

describe('nvidia-smi', () => {
  it('of driver 580 gives every field in the units of the contract', async () => {
    const { devices, driverVersion } = await poll(open({ gpus: [smiFields(0)] }));
    expect(driverVersion).toBe('580.65.06');
    expect(devices).toHaveLength(1);
    expect(devices[0]).toMatchObject({ gpu: '0', pciBusId: '00000000:18:00.0', state: 'ok' });
    expect(valuesOf(devices[0])).toMatchObject({
      gpu_memory_total_bytes: 81_559 * 1_048_576,
      gpu_memory_used_bytes: 70_123 * 1_048_576,
      gpu_memory_reserved_bytes: 551 * 1_048_576,
      gpu_utilization_ratio: 0.98,
      gpu_power_watts: 598.12,
      gpu_power_limit_watts: 700,
      gpu_temperature_celsius: 64,
      gpu_clock_hertz: 1.755e9,
      reasons: 4n,
      'gpu_throttle_seconds_total sw_power_cap': 91.403239,
      'gpu_throttle_seconds_total sw_thermal': 1.5,
      'gpu_ecc_errors_total corrected': 7,
    });
    expect(calls().filter((call) => call.startsWith('--query-gpu'))).toHaveLength(1);
  });

  it('of an older driver is asked again for what it knows, and only the first time', async () => {
    const old = {
      ...without(smiFields(0), /^clocks_event_reasons/, /^enforced/, /^memory.reserved/),
      'clocks_throttle_reasons.active': '0x0000000000000060',
    };
    const source = open({ gpus: [old] });
    for (let i = 0; i < 3; i++) {
      const values = valuesOf((await poll(source)).devices[0]);
      expect(values).toMatchObject({
        reasons: 0x60n,
        gpu_power_limit_watts: 700,
        gpu_memory_used_bytes: 70_123 * 1_048_576,
      });
      for (const absent of ['gpu_memory_reserved_bytes', 'gpu_throttle_seconds_total sw_power_cap'])
        expect(values).not.toHaveProperty([absent]);
    }
    // Reserved memory, two renamed fields and the group of counters cost a query each, once.
    expect(calls().filter((call) => call.startsWith('--query-gpu'))).toHaveLength(4 + 3);
  });

  it.each(['[N/A]', 'N/A', '[Not Supported]', 'ERR!', '[Unknown Error]', ''])(
    'leaves out what is %j, and never makes a 0 of it',
    async (word) => {
      const fields = Object.fromEntries(Object.keys(smiFields(0)).map((name) => [name, word]));
      const { devices } = await poll(open({ gpus: [{ ...fields, uuid: smiFields(0).uuid, index: '0' }] }));
      expect(devices).toMatchObject([{ gpu: '0', state: 'ok', measures: [] }]);
      expect(devices[0].name).toBeUndefined();
    },
  );

  it('keeps a GPU that is lost or needs a reset, without values', async () => {
    const lost = smiFields(1, { 'power.draw': '[GPU is lost]', 'utilization.gpu': '[GPU is lost]' });
    const { devices } = await poll(open({ gpus: [smiFields(0), lost] }));
    expect(devices.map(({ state }) => state)).toEqual(['ok', 'lost']);
    const reset = smiFields(1, { 'power.draw': '[GPU requires reset]' });
    expect((await poll(open({ gpus: [reset] }))).devices[0].state).toBe('reset_required');
  });

  it('knows a GPU that it cannot open by the address that it had', async () => {
    const source = open({ gpus: [smiFields(0), smiFields(1)] });
    expect((await poll(source)).devices).toHaveLength(2);
    const stdout =
      'Unable to determine the device handle for GPU 0000:2A:00.0: GPU is lost.  Reboot the system to recover this GPU\n';
    writeFakeSmi(directory, { gpus: [], says: { stdout, exitCode: 15 } });
    const { devices } = await poll(source);
    expect(devices).toMatchObject([
      { uuid: smiFields(1).uuid, pciBusId: '00000000:2a:00.0', state: 'lost', measures: [] },
    ]);
  });

  it.each([
    ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9],
    ['No devices were found', 6],
    ['', 127],
  ])('that says %j ends in an error that says it', async (stdout, exitCode) => {
    const failed = poll(open({ gpus: [], says: { stdout: `${stdout}\n`, exitCode } }));
    await expect(failed).rejects.toThrow(
      `exit code ${exitCode} and ${stdout === '' ? 'no output' : JSON.stringify(stdout)}`,
    );
  });

  it('that hangs is ended in time, and works again when the driver does', async () => {
    const source = open({ gpus: [], sleeps: 60 });
    const startedMs = performance.now();
    await expect(poll(source, 300)).rejects.toMatchObject({ code: 'timeout' });
    expect(performance.now() - startedMs).toBeLessThan(3000);
    writeFakeSmi(directory, { gpus: [smiFields(0)] });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await poll(source)).devices).toHaveLength(1);
  });

  it('that is not there says so', async () => {
    const source = createNvidiaSmiSource({ command: path.join(directory, 'none'), detailsEveryMs: 1, now: () => 0 });
    await expect(poll(source)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/no such command/),
    });
  });

  it('gives its values where the details break off or are refused', async () => {
    for (const xml of [XML.slice(0, 2000), undefined]) {
      const { devices } = await poll(open({ gpus: [smiFields(0)], xml }));
      expect(valuesOf(devices[0])).toMatchObject({ gpu_power_watts: 598.12 });
      expect(devices).toHaveLength(1);
    }
  });

  it('has the Xid errors of the kernel log, those of a GPU that is lost too', async () => {
    const kernelLog = path.join(directory, 'kmsg');
    fs.writeFileSync(kernelLog, '');
    const command = writeFakeSmi(directory, { gpus: [smiFields(0), smiFields(1)] });
    const source = createNvidiaSmiSource({ command, detailsEveryMs: 60_000, now: () => 0, kernelLog });
    sources.push(source);
    const xidsOf = ({ measures }: DeviceReading): unknown[] => measures.filter(({ kind }) => kind === 'xid_events');
    const none = [{ kind: 'xid_events', metric: 'gpu_xid_errors_total', xid: 0, count: 0 }];
    const first = await poll(source);
    expect(first.devices.map(xidsOf)).toEqual([none, none]);
    expect(first.missing.map(({ metric }) => metric)).not.toContain('gpu_xid_errors_total');
    fs.appendFileSync(kernelLog, '4,1,9000000000000,-;NVRM: Xid (PCI:0000:2A:00): 79, GPU has fallen off the bus.\n');
    writeFakeSmi(directory, { gpus: [smiFields(0), smiFields(1, { 'power.draw': '[GPU is lost]' })] });
    const { devices } = await poll(source);
    expect(devices[1].state).toBe('lost');
    expect(devices.map(xidsOf)).toEqual([none, [{ ...none[0], xid: 79, count: 1 }]]);
  });

  it('is asked for details now and then only, which stand beside every reading', async () => {
    const source = open({ gpus: [smiFields(0), smiFields(1)], xml: XML, listing: LISTING });
    for (nowMs = 0; nowMs < 120_000; nowMs += 30_000) {
      const { devices } = await poll(source);
      expect(valuesOf(devices[0])).toMatchObject({
        'gpu_row_remaps_total uncorrected': 3,
        gpu_row_remap_pending: 1,
        gpu_row_remap_failed: 0,
        gpu_pcie_replays_total: 0,
      });
      expect(devices[0].processes).toEqual([{ pid: 977, memoryBytes: 250 * 1_048_576, instance: '1' }]);
      expect(devices.slice(2).map(({ mig }) => mig)).toEqual([
        { instance: '1', profile: '3g.40gb', uuid: 'MIG-aaaaaaaa-0000-0000-0000-000000000001' },
        { instance: '5', profile: '1c.2g.20gb', uuid: 'MIG-aaaaaaaa-0000-0000-0000-000000000002' },
      ]);
      expect(devices[3].measures).toEqual([]);
    }
    expect(calls().filter((call) => call === '-q')).toHaveLength(2);
  });
});

describe('readSmiDetails', () => {
  it('reads the text of an older driver with its names', () => {
    const [gpu] = readSmiDetails(OLD_XML);
    expect(valuesOf(gpu)).toEqual({
      'gpu_pages_retired_total corrected': 2,
      'gpu_pages_retired_total uncorrected': 1,
      gpu_pcie_replays_total: 4,
    });
    expect(gpu.processes).toEqual([
      { pid: 4242, memoryBytes: 8990 * 1_048_576, instance: undefined },
      { pid: 4300, memoryBytes: undefined, instance: undefined },
    ]);
  });

  it('refuses a text that breaks off anywhere', () => {
    for (let length = 100; length < OLD_XML.length - 20; length += 97)
      expect(() => readSmiDetails(OLD_XML.slice(0, length))).toThrow(/nvidia-smi -q -x › character \d+/);
  });
});
