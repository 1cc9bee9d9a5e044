import type { MemoryBudget } from './memory-budget.ts';
import type { Reading } from './metric-registry.ts';
import type { OwnMetrics } from './own-metrics.ts';

type Points = Reading['points'];

/** The gateway's own counters as metrics. */
export function ownReadings(own: OwnMetrics, budget: MemoryBudget, version: string): Reading[] {
  const counter = (name: string, help: string, points: Points): Reading => ({
    name: `barograph_gateway_${name}`,
    type: 'counter',
    unit: '',
    help,
    points,
  });
  const gauge = (name: string, help: string, value: number, attributes = {}): Reading => ({
    name,
    type: 'gauge',
    unit: '',
    help,
    points: [{ attributes, value }],
  });
  const one = (value: number): Points => [{ attributes: {}, value }];
  const { user, system } = process.cpuUsage();
  return [
    counter(
      'answers_total',
      'Answers that were passed on, by way and class of status; way other is not measured.',
      [...own.answers].map(([key, value]) => {
        const [way, status_class] = key.split(' ');
        return { attributes: { way, status_class }, value };
      }),
    ),
    counter(
      'upstream_failures_total',
      'Requests that the upstream gave no answer to, by code.',
      points(own.failures, 'reason'),
    ),
    counter(
      'unmeasured_total',
      'Bodies and events that were passed on unmeasured, by reason.',
      points(own.unmeasured, 'reason'),
    ),
    counter('events_total', 'Events of streams that were measured, by how they were read.', [
      { attributes: { read: 'by_shape' }, value: own.eventsByShape },
      { attributes: { read: 'parsed' }, value: own.eventsParsed },
    ]),
    counter(
      'resent_total',
      'Requests that were sent again because a connection of the pool had gone.',
      one(own.resent),
    ),
    counter(
      'usage_asked_total',
      'Streams that were asked for usage which their client had not asked for.',
      one(own.usageAsked),
    ),
    counter('usage_hidden_total', 'Streams whose event of usage was taken out again.', one(own.usageHidden)),
    counter('tunnels_total', 'Connections that were upgraded, to WebSocket mostly; not measured.', one(own.tunnels)),
    counter('refused_connections_total', 'Connections beyond the limit.', one(own.refusedConnections)),
    gauge('barograph_gateway_open_requests', 'Requests that are being passed on.', own.open),
    gauge('barograph_gateway_measuring_bytes', 'Memory that measuring holds.', budget.usedBytes),
    gauge('barograph_gateway_info', 'The version of the gateway.', 1, { version }),
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      unit: '',
      help: 'Processor time.',
      points: one((user + system) / 1e6),
    },
    gauge('process_resident_memory_bytes', 'Memory of the process.', process.memoryUsage.rss()),
  ];
}

function points(counts: ReadonlyMap<string, number>, label: string): Points {
  return [...counts].map(([key, value]) => ({ attributes: { [label]: key }, value }));
}
