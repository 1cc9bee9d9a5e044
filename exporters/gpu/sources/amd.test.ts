import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { DeviceReading } from '../reading.ts';
import { readAmdText } from './amd-exporter.ts';
import { createAmdSmiSource, readAmdDetails, readAmdMetric } from './amd-smi.ts';

const text = (name: string): string => fs.readFileSync(path.join(import.meta.dirname, 'testdata', name), 'utf8');

function valuesOf({ measures }: DeviceReading): Record<string, number> {
  return Object.fromEntries(
    measures.map((measure) => {
      const labels = 'labels' in measure ? Object.values(measure.labels ?? {}) : [];
      return [[measure.metric, ...labels].join(' '), (measure as { value: number }).value];
    }),
  );
}

describe("AMD's device-metrics-exporter", () => {
  it('is read with its prefix, of several sensors the one that the product has', () => {
    const { devices, missing } = readAmdText(text('amd-exporter.txt'));
    expect(devices).toHaveLength(1);
    expect(devices[0]).toMatchObject({ uuid: '692251001124', gpu: '0', name: 'AMD Instinct MI300X' });
    expect(devices[0].pods).toEqual([{ pod: 'chat-0', namespace: 'llm', container: 'vllm' }]);
    expect(valuesOf(devices[0])).toEqual({
      gpu_power_watts: 712,
      gpu_temperature_celsius: 67,
      gpu_memory_temperature_celsius: 55,
      gpu_utilization_ratio: 0.93,
      gpu_memory_total_bytes: 196_592 * 1_048_576,
      gpu_memory_used_bytes: 170_000 * 1_048_576,
      gpu_energy_joules_total: 8.5e6,
      gpu_clock_hertz: 2.1e9,
      'gpu_ecc_errors_total corrected': 3,
      'gpu_ecc_errors_total uncorrected': 0,
      gpu_sm_occupancy_ratio: 0.415,
    });
    const names = missing.map(({ metric }) => metric);
    expect(names).toContain('gpu_tensor_active_ratio');
    expect(names).not.toContain('gpu_xid_errors_total');
  });

  it('is read without a prefix, and a text without GPUs is refused', () => {
    expect(readAmdText(text('amd-exporter.txt').replaceAll('amd_', '')).devices).toHaveLength(1);
    expect(() => readAmdText('up 1\n')).toThrow(/without any GPU; point --amd-url/);
  });
});

describe('amd-smi', () => {
  const details = readAmdDetails(
    '[{"gpu": 0, "bdf": "0000:0C:00.0", "uuid": "34ff74a0-0000-1000-80ba-000000000000"}]',
    '[{"gpu": 0, "asic": {"market_name": "AMD Instinct MI300X"}, "limit": {"socket_power": {"value": 750, "unit": "W"}}}]',
    '[{"gpu": 0, "process_list": [{"process_info": {"name": "python3", "pid": 77, "memory_usage": {"vram_mem": {"value": 2, "unit": "GB"}}}}, {"process_info": "No running processes detected"}]}]',
  );

  it('of ROCm 6 is read, and N/A is nothing', () => {
    const { devices } = readAmdMetric(text('amd-smi-6.json'), details);
    expect(devices[0]).toMatchObject({
      uuid: '34ff74a0-0000-1000-80ba-000000000000',
      gpu: '0',
      name: 'AMD Instinct MI300X',
      pciBusId: '00000000:0c:00.0',
      processes: [{ pid: 77, memoryBytes: 2 * 1_073_741_824 }],
    });
    expect(valuesOf(devices[0])).toEqual({
      gpu_memory_used_bytes: 150_000 * 1_048_576,
      gpu_memory_total_bytes: 196_592 * 1_048_576,
      gpu_utilization_ratio: 0.88,
      gpu_memory_busy_ratio: 0.21,
      gpu_power_watts: 641,
      gpu_power_limit_watts: 750,
      gpu_temperature_celsius: 71,
      gpu_memory_temperature_celsius: 58,
      gpu_clock_hertz: 2.105e9,
      gpu_memory_clock_hertz: 1.3e9,
      gpu_energy_joules_total: 7_654_321.5,
      'gpu_ecc_errors_total corrected': 1,
      'gpu_ecc_errors_total uncorrected': 0,
      gpu_pcie_replays_total: 2,
    });
    expect(devices[1]).toMatchObject({ uuid: 'AMD-1', measures: [] });
  });

  it('of ROCm 7 is read, past its warnings', () => {
    const { devices } = readAmdMetric(text('amd-smi-7.txt'), new Map());
    expect(valuesOf(devices[0])).toEqual({
      gpu_memory_used_bytes: 283 * 1_048_576,
      gpu_memory_total_bytes: 191.98 * 1_073_741_824,
      gpu_utilization_ratio: 0.12,
      gpu_power_watts: 151,
      gpu_temperature_celsius: 33,
    });
  });

  it('with an answer that is no JSON says so', () => {
    expect(() => readAmdMetric('{"gpu": ', new Map())).toThrow(/amd-smi metric: got a text that is no JSON/);
    expect(() => readAmdMetric('[]', new Map())).toThrow(/got no GPU/);
  });

  describe('as a command', () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-amd-'));
    afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

    it('is asked for values at every poll, and does without processes', async () => {
      const command = path.join(directory, 'amd-smi');
      const lines = [
        '#!/bin/sh',
        'case "$1" in',
        `list) echo '[{"gpu": 0, "bdf": "0000:0c:00.0", "uuid": "34ff74a0-0000-1000-80ba-000000000000"}]' ;;`,
        `static) echo '[]' ;;`,
        `metric) cat "${path.join(import.meta.dirname, 'testdata', 'amd-smi-6.json')}" ;;`,
        '*) echo "must be root"; exit 1 ;;',
        'esac',
      ];
      fs.writeFileSync(command, `${lines.join('\n')}\n`, { mode: 0o755 });
      const source = createAmdSmiSource({ command, detailsEveryMs: 60_000, now: () => 0 });
      const { devices } = await source.poll(AbortSignal.timeout(5000));
      expect(devices.map(({ uuid }) => uuid)).toEqual(['34ff74a0-0000-1000-80ba-000000000000', 'AMD-1']);
      source.close();
    });
  });
});
