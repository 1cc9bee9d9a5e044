import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { smiFields, writeFakeSmi } from '../exporters/gpu/sources/fake-smi.ts';
import { type Program, startProgram, temporaryDirectory } from './program.ts';

const EXPORTER = path.join(import.meta.dirname, '..', 'exporters', 'cmd', 'gpu-exporter.ts');
const TESTDATA = path.join(import.meta.dirname, '..', 'exporters', 'gpu', 'sources', 'testdata');
const UUID = 'GPU-6d5c0ac5-0000-3130-46f1-e93ed57f469a';

let directory = '';
let program: Program | undefined;
let exporter: ChildProcess | undefined;
let dcgm: http.Server;
let dcgmUrl = '';
let dcgmText = '';

beforeEach(async () => {
  directory = temporaryDirectory();
  dcgmText = fs.readFileSync(path.join(TESTDATA, 'dcgm-4.5.txt'), 'utf8');
  dcgm = http.createServer((_, response) => response.end(dcgmText));
  await new Promise<void>((resolve) => dcgm.listen(0, '127.0.0.1', () => resolve()));
  dcgmUrl = `http://127.0.0.1:${(dcgm.address() as AddressInfo).port}/metrics`;
});

afterEach(async () => {
  exporter?.kill('SIGKILL');
  await program?.stop();
  [exporter, program] = [undefined, undefined];
  dcgm.closeAllConnections();
  dcgm.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Starts the exporter as its users do; resolves with the address that it says. */
function startExporter(...args: string[]): Promise<string> {
  const command = ['--listen', '127.0.0.1:0', '--node', 'gpu-1', '--interval', '1s', '--pod-resources', '', ...args];
  const child = spawn(process.execPath, [EXPORTER, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  exporter = child;
  return new Promise((resolve, reject) => {
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        said += data.toString('utf8');
        const url = /listens on (http:\S+)\/metrics/.exec(said)?.[1];
        if (url) resolve(url);
      });
    child.once('exit', (code) => reject(new Error(`the exporter ended with ${code}:\n${said}`)));
  });
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

async function query(text: string): Promise<Series[]> {
  const answer = await fetch(`${program?.url}/api/v1/query?${new URLSearchParams({ query: text })}`);
  const { data, error } = (await answer.json()) as { data: { result: Series[] }; error?: string };
  if (error !== undefined) throw new Error(error);
  return data.result;
}

async function numberOf(text: string): Promise<number | undefined> {
  const [series] = await query(text);
  return series && Number(series.value[1]);
}

async function until(what: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 30_000;
  while (!(await what())) {
    if (performance.now() > endMs) throw new Error(`waited in vain; the program said:\n${program?.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

describe('the GPU exporter, scraped by the program', { timeout: 120_000 }, () => {
  it('answers by the contract, for two sources together', async () => {
    const smi = writeFakeSmi(directory, { gpus: [smiFields(1)] });
    const url = await startExporter(
      '--source',
      'dcgm',
      '--source',
      'nvidia-smi',
      '--dcgm-url',
      dcgmUrl,
      '--nvidia-smi',
      smi,
    );
    const targets = [new URL(url).host];
    const config = path.join(directory, 'config.yml');
    const scrape = {
      global: { scrape_interval: '1s' },
      scrape_configs: [{ job_name: 'gpu', static_configs: [{ targets, labels: { region: 'eu-west' } }] }],
    };
    fs.writeFileSync(config, JSON.stringify({ scrape }));
    program = await startProgram(path.join(directory, 'data'), ['--config', config]);
    await until(async () => (await query('count(gpu_up) == 2')).length === 1);
    const expected = {
      gpu_memory_used_bytes: 70_000 * 1_048_576,
      gpu_memory_total_bytes: 81_559 * 1_048_576,
      gpu_memory_reserved_bytes: 624 * 1_048_576,
      gpu_sm_occupancy_ratio: 0.234567,
      gpu_sm_active_ratio: 0.876543,
      gpu_tensor_active_ratio: 0.412345,
      gpu_dram_active_ratio: 0.545678,
      gpu_utilization_ratio: 0.99,
      gpu_power_watts: 612.345,
      gpu_power_limit_watts: 700,
      gpu_temperature_celsius: 66,
      gpu_clock_hertz: 1.755e9,
      gpu_energy_joules_total: 98_765_432.1,
      'gpu_throttle_seconds_total{reason="power"}': 12.5,
      'gpu_xid_errors_total{xid="94"}': 2,
      'gpu_ecc_errors_total{kind="corrected"}': 3,
    };
    for (const [metric, value] of Object.entries(expected)) {
      const selector = metric.includes('{') ? metric.replace('}', `, uuid="${UUID}"}`) : `${metric}{uuid="${UUID}"}`;
      expect(await numberOf(selector), metric).toBeCloseTo(value, 5);
    }
    // Every label is the contract's, so that nothing was removed on the way.
    const [series] = await query(`gpu_power_watts{uuid="${UUID}"}`);
    expect(series.metric).toMatchObject({
      gpu: '0',
      node: 'gpu-1',
      gpu_type: 'NVIDIA H100 80GB HBM3',
      region: 'eu-west',
    });
    expect(await numberOf('gpu_power_watts{gpu="1"}')).toBe(598.12);
    expect(await numberOf('count(gpu_sm_occupancy_ratio)')).toBe(1);
    const own = await (await fetch(`${program.url}/metrics`)).text();
    expect(own).not.toMatch(/barograph_govern_decisions_total\{[^}]*action="removed"[^}]*source="scrape"[^}]*\} [1-9]/);
    // Bytes are the integral of rates, and grow.
    await until(async () => ((await numberOf(`gpu_pcie_bytes_total{uuid="${UUID}"}`)) ?? 0) > 60_000_000);
    await until(async () => ((await numberOf(`gpu_nvlink_bytes_total{uuid="${UUID}"}`)) ?? 0) > 4.9e9);
    // Which deployment's memory it is, by a series of its own.
    const join = 'sum by (deployment) (gpu_memory_used_bytes * on (uuid) group_right gpu_workload_info)';
    const joined = (await query(join)).map(({ metric, value }) => [metric.deployment, Number(value[1])]);
    expect(joined.sort()).toEqual([
      ['chat', 70_000 * 1_048_576],
      ['embed', 70_000 * 1_048_576],
    ]);
    // A GPU that falls off the bus.
    const lost = smiFields(1, { 'power.draw': '[GPU is lost]' });
    writeFakeSmi(directory, { gpus: [lost] });
    dcgmText = dcgmText.replaceAll(UUID, 'GPU-99999999-0000-0000-0000-000000000000');
    await until(async () => (await query(`gpu_down{uuid="${UUID}", reason="vanished"}`)).length === 1);
    await until(async () => (await query('gpu_down{gpu="1", reason="lost"}')).length === 1);
    expect(await query(`gpu_power_watts{uuid="${UUID}"}`)).toEqual([]);
  });

  it('sends by OTLP what it shows, and survives commands that hang', async () => {
    program = await startProgram(path.join(directory, 'data'));
    const hanging = writeFakeSmi(directory, { gpus: [], sleeps: 300 });
    const sources = ['--source', 'dcgm', '--source', 'nvidia-smi', '--dcgm-url', dcgmUrl, '--nvidia-smi', hanging];
    const output = ['--otlp-endpoint', program.otlpHttpUrl, '--otlp-interval', '1s', '--timeout', '1s'];
    const url = await startExporter(...sources, ...output);
    const startedMs = performance.now();
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
    expect(performance.now() - startedMs).toBeLessThan(900);
    await until(async () => (await numberOf(`gpu_sm_occupancy_ratio{uuid="${UUID}"}`)) !== undefined);
    expect(await numberOf(`gpu_memory_used_bytes{uuid="${UUID}", node="gpu-1"}`)).toBe(70_000 * 1_048_576);
    expect(await numberOf(`gpu_throttle_seconds_total{uuid="${UUID}", reason="power"}`)).toBe(12.5);
    expect(await numberOf('barograph_gpu_exporter_source_up{source="nvidia-smi"}')).toBe(0);
    expect(await numberOf(`count(gpu_workload_info{uuid="${UUID}"})`)).toBe(2);
  });
});
