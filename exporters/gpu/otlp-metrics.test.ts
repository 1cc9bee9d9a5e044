import { expect, it } from 'vitest';
import type { Family } from '../exposition/index.ts';
import { gpuOtlpRequests } from './otlp-metrics.ts';

const FAMILIES: readonly Family[] = [
  {
    name: 'gpu_up',
    type: 'gauge',
    unit: '1',
    help: 'Up "or" not\\.',
    samples: [{ labels: { gpu: '0', node: 'a"b\n' }, value: 1 }],
  },
  {
    name: 'gpu_xid_errors_total',
    type: 'counter',
    unit: '{error}',
    help: 'Errors.',
    samples: [{ labels: { xid: '79' }, value: 2, sinceMs: 1_700_000_000_500 }],
  },
];

it('gpuOtlpRequests writes cumulative sums with their start, and gauges', () => {
  const [body] = gpuOtlpRequests(FAMILIES, 'gpu-1', '0.1.0', 1_700_000_060_000);
  const request = JSON.parse(body) as {
    resourceMetrics: { resource: { attributes: object[] }; scopeMetrics: { metrics: object[] }[] }[];
  };
  const [{ resource, scopeMetrics }] = request.resourceMetrics;
  expect(resource.attributes).toContainEqual({ key: 'host.name', value: { stringValue: 'gpu-1' } });
  expect(scopeMetrics[0].metrics).toEqual([
    {
      name: 'gpu_up',
      description: 'Up "or" not\\.',
      unit: '1',
      gauge: {
        dataPoints: [
          {
            attributes: [
              { key: 'gpu', value: { stringValue: '0' } },
              { key: 'node', value: { stringValue: 'a"b\n' } },
            ],
            timeUnixNano: '1700000060000000000',
            asDouble: 1,
          },
        ],
      },
    },
    {
      name: 'gpu_xid_errors_total',
      description: 'Errors.',
      unit: '{error}',
      sum: {
        aggregationTemporality: 2,
        isMonotonic: true,
        dataPoints: [
          {
            attributes: [{ key: 'xid', value: { stringValue: '79' } }],
            timeUnixNano: '1700000060000000000',
            startTimeUnixNano: '1700000000500000000',
            asDouble: 2,
          },
        ],
      },
    },
  ]);
});
