import { describe, expect, it } from 'vitest';
import { Gpu, type GpuLoad, REASON_HW_THERMAL, REASON_IDLE, REASON_SW_POWER_CAP, REASON_SW_THERMAL } from './gpu.ts';
import { H100 } from './hardware.ts';

const DECODE: GpuLoad = { busy: 1, tensor: 0.03, dram: 0.6, batch: 0.2 };

function run(gpu: Gpu, load: GpuLoad, seconds: number): void {
  for (let i = 0; i < seconds; i++) gpu.tick(load, 1);
}

describe('a GPU', () => {
  it('idles cool, at full clocks, and says that it is idle', () => {
    const gpu = new Gpu(H100, 'GPU-0', 0, 27);
    run(gpu, { busy: 0, tensor: 0, dram: 0, batch: 0 }, 600);
    expect(gpu.powerWatts).toBe(H100.idleWatts);
    expect(gpu.temperatureCelsius).toBeCloseTo(27 + 72 * 0.073, 1);
    expect(gpu.reasons).toBe(REASON_IDLE);
  });

  it('warms up to about 55 °C while it decodes, with a first-order lag', () => {
    const gpu = new Gpu(H100, 'GPU-0', 0, 27);
    run(gpu, DECODE, H100.thermalSeconds);
    const afterOne = gpu.temperatureCelsius;
    run(gpu, DECODE, 600);
    const end = gpu.temperatureCelsius;
    expect(end).toBeGreaterThan(48);
    expect(end).toBeLessThan(62);
    const start = 27 + 72 * 0.073;
    expect((afterOne - start) / (end - start)).toBeCloseTo(0.63, 1);
  });

  it('lowers its clocks at the power limit and counts the time', () => {
    const gpu = new Gpu(H100, 'GPU-0', 0, 27);
    gpu.surroundings.powerLimitWatts = 300;
    run(gpu, DECODE, 60);
    expect(gpu.reasons & REASON_SW_POWER_CAP).toBeTruthy();
    expect(gpu.powerWatts).toBeLessThanOrEqual(300.001);
    expect(gpu.clock).toBeLessThan(1);
    expect(gpu.powerViolationNs).toBeGreaterThan(0);
  });

  it('throttles when its cooling fails, never runs away, and recovers', () => {
    const gpu = new Gpu(H100, 'GPU-0', 0, 27);
    run(gpu, DECODE, 300);
    gpu.surroundings.coolingFactor = 4.5;
    run(gpu, DECODE, 600);
    expect(gpu.reasons & (REASON_SW_THERMAL | REASON_HW_THERMAL)).toBeTruthy();
    expect(gpu.clock).toBeLessThan(0.8);
    expect(gpu.temperatureCelsius).toBeLessThan(H100.slowdownCelsius + 3);
    expect(gpu.thermalViolationNs).toBeGreaterThan(100e9);
    gpu.surroundings.coolingFactor = 1;
    run(gpu, DECODE, 600);
    expect(gpu.clock).toBe(1);
    expect(gpu.reasons).toBe(0);
  });

  it('adds up energy as power times time', () => {
    const gpu = new Gpu(H100, 'GPU-0', 0, 27);
    run(gpu, DECODE, 100);
    expect(gpu.energyJoules).toBeCloseTo(gpu.powerWatts * 100, 5);
  });
});
