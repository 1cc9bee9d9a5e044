import { type Attributes, type AttributeValue, type Labels, type LogEntry, labelsFromPairs } from '../model/index.ts';
import { attributeText } from './attributes.ts';
import { DEFAULT_LOG_OPTIONS, discoverLevel, discoverServiceName, type LogOptions } from './log-discovery.ts';
import type { OtlpLogRecord } from './otlp-logs.ts';
import { labelName } from './otlp-names.ts';

/** Resource attributes that become labels of a stream. Source: grafana/loki pkg/loghttp/push/otlplabels. */
export const OTLP_INDEX_ATTRIBUTES: ReadonlySet<string> = new Set([
  'service.name',
  'service.namespace',
  'service.instance.id',
  'deployment.environment',
  'deployment.environment.name',
  'cloud.region',
  'cloud.availability_zone',
  'k8s.cluster.name',
  'k8s.namespace.name',
  'k8s.pod.name',
  'k8s.container.name',
  'container.name',
  'k8s.replicaset.name',
  'k8s.deployment.name',
  'k8s.statefulset.name',
  'k8s.daemonset.name',
  'k8s.cronjob.name',
  'k8s.job.name',
]);

type Pair = readonly [string, string];

interface StreamOrigin {
  readonly stream: Labels;
  /** Attributes of the resource that aren't labels of the stream. */
  readonly metadata: readonly Pair[];
}

/**
 * Turns OTLP records into log entries by Loki's rules: chosen resource attributes become the stream, everything else
 * structured metadata, the body the line. Entries without any time have `timestampNs` 0. `options` say what is discovered:
 * `service_name`, `detected_level`.
 */
export function toLogEntries(records: readonly OtlpLogRecord[], options: Partial<LogOptions> = {}): LogEntry[] {
  const settings = { ...DEFAULT_LOG_OPTIONS, ...options };
  const origins = new Map<Attributes, StreamOrigin>();
  const entries: LogEntry[] = [];
  for (const record of records) {
    let origin = origins.get(record.resource);
    if (!origin) {
      origin = streamOrigin(record.resource, settings);
      origins.set(record.resource, origin);
    }
    const { stream } = origin;
    const line = attributeText(record.body);
    const metadata = recordMetadata(record, origin.metadata);
    entries.push({
      stream,
      timestampNs: record.timestampNs,
      line,
      metadata: settings.discoverLevel ? discoverLevel(stream, metadata, line) : metadata,
    });
  }
  return entries;
}

function streamOrigin(resource: Attributes, settings: LogOptions): StreamOrigin {
  const labels: Pair[] = [];
  const metadata: Pair[] = [];
  for (const key of Object.keys(resource)) {
    flatten(key, resource[key], OTLP_INDEX_ATTRIBUTES.has(key) ? labels : metadata);
  }
  const stream = labelsFromPairs(labels);
  return { stream: settings.discoverServiceName ? discoverServiceName(stream) : stream, metadata };
}

function recordMetadata(record: OtlpLogRecord, ofResource: readonly Pair[]): Labels {
  const pairs: Pair[] = [...ofResource];
  for (const key of Object.keys(record.scopeAttributes)) flatten(key, record.scopeAttributes[key], pairs);
  pairs.push(['scope_name', record.scopeName], ['scope_version', record.scopeVersion]);
  pushCount(pairs, 'scope_dropped_attributes_count', record.scopeDroppedAttributesCount);
  for (const key of Object.keys(record.attributes)) flatten(key, record.attributes[key], pairs);
  if (record.hasTime && record.observedNs !== 0n) pairs.push(['observed_timestamp', String(record.observedNs)]);
  pushCount(pairs, 'severity_number', record.severityNumber);
  pushText(pairs, 'severity_text', record.severityText);
  pushCount(pairs, 'dropped_attributes_count', record.droppedAttributesCount);
  pushCount(pairs, 'flags', record.flags);
  pushText(pairs, 'trace_id', record.traceId);
  pushText(pairs, 'span_id', record.spanId);
  pushText(pairs, 'event_name', record.eventName);
  return labelsFromPairs(pairs);
}

/** Fields of the record replace an attribute of the same name only where they are set. */
function pushText(pairs: Pair[], name: string, value: string): void {
  if (value !== '') pairs.push([name, value]);
}

function pushCount(pairs: Pair[], name: string, value: number): void {
  if (value !== 0) pairs.push([name, String(value)]);
}

/** Maps become one label a leaf, their keys joined by `_`; a key that can't become a label is left out. */
function flatten(key: string, value: AttributeValue, into: Pair[]): void {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    for (const child of Object.keys(value)) flatten(`${key}_${child}`, value[child], into);
    return;
  }
  const name = labelName(key);
  if (name !== undefined) into.push([name, attributeText(value)]);
}
