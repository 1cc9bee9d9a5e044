import { describe, expect, it } from 'vitest';
import { type DeviceView, FLEET_DEFAULTS, GpuFleet } from './fleet.ts';
import type { DeviceReading, Measure, SourceName } from './reading.ts';

const A = 'GPU-a';
const B = 'GPU-b';

function gauge(metric: string, value: number): Measure {
  return { kind: 'gauge', metric, value };
}

function gpu(uuid: string, measures: readonly Measure[], more: Partial<DeviceReading> = {}): DeviceReading {
  return { uuid, gpu: uuid === A ? '0' : '1', name: 'H100', state: 'ok', measures, ...more };
}

/** A fleet whose clock the test moves. */
function createFleet(options: Partial<typeof FLEET_DEFAULTS> = {}) {
  const fleet = new GpuFleet({ ...FLEET_DEFAULTS, ...options });
  const clock = { ms: 0 };
  return {
    fleet,
    clock,
    accept: (source: SourceName, ...devices: DeviceReading[]) =>
      fleet.accept(source, { devices, missing: [] }, 40_000, clock.ms, clock.ms),
    gauges: (uuid: string) => gaugesOf(viewOf(fleet.view(clock.ms), uuid)),
    down: (uuid: string) => viewOf(fleet.view(clock.ms), uuid)?.down,
  };
}

function viewOf(views: readonly DeviceView[], uuid: string): DeviceView | undefined {
  return views.find((view) => view.uuid === uuid && view.mig === undefined);
}

function gaugesOf(view: DeviceView | undefined): Record<string, number> {
  return Object.fromEntries(view?.gauges.map(({ metric, value }) => [metric, value]) ?? []);
}

describe('sources together', () => {
  it('complete each other, and of two the earlier in order counts', () => {
    const { accept, gauges } = createFleet();
    accept('nvidia-smi', gpu(A, [gauge('gpu_power_watts', 301), gauge('gpu_memory_total_bytes', 80)]));
    accept('dcgm', gpu(A, [gauge('gpu_power_watts', 300), gauge('gpu_sm_occupancy_ratio', 0.2)]));
    expect(gauges(A)).toEqual({ gpu_power_watts: 300, gpu_sm_occupancy_ratio: 0.2, gpu_memory_total_bytes: 80 });
  });

  it('end with their last report, and the next one takes over', () => {
    const { accept, gauges, clock } = createFleet();
    accept('dcgm', gpu(A, [gauge('gpu_power_watts', 300), gauge('gpu_sm_occupancy_ratio', 0.2)]));
    clock.ms = 40_001;
    accept('nvidia-smi', gpu(A, [gauge('gpu_power_watts', 301)]));
    expect(gauges(A)).toEqual({ gpu_power_watts: 301 });
  });

  it('count errors by the one that knows them best', () => {
    const { accept, fleet } = createFleet();
    accept('nvml', gpu(A, [{ kind: 'xid_events', metric: 'gpu_xid_errors_total', xid: 0, count: 0 }]));
    accept('dcgm', gpu(A, [{ kind: 'last_xid', metric: 'gpu_xid_errors_total', xid: 31 }]));
    accept('nvml', gpu(A, [{ kind: 'xid_events', metric: 'gpu_xid_errors_total', xid: 79, count: 1 }]));
    expect(viewOf(fleet.view(0), A)?.counters).toMatchObject([{ labels: { xid: '79' }, value: 1 }]);
  });
});

it('an AMD GPU is one GPU, whether the exporter or the command speaks of it', () => {
  const { accept, fleet } = createFleet();
  accept('amd-exporter', gpu('692251001124', [], { gpu: '0' }));
  accept('amd-smi', gpu('34ff74a0-0000', [], { gpu: '0' }), gpu('34ff74a0-0001', [], { gpu: '1' }));
  expect(fleet.view(0).map(({ uuid }) => uuid)).toEqual(['692251001124', '34ff74a0-0001']);
});

describe('a GPU that is gone', () => {
  it('is down when its source answers without it, and back when it is', () => {
    const { accept, down, gauges } = createFleet();
    accept('dcgm', gpu(A, [gauge('gpu_power_watts', 300)]), gpu(B, [gauge('gpu_power_watts', 200)]));
    accept('dcgm', gpu(A, [gauge('gpu_power_watts', 300)]));
    expect([down(A), down(B)]).toEqual([undefined, 'vanished']);
    expect(gauges(B)).toEqual({});
    accept('dcgm', gpu(A, []), gpu(B, [gauge('gpu_power_watts', 200)]));
    expect(down(B)).toBeUndefined();
  });

  it('stays up while another source lists it', () => {
    const { accept, down } = createFleet();
    accept('dcgm', gpu(A, []), gpu(B, []));
    accept('nvml', gpu(A, []), gpu(B, []));
    accept('dcgm', gpu(A, []));
    expect(down(B)).toBeUndefined();
  });

  it('is down when one source says that it is lost, whatever an exporter goes on saying', () => {
    const { accept, down, gauges, fleet } = createFleet();
    const xid: Measure = { kind: 'xid_events', metric: 'gpu_xid_errors_total', xid: 79, count: 1 };
    accept('nvml', gpu(B, [xid, { kind: 'counter', metric: 'gpu_energy_joules_total', value: 1 }]));
    accept('dcgm', gpu(B, [gauge('gpu_power_watts', 200)]));
    accept('nvml', gpu(B, [], { state: 'lost' }));
    expect(down(B)).toBe('lost');
    expect(gauges(B)).toEqual({});
    // The error that says why stays in sight.
    expect(viewOf(fleet.view(0), B)?.counters).toMatchObject([{ metric: 'gpu_xid_errors_total', value: 1 }]);
  });

  it('has the error that took it away, though it came afterwards', () => {
    const { accept, fleet } = createFleet();
    accept('nvml', gpu(B, []));
    const xid: Measure = { kind: 'xid_events', metric: 'gpu_xid_errors_total', xid: 79, count: 1 };
    accept('nvml', gpu(B, [xid], { state: 'lost' }));
    expect(viewOf(fleet.view(0), B)).toMatchObject({ down: 'lost', counters: [{ labels: { xid: '79' }, value: 1 }] });
  });

  it('is unreadable when none of its sources answers', () => {
    const { accept, down, clock } = createFleet();
    accept('dcgm', gpu(A, []));
    clock.ms = 40_001;
    expect(down(A)).toBe('unreadable');
  });

  it('is forgotten in the end', () => {
    const { accept, fleet, clock } = createFleet({ forgetAfterMs: 100_000 });
    accept('dcgm', gpu(A, []), gpu(B, []));
    clock.ms = 100_001;
    accept('dcgm', gpu(A, []));
    expect(fleet.view(clock.ms).map(({ uuid }) => uuid)).toEqual([A]);
  });
});

describe('MIG', () => {
  const mig = { instance: '1', profile: '3g.40gb' };

  it('has metrics of its own, so that nothing is counted twice, and none that belong to the GPU', () => {
    const { accept, fleet, gauges } = createFleet();
    accept(
      'nvml',
      gpu(A, [gauge('gpu_memory_used_bytes', 50)]),
      gpu(A, [gauge('gpu_memory_used_bytes', 30), gauge('gpu_power_watts', 300)], { mig }),
    );
    expect(gauges(A)).toEqual({ gpu_memory_used_bytes: 50 });
    expect(gaugesOf(fleet.view(0).find((view) => view.mig !== undefined))).toEqual({ gpu_mig_memory_used_bytes: 30 });
  });

  it('that is taken away is no failure', () => {
    const { accept, fleet } = createFleet();
    accept('nvml', gpu(A, []), gpu(A, [], { mig }));
    accept('nvml', gpu(A, []));
    expect(fleet.view(0)).toHaveLength(1);
  });
});

describe('an exporter that fell silent', () => {
  const minutes = (count: number, step: (second: number) => void, clock: { ms: number }): void => {
    for (let second = 0; second <= count * 60; second += 15) {
      clock.ms = second * 1000;
      step(second);
    }
  };

  it('with zeros under load is named, left out and replaced', () => {
    const { accept, fleet, gauges, clock } = createFleet();
    minutes(
      3,
      (second) => {
        accept(
          'nvml',
          gpu(A, [
            gauge('gpu_power_watts', 600.5 + second),
            gauge('gpu_power_limit_watts', 700),
            gauge('gpu_utilization_ratio', 0.97),
          ]),
        );
        accept('dcgm', gpu(A, [gauge('gpu_sm_active_ratio', 0), gauge('gpu_utilization_ratio', 0)]));
      },
      clock,
    );
    expect(fleet.silent()).toEqual([
      { source: 'dcgm', uuid: A, metric: 'gpu_sm_active_ratio', reason: 'zero_under_load' },
      { source: 'dcgm', uuid: A, metric: 'gpu_utilization_ratio', reason: 'zero_under_load' },
    ]);
    expect(gauges(A)).toMatchObject({ gpu_utilization_ratio: 0.97 });
    expect(gauges(A)).not.toHaveProperty('gpu_sm_active_ratio');
    clock.ms += 15_000;
    accept('dcgm', gpu(A, [gauge('gpu_sm_active_ratio', 0.8), gauge('gpu_utilization_ratio', 0.9)]));
    expect(fleet.silent()).toEqual([]);
    expect(gauges(A)).toMatchObject({ gpu_sm_active_ratio: 0.8, gpu_utilization_ratio: 0.9 });
  });

  it('with numbers that stand still under load is named, with the counter of energy', () => {
    const { accept, fleet, clock } = createFleet();
    minutes(
      3,
      (second) => {
        accept('nvml', gpu(A, [gauge('gpu_utilization_ratio', 0.5 + second / 1e4)]));
        accept(
          'dcgm',
          gpu(A, [
            gauge('gpu_power_watts', 412.75),
            { kind: 'counter', metric: 'gpu_energy_joules_total', value: 1000 },
          ]),
        );
      },
      clock,
    );
    expect(fleet.silent().map(({ metric, reason }) => [metric, reason])).toEqual([
      ['gpu_power_watts', 'frozen'],
      ['gpu_energy_joules_total', 'frozen'],
    ]);
  });

  it('is nobody who reads an idle GPU, nor one whose power stands at a whole number', () => {
    const { accept, fleet, clock } = createFleet();
    minutes(
      10,
      () => {
        accept(
          'dcgm',
          gpu(A, [
            gauge('gpu_sm_active_ratio', 0),
            gauge('gpu_power_watts', 71.5),
            gauge('gpu_power_limit_watts', 700),
          ]),
        );
        accept('amd-smi', gpu(B, [gauge('gpu_power_watts', 700), gauge('gpu_utilization_ratio', 1)]));
      },
      clock,
    );
    expect(fleet.silent()).toEqual([]);
  });
});

it('keeps a bound on devices and counts what found no room', () => {
  const { accept, fleet } = createFleet({ mostDevices: 2 });
  accept('dcgm', gpu('GPU-1', []), gpu('GPU-2', []), gpu('GPU-3', []));
  expect(fleet.view(0)).toHaveLength(2);
  expect(fleet.droppedCount()).toBe(1);
});

it('knows a GPU again that was lost before anybody knew its UUID', () => {
  const { accept, fleet } = createFleet();
  accept('nvidia-smi', gpu('PCI-00000000:18:00.0', [], { pciBusId: '00000000:18:00.0', state: 'lost' }));
  expect(fleet.view(0)).toMatchObject([{ uuid: 'PCI-00000000:18:00.0', down: 'lost' }]);
  accept('nvidia-smi', gpu(A, [], { pciBusId: '00000000:18:00.0' }));
  expect(fleet.view(0)).toMatchObject([{ uuid: A, down: undefined }]);
});
