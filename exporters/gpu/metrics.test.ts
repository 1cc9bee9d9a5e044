import { describe, expect, it } from 'vitest';
import { METRICS, type MetricName } from '../generated/conventions.ts';
import { DECLARATIONS, GPU_CONTRACT_METRICS, migMetric } from './metrics.ts';

describe('declared metrics', () => {
  const declared = [...DECLARATIONS.values()];

  it('have names that translators from OTLP leave alone', () => {
    for (const { name, unit, type } of declared) {
      expect(unit === '1', name).toBe(name.endsWith('_ratio'));
      expect(type === 'counter', name).toBe(name.endsWith('_total'));
      const suffix = { s: '_seconds', By: '_bytes', W: '_watts', J: '_joules', Hz: '_hertz', Cel: '_celsius' }[unit];
      if (suffix !== undefined) expect(name.replace(/_total$/, ''), name).toMatch(new RegExp(`${suffix}$`));
    }
  });

  it('are all of the contract, and others under other names', () => {
    expect(GPU_CONTRACT_METRICS).toContain('gpu_sm_occupancy_ratio');
    for (const name of GPU_CONTRACT_METRICS) expect(DECLARATIONS.get(name)?.help).toBe(METRICS[name].help);
    expect(
      declared.filter(({ name }) => !name.startsWith('gpu_') && !name.startsWith('barograph_gpu_exporter_')),
    ).toEqual([]);
  });

  it('of MIG instances are declared, and none of them is one of the contract', () => {
    for (const name of GPU_CONTRACT_METRICS) {
      const mig = migMetric(name);
      if (mig === undefined) continue;
      expect(DECLARATIONS.get(mig)?.type).toBe(METRICS[name as MetricName].type);
      expect(METRICS).not.toHaveProperty(mig);
    }
    expect(migMetric('gpu_power_watts')).toBeUndefined();
    expect(migMetric('constructor')).toBeUndefined();
  });
});
