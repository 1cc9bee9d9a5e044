import type { Family } from '../exposition/index.ts';
import { type OtlpSource, otlpRequests } from '../otlp/index.ts';

const NAME = 'barograph-gpu-exporter';

/**
 * Families as requests of OTLP. Counters are cumulative, with the time since which they count.
 *
 * @param unixMs The time of the values.
 */
export function gpuOtlpRequests(families: readonly Family[], node: string, version: string, unixMs: number): string[] {
  const source: OtlpSource = {
    resource: [
      ['service.name', NAME],
      ['service.version', version],
      ['service.instance.id', node],
      ['host.name', node],
    ],
    scope: NAME,
    version,
  };
  const metrics = families.map(({ name, unit, help, type, samples }) => ({
    ...{ name, unit, description: help, type },
    points: samples.map(({ labels, value, sinceMs }) => ({ labels: Object.entries(labels), value, startMs: sinceMs })),
  }));
  return otlpRequests(metrics, source, unixMs);
}
