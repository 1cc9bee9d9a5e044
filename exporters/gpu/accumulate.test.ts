import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeviceCounters } from './accumulate.ts';
import type { Measure } from './reading.ts';

const THROTTLE = 'gpu_throttle_seconds_total';
const XID = 'gpu_xid_errors_total';

function valuesOf(counters: DeviceCounters): Record<string, number> {
  return Object.fromEntries(
    counters.all().map(({ metric, labels, value }) => [[metric, ...Object.values(labels)].join(' '), value]),
  );
}

function energy(value: number): Measure {
  return { kind: 'counter', metric: 'gpu_energy_joules_total', value };
}

function mask(value: number | bigint): Measure {
  return { kind: 'reasons', metric: THROTTLE, mask: BigInt(value) };
}

describe('totals of a source', () => {
  it('start where they are, and go on when the driver starts again', () => {
    const counters = new DeviceCounters(60_000);
    for (const [i, value] of [1000, 1500, 1500, 200, 300].entries()) counters.observe('nvml', [energy(value)], i, 7);
    expect(counters.all()).toMatchObject([{ value: 1800, sinceMs: 7 }]);
  });

  it('never fall and never jump when another source takes over', () => {
    const raw = fc.record({
      source: fc.constantFrom('dcgm', 'nvml', 'nvidia-smi'),
      step: fc.nat(1000),
      resets: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(raw, { maxLength: 50 }), (steps) => {
        const counters = new DeviceCounters(60_000);
        const totals = new Map<string, number>([
          ['dcgm', 5e6],
          ['nvml', 10],
          ['nvidia-smi', 700],
        ]);
        let last: number | undefined;
        for (const [i, { source, step, resets }] of steps.entries()) {
          const value = resets ? step : (totals.get(source) ?? 0) + step;
          totals.set(source, value);
          counters.observe(source as 'dcgm', [energy(value)], i, 0);
          const now = counters.all()[0].value;
          if (last !== undefined) {
            expect(now).toBeGreaterThanOrEqual(last);
            expect(now - last).toBeLessThanOrEqual(50_000);
          }
          last = now;
        }
      }),
    );
  });
});

describe('rates', () => {
  it('that are the mean over a time count for exactly that time, however long ago the last one was', () => {
    const counters = new DeviceCounters(60_000);
    const mean = (value: number, overMs: number): Measure => ({
      ...{ kind: 'rate', metric: 'gpu_pcie_bytes_total', labels: { direction: 'rx' } },
      ...{ value, overMs },
    });
    counters.observe('nvml', [mean(1000, 500)], 0, 0);
    counters.observe('nvml', [mean(10, 300_000)], 300_000, 0);
    expect(valuesOf(counters)).toEqual({ gpu_pcie_bytes_total: 500 + 3000 });
  });

  const rate = (value: number, direction: string): Measure => ({
    kind: 'rate',
    metric: 'gpu_pcie_bytes_total',
    labels: { direction },
    value,
  });

  it('become bytes of both ways together by the trapezoid rule', () => {
    const counters = new DeviceCounters(60_000);
    counters.observe('dcgm', [rate(100, 'tx'), rate(10, 'rx')], 0, 0);
    counters.observe('dcgm', [rate(300, 'tx'), rate(10, 'rx')], 10_000, 0);
    expect(valuesOf(counters)).toEqual({ gpu_pcie_bytes_total: 200 * 10 + 10 * 10 });
  });

  it('count for nothing over a gap, nor between two sources', () => {
    const counters = new DeviceCounters(60_000);
    counters.observe('dcgm', [rate(100, 'tx')], 0, 0);
    counters.observe('dcgm', [rate(100, 'tx')], 60_001, 0);
    counters.observe('nvml', [rate(100, 'tx')], 61_000, 0);
    expect(valuesOf(counters)).toEqual({ gpu_pcie_bytes_total: 0 });
    counters.observe('nvml', [rate(100, 'tx')], 62_000, 0);
    expect(valuesOf(counters)).toEqual({ gpu_pcie_bytes_total: 100 });
  });

  it('are left out where the source has the total', () => {
    const counters = new DeviceCounters(60_000);
    const total: Measure = { kind: 'counter', metric: 'gpu_pcie_bytes_total', value: 5 };
    for (const nowMs of [0, 1000]) counters.observe('nvml', [rate(1e9, 'tx'), total], nowMs, 0);
    expect(valuesOf(counters)).toEqual({ gpu_pcie_bytes_total: 5 });
  });
});

describe('throttling', () => {
  it('is the time in which a reason held, half of it where it held at one end', () => {
    const counters = new DeviceCounters(60_000);
    for (const [nowMs, reasons] of [
      [0, 0],
      [1000, 0x4],
      [3000, 0x44],
      [4000, 0],
    ] as const)
      counters.observe('nvml', [mask(reasons)], nowMs, 0);
    expect(valuesOf(counters)).toMatchObject({
      [`${THROTTLE} sw_power_cap`]: 0.5 + 2 + 0.5,
      [`${THROTTLE} hw_thermal`]: 1 + 0.5,
      [`${THROTTLE} hw_slowdown`]: 0,
    });
  });

  it('is none while the GPU idles or somebody set its clocks, and an unknown reason is other', () => {
    const counters = new DeviceCounters(60_000);
    for (const nowMs of [0, 1000]) counters.observe('nvml', [mask(0x103n | (1n << 50n))], nowMs, 0);
    const values = valuesOf(counters);
    expect(values[`${THROTTLE} other`]).toBe(1);
    expect(Object.values(values).reduce((sum, value) => sum + value)).toBe(1);
    expect(Object.keys(values).join()).not.toMatch(/idle|setting|display/);
  });

  it('comes from the exact counter where there is one, and not from the bit as well', () => {
    const counters = new DeviceCounters(60_000);
    const exact = (reason: string, value: number): Measure => ({
      kind: 'counter',
      metric: THROTTLE,
      labels: { reason },
      value,
    });
    for (const nowMs of [0, 10_000])
      counters.observe('nvml', [mask(0x4 | 0x20 | 0x80), exact('power', 3), exact('sw_thermal', 1)], nowMs, 0);
    const values = valuesOf(counters);
    expect(values).toMatchObject({
      [`${THROTTLE} power`]: 3,
      [`${THROTTLE} sw_thermal`]: 1,
      [`${THROTTLE} hw_power_brake`]: 10,
    });
    expect(values).not.toHaveProperty([`${THROTTLE} sw_power_cap`]);
  });

  it('is never more than the time that passed', () => {
    const poll = fc.record({ ms: fc.integer({ min: 1, max: 30_000 }), reasons: fc.integer({ min: 0, max: 0xfff }) });
    fc.assert(
      fc.property(fc.array(poll, { minLength: 1, maxLength: 50 }), (polls) => {
        const counters = new DeviceCounters(60_000);
        let nowMs = 0;
        for (const { ms, reasons } of polls) counters.observe('nvml', [mask(reasons)], (nowMs += ms), 0);
        for (const { value } of counters.all()) {
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(nowMs / 1000 + 1e-9);
        }
      }),
    );
  });
});

describe('Xid errors', () => {
  it('of which only the last is known count when it changes', () => {
    const counters = new DeviceCounters(60_000);
    for (const xid of [0, 0, 63, 63, 94, 63]) counters.observe('dcgm', [{ kind: 'last_xid', metric: XID, xid }], 0, 0);
    expect(valuesOf(counters)).toEqual({ [`${XID} 63`]: 2, [`${XID} 94`]: 1 });
  });

  it('within a window count as it grows', () => {
    const counters = new DeviceCounters(60_000);
    for (const count of [0, 2, 3, 1, 2])
      counters.observe('dcgm', [{ kind: 'xid_window', metric: XID, xid: 94, count }], 0, 0);
    expect(valuesOf(counters)).toEqual({ [`${XID} 94`]: 4 });
  });

  it('that are told one by one count, and silence makes no series', () => {
    const counters = new DeviceCounters(60_000);
    counters.observe('nvml', [{ kind: 'xid_events', metric: XID, xid: 0, count: 0 }], 0, 0);
    expect(counters.all()).toEqual([]);
    counters.observe('nvml', [{ kind: 'xid_events', metric: XID, xid: 79, count: 2 }], 0, 0);
    expect(valuesOf(counters)).toEqual({ [`${XID} 79`]: 2 });
  });
});

it('keeps a bound on series and counts what found no room', () => {
  const counters = new DeviceCounters(60_000);
  for (let xid = 1; xid <= 600; xid++)
    counters.observe('nvml', [{ kind: 'xid_events', metric: XID, xid, count: 1 }], 0, 0);
  expect(counters.all()).toHaveLength(512);
  expect(counters.droppedCount()).toBe(88);
});
