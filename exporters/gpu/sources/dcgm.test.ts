import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DCGM_FIELDS } from '../../generated/conventions.ts';
import type { DeviceReading, Measure } from '../reading.ts';
import { createDcgmSource, readDcgmText } from './dcgm.ts';

const text = (name: string): string => fs.readFileSync(path.join(import.meta.dirname, 'testdata', name), 'utf8');

function gaugeOf(device: DeviceReading, metric: string): number | undefined {
  const found = device.measures.find((measure) => measure.metric === metric);
  return found && 'value' in found ? found.value : undefined;
}

function ofMetric(device: DeviceReading, metric: string): Measure[] {
  return device.measures.filter((measure) => measure.metric === metric);
}

describe('readDcgmText', () => {
  it('reads version 3.1 with its own counters file', () => {
    const { devices, driverVersion, missing } = readDcgmText(text('dcgm-3.1.txt'));
    const [gpu] = devices;
    expect(devices).toHaveLength(1);
    expect(driverVersion).toBe('535.129.03');
    expect(gpu).toMatchObject({
      uuid: 'GPU-5b4e07f6-0000-4340-039d-25f2a83cdc43',
      gpu: '0',
      name: 'NVIDIA A100-SXM4-80GB',
    });
    expect(gaugeOf(gpu, 'gpu_memory_used_bytes')).toBe(61_000 * 1_048_576);
    expect(gaugeOf(gpu, 'gpu_utilization_ratio')).toBeCloseTo(0.83, 9);
    expect(gaugeOf(gpu, 'gpu_energy_joules_total')).toBeCloseTo(5_551_899.58, 3);
    expect(gaugeOf(gpu, 'gpu_clock_hertz')).toBe(1.41e9);
    expect(ofMetric(gpu, 'gpu_xid_errors_total')).toEqual([
      { kind: 'last_xid', metric: 'gpu_xid_errors_total', xid: 63 },
    ]);
    // The sentinel of what isn't supported is no temperature, and without what is reserved the size isn't known.
    expect(gaugeOf(gpu, 'gpu_memory_temperature_celsius')).toBeUndefined();
    expect(gaugeOf(gpu, 'gpu_memory_total_bytes')).toBeUndefined();
    expect(ofMetric(gpu, 'gpu_pcie_bytes_total')).toHaveLength(2);
    const advice = missing.find(({ metric }) => metric === 'gpu_sm_occupancy_ratio');
    expect(advice?.why).toContain("doesn't expose DCGM_FI_PROF_SM_OCCUPANCY");
    expect(advice?.fix).toMatch(/--print-dcgm-counters; profiling fields need a data centre GPU/);
    expect(missing.map(({ metric }) => metric)).not.toContain('gpu_power_watts');
  });

  it("gives all of the contract with this project's counters file, each value once for two pods", () => {
    const { devices, missing } = readDcgmText(text('dcgm-4.5.txt'));
    expect(missing).toEqual([]);
    expect(devices).toHaveLength(1);
    const [gpu] = devices;
    const given = new Set(gpu.measures.map(({ metric }) => metric as string));
    expect(DCGM_FIELDS.map(({ target }) => target).filter((target) => !given.has(target))).toEqual([]);
    expect(ofMetric(gpu, 'gpu_memory_total_bytes')).toHaveLength(1);
    expect(gpu.pods).toEqual([
      { pod: 'chat-7c9d8b6f5d-x2x4q', namespace: 'llm', container: 'vllm', instance: undefined },
      { pod: 'embed-5d8f7c6b9-zk7wp', namespace: 'llm', container: 'vllm', instance: undefined },
    ]);
    expect(ofMetric(gpu, 'gpu_xid_errors_total')).toEqual([
      { kind: 'xid_window', metric: 'gpu_xid_errors_total', xid: 94, count: 2 },
    ]);
    expect(ofMetric(gpu, 'gpu_throttle_seconds_total')).toContainEqual({
      kind: 'reasons',
      metric: 'gpu_throttle_seconds_total',
      mask: 132n,
    });
    expect(ofMetric(gpu, 'gpu_throttle_seconds_total')).toContainEqual({
      kind: 'counter',
      metric: 'gpu_throttle_seconds_total',
      labels: { reason: 'power' },
      value: 12.5,
    });
    expect(ofMetric(gpu, 'gpu_nvlink_errors_total')).toMatchObject([
      { labels: { kind: 'crc_flit', nvlink: '3' }, value: 4 },
    ]);
  });

  it('reads the names of DCGM 4.6.0', () => {
    const [gpu] = readDcgmText(text('dcgm-4.6.txt')).devices;
    expect(gpu).toMatchObject({ gpu: '3', pciBusId: '00000000:9a:00.0' });
    const values = Object.fromEntries(
      gpu.measures.map((measure) => [measure.metric, 'value' in measure ? measure.value : 0]),
    );
    expect(values).toMatchObject({
      gpu_sm_occupancy_ratio: 0.25,
      gpu_sm_active_ratio: 0.75,
      gpu_tensor_active_ratio: 0.4,
      gpu_dram_active_ratio: 0.5,
      gpu_power_watts: 612.345,
      gpu_power_limit_watts: 700,
      gpu_temperature_celsius: 66,
      gpu_memory_temperature_celsius: 78,
      gpu_row_remaps_total: 2,
      gpu_pcie_replays_total: 5,
    });
  });

  it.each([
    ['99', 0.99],
    ['1', 0.01],
    ['0.990000', 0.99],
    ['1.000000', 1],
  ])('takes the renamed utilization %s for what its type says', (written, expected) => {
    const [gpu] = readDcgmText(text('dcgm-4.6.txt').replace(/(GPU_UTIL_RATIO\{.*\}) 99/, `$1 ${written}`)).devices;
    expect(gaugeOf(gpu, 'gpu_utilization_ratio')).toBeCloseTo(expected, 9);
  });

  it('keeps MIG instances apart', () => {
    const { devices } = readDcgmText(text('dcgm-mig.txt'));
    expect(devices.map(({ mig }) => mig)).toEqual([
      { instance: '1', profile: '3g.40gb' },
      { instance: '5', profile: '1g.10gb' },
      undefined,
    ]);
    // What instances repeat of their GPU is the GPU's, once.
    expect(devices[2].measures.map(({ metric }) => metric)).toEqual(['gpu_temperature_celsius', 'gpu_power_watts']);
    expect(gaugeOf(devices[1], 'gpu_memory_total_bytes')).toBe(9000 * 1_048_576);
    expect(gaugeOf(devices[0], 'gpu_utilization_ratio')).toBe(0.66);
    expect(devices[0].pods).toMatchObject([{ pod: 'mig-1', instance: '1' }]);
  });

  it('says that a text without fields is something else', () => {
    expect(() => readDcgmText('# TYPE up gauge\nup 1\n')).toThrow(/without any DCGM_ field; point --dcgm-url/);
  });
});

describe('the endpoint', () => {
  let server: http.Server;
  let url = '';
  let answer: http.RequestListener = () => undefined;

  beforeEach(async () => {
    server = http.createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics?token=hidden`;
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('is read', async () => {
    answer = (_, response) => response.end(text('dcgm-4.6.txt'));
    const report = await createDcgmSource(url).poll(AbortSignal.timeout(5000));
    expect(report.devices).toHaveLength(1);
  });

  it.each<[string, http.RequestListener, RegExp, string]>([
    [
      'another status',
      (_, response) => response.writeHead(503).end(),
      /dcgm-exporter › http:.*\/metrics: got HTTP 503/,
      'http_status',
    ],
    [
      'a broken body',
      (_, response) => void response.writeHead(200, { 'content-length': 9 }).write('a', () => response.destroy()),
      /got ECONNRESET|broken/,
      'unreachable',
    ],
    ['no answer', () => undefined, /no answer in time/, 'timeout'],
    ['an endless answer', (_, response) => flood(response), /more than 16777216 bytes/, 'too_large'],
  ])('with %s ends in an error without the secret', async (_, listener, message, code) => {
    answer = listener;
    const poll = createDcgmSource(url).poll(AbortSignal.timeout(code === 'timeout' ? 100 : 10_000));
    const error = (await poll.catch((caught: unknown) => caught)) as Error & { code: string };
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
    expect(error.message).not.toContain('hidden');
  });
});

function flood(response: http.ServerResponse): void {
  const chunk = Buffer.alloc(1_048_576, 97);
  const more = (): void => {
    if (!response.destroyed) response.write(chunk, more);
  };
  more();
}
