import { afterEach, describe, expect, it } from 'vitest';
import { ExporterError } from '../error.ts';
import { formatFamilies } from '../exposition/index.ts';
import { type Endpoint, serveRoutes } from '../http/index.ts';
import { Collector, type CollectorOptions, type ScheduledSource } from './collector.ts';
import type { SourceName, SourceReport } from './reading.ts';
import { gpuRoutes } from './routes.ts';

const collectors: Collector[] = [];
const endpoints: Endpoint[] = [];

afterEach(async () => {
  for (const collector of collectors.splice(0)) collector.close();
  for (const endpoint of endpoints.splice(0)) await endpoint.close();
});

const REPORT: SourceReport = {
  devices: [
    {
      uuid: 'GPU-1',
      gpu: '0',
      name: 'NVIDIA H100 80GB HBM3',
      state: 'ok',
      measures: [
        { kind: 'gauge', metric: 'gpu_power_watts', value: 300.5 },
        { kind: 'counter', metric: 'gpu_ecc_errors_total', labels: { kind: 'corrected' }, value: 2 },
      ],
      pods: [{ pod: 'chat-0', namespace: 'llm', container: 'vllm' }],
    },
  ],
  missing: [{ metric: 'gpu_sm_occupancy_ratio', why: 'it is off', fix: 'switch it on' }],
  driverVersion: '580.65.06',
};

function scheduled(
  name: SourceName,
  poll: () => Promise<SourceReport>,
  more: Partial<ScheduledSource> = {},
): ScheduledSource {
  return { source: { name, poll, close: () => undefined }, intervalMs: 50, timeoutMs: 200, isOptional: false, ...more };
}

function serve(collector: Collector, port: number): Promise<Endpoint> {
  return serveRoutes('test', { host: '127.0.0.1', port }, gpuRoutes(collector));
}

function create(sources: ScheduledSource[], more: Partial<CollectorOptions> = {}) {
  const lines: string[] = [];
  const labels = { region: 'eu-west' };
  const collector = new Collector({
    sources,
    node: 'gpu-1',
    labels,
    version: '0.1.0',
    log: (line) => lines.push(line),
    ...more,
  });
  collectors.push(collector);
  return { collector, lines, text: () => formatFamilies(collector.families(), 'text') };
}

describe('Collector', () => {
  it('says what GPUs do, who uses them, and what is missing', async () => {
    const { collector, text, lines } = create([scheduled('dcgm', () => Promise.resolve(REPORT))]);
    await collector.start();
    const gpu = 'region="eu-west",gpu="0",uuid="GPU-1",node="gpu-1",gpu_type="NVIDIA H100 80GB HBM3"';
    for (const line of [
      `gpu_power_watts{${gpu}} 300.5`,
      `gpu_ecc_errors_total{${gpu},kind="corrected"} 2`,
      `gpu_up{${gpu}} 1`,
      `gpu_workload_info{${gpu},namespace="llm",replica="chat-0",container="vllm",deployment="chat"} 1`,
      'barograph_gpu_exporter_source_up{source="dcgm",node="gpu-1"} 1',
      'barograph_gpu_exporter_driver_info{source="dcgm",node="gpu-1",driver_version="580.65.06"} 1',
      'barograph_gpu_exporter_metric_missing{metric="gpu_sm_occupancy_ratio",node="gpu-1"} 1',
    ])
      expect(text().split('\n')).toContain(line);
    expect(text()).not.toMatch(/^gpu_(down|memory_used_bytes)/m);
    expect(lines[0]).toBe('dcgm: reads 1 GPU');
    expect(lines).toContain('missing: gpu_sm_occupancy_ratio: it is off; switch it on');
  });

  it('forgets a workload with the poll that no longer has its process', async () => {
    const device = { ...REPORT.devices[0], pods: undefined };
    let processes = [{ pid: 4_000_000, memoryBytes: 1000 }];
    const { collector, text } = create([
      scheduled('nvml', () => Promise.resolve({ ...REPORT, devices: [{ ...device, processes }] })),
    ]);
    await collector.start();
    expect(text()).toMatch(/gpu_workload_memory_used_bytes\{.*deployment="unknown"\} 1000/);
    processes = [];
    await expect.poll(text, { timeout: 5000 }).not.toContain('gpu_workload_info');
  });

  it('reports as missing what a source says it lacks at once, and what merely pauses only after a while', async () => {
    let nowMs = 0;
    let measures = REPORT.devices[0].measures;
    const devices = () => [{ ...REPORT.devices[0], measures }];
    const { collector, text } = create(
      [scheduled('nvml', () => Promise.resolve({ ...REPORT, devices: devices() }), { intervalMs: 60_000 })],
      { now: () => nowMs },
    );
    const isMissing = (metric: string) => text().includes(`metric_missing{metric="${metric}"`);
    await collector.pollOnce();
    expect([isMissing('gpu_sm_occupancy_ratio'), isMissing('gpu_power_watts')]).toEqual([true, false]);
    expect(isMissing('gpu_pcie_bytes_total')).toBe(false);
    measures = [];
    nowMs = 20_000;
    await collector.pollOnce();
    expect(isMissing('gpu_power_watts')).toBe(false);
    nowMs = 40_000;
    expect([isMissing('gpu_power_watts'), isMissing('gpu_pcie_bytes_total')]).toEqual([true, true]);
  });

  it('does not wait for a source that hangs, and answers without it', { timeout: 20_000 }, async () => {
    const hanging = scheduled('nvidia-smi', () => new Promise(() => undefined));
    const { collector, text } = create([scheduled('dcgm', () => Promise.resolve(REPORT)), hanging]);
    const endpoint = await serve(collector, 0);
    endpoints.push(endpoint);
    const starting = collector.start();
    const startedMs = performance.now();
    const answer = await fetch(`${endpoint.url}/metrics`);
    expect(answer.status).toBe(200);
    expect(performance.now() - startedMs).toBeLessThan(1000);
    await starting;
    expect(text()).toMatch(/source_up\{source="nvidia-smi",node="gpu-1"\} 0/);
    expect(text()).toMatch(/source_failures_total\{source="nvidia-smi",node="gpu-1",reason="timeout"\} 1/);
    expect(text()).toContain('gpu_power_watts');
  });

  it('says nothing of what it looked for by itself and did not find', async () => {
    const absent = (): Promise<SourceReport> =>
      Promise.reject(new ExporterError({ code: 'unreachable', where: 'amd-smi', got: 'no such command' }));
    const { collector, text, lines } = create([
      scheduled('dcgm', () => Promise.resolve(REPORT)),
      scheduled('amd-smi', absent, { isOptional: true }),
    ]);
    await collector.pollOnce();
    expect(text()).not.toContain('amd-smi');
    expect(lines.join()).not.toContain('amd-smi');
    expect(collector.report().sources[1]).toEqual({
      source: 'amd-smi',
      state: 'not found',
      error: 'amd-smi: got no such command',
    });
  });

  it('leaves a source alone while the one that it stands by for answers', async () => {
    let polls = 0;
    const smi = scheduled(
      'nvidia-smi',
      () => Promise.resolve({ devices: [], missing: [], driverVersion: String(++polls) }),
      {
        standbyFor: 'nvml',
      },
    );
    const { collector } = create([scheduled('nvml', () => Promise.resolve(REPORT)), smi]);
    await collector.pollOnce();
    for (let i = 0; i < 3; i++) await collector.pollOnce();
    expect(polls).toBe(0);
    expect(collector.report().sources[1].state).toBe('standby for nvml');
  });

  it('tells a change once, and counts every failure', async () => {
    let isBroken = false;
    const poll = (): Promise<SourceReport> =>
      isBroken
        ? Promise.reject(new ExporterError({ code: 'failed', where: 'dcgm', got: 'HTTP 503' }))
        : Promise.resolve(REPORT);
    const { collector, text, lines } = create([scheduled('dcgm', poll)]);
    await collector.pollOnce();
    isBroken = true;
    for (let i = 0; i < 3; i++) await collector.pollOnce();
    isBroken = false;
    await collector.pollOnce();
    expect(lines).toEqual(['dcgm: reads 1 GPU', 'dcgm: got HTTP 503', 'dcgm: reads 1 GPU']);
    expect(text()).toMatch(/source_failures_total\{source="dcgm",node="gpu-1",reason="failed"\} 3/);
  });
});

describe('the endpoint', () => {
  it('has both texts, zipped where wanted, and says how it does', async () => {
    const { collector } = create([scheduled('dcgm', () => Promise.resolve(REPORT))]);
    const endpoint = await serve(collector, 0);
    endpoints.push(endpoint);
    const get = (route: string, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(endpoint.url + route, { headers });
    expect((await get('/-/ready')).status).toBe(503);
    await collector.pollOnce();
    expect((await get('/-/ready')).status).toBe(200);
    const open = await get('/metrics', { accept: 'application/openmetrics-text;version=1.0.0' });
    expect(open.headers.get('content-type')).toContain('openmetrics');
    expect(open.headers.get('content-encoding')).toBe('gzip');
    expect(await open.text()).toMatch(/gpu_ecc_errors_created\{.*\} \d+\.?\d*\n[\s\S]*# EOF\n$/);
    const plain = await get('/metrics', { 'accept-encoding': 'identity' });
    expect(plain.headers.get('content-type')).toContain('version=0.0.4');
    expect((await get('/none')).status).toBe(404);
    expect((await fetch(`${endpoint.url}/metrics`, { method: 'POST' })).status).toBe(405);
    const status = (await (await get('/status')).json()) as { missing: { metric: string }[] };
    expect(status.missing.map(({ metric }) => metric)).toContain('gpu_sm_occupancy_ratio');
  });

  it('on an address that is taken says so', async () => {
    const { collector } = create([]);
    const endpoint = await serve(collector, 0);
    endpoints.push(endpoint);
    const port = Number(new URL(endpoint.url).port);
    await expect(serve(collector, port)).rejects.toThrow(/--listen: got 127.0.0.1:\d+ \(EADDRINUSE\)/);
  });
});
