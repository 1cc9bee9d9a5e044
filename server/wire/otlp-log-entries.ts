import type { Attributes, AttributeValue, Labels, LogEntry } from '../model/index.ts';
import { attributeText } from './attributes.ts';
import { DEFAULT_LOG_OPTIONS, discoverLevel, discoverServiceName, type LogOptions } from './log-discovery.ts';
import { tooLarge } from './malformed.ts';
import type { OtlpLogRecord } from './otlp-logs.ts';
import { LabelNamer } from './otlp-names.ts';
import { mergeLabels, sortFlatLabels } from './sorted-labels.ts';

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

/**
 * How many characters of names, and names and values of structured metadata, the entries of a request may hold together.
 * Every record repeats its resource and every leaf of a map its path, so little on the wire can be much in memory.
 */
const MAX_NAME_CHARACTERS = 128_000_000;
const MAX_METADATA_CELLS = 16_000_000;

interface StreamOrigin {
  readonly stream: Labels;
  /** Attributes of the resource that aren't labels of the stream. */
  readonly metadata: Labels;
}

/**
 * Turns OTLP records into log entries by Loki's rules: chosen resource attributes become the stream, everything else
 * structured metadata, the body the line. Entries without any time have `timestampNs` 0. `options` say what is discovered:
 * `service_name`, `detected_level`.
 * @throws BarographError `too_large` (413) where the entries would not fit in memory.
 */
export function toLogEntries(records: readonly OtlpLogRecord[], options: Partial<LogOptions> = {}): LogEntry[] {
  const settings = { ...DEFAULT_LOG_OPTIONS, ...options };
  const origins = new Map<Attributes, StreamOrigin>();
  const entries: LogEntry[] = [];
  const budget: Budget = { namer: new LabelNamer(), characters: 0, cells: 0 };
  for (const record of records) {
    let origin = origins.get(record.resource);
    if (!origin) {
      origin = streamOrigin(record.resource, settings, budget);
      origins.set(record.resource, origin);
    }
    const { stream } = origin;
    const line = attributeText(record.body);
    const metadata = recordMetadata(record, origin.metadata, budget);
    entries.push({
      stream,
      timestampNs: record.timestampNs,
      line,
      metadata: settings.discoverLevel ? discoverLevel(stream, metadata, line) : metadata,
    });
  }
  return entries;
}

function streamOrigin(resource: Attributes, settings: LogOptions, budget: Budget): StreamOrigin {
  const labels: string[] = [];
  const metadata: string[] = [];
  for (const key of Object.keys(resource)) {
    flatten(key, resource[key], OTLP_INDEX_ATTRIBUTES.has(key) ? labels : metadata, budget);
  }
  const stream = sortFlatLabels(labels);
  return {
    stream: settings.discoverServiceName ? discoverServiceName(stream) : stream,
    metadata: sortFlatLabels(metadata),
  };
}

/** What comes later wins: the scope over the resource, the record over both, its own fields over its attributes. */
function recordMetadata(record: OtlpLogRecord, ofResource: Labels, budget: Budget): Labels {
  budget.cells += ofResource.length;
  checkBudget(budget);
  const flat: string[] = [];
  for (const key of Object.keys(record.scopeAttributes)) flatten(key, record.scopeAttributes[key], flat, budget);
  pushText(flat, 'scope_name', record.scopeName);
  pushText(flat, 'scope_version', record.scopeVersion);
  pushCount(flat, 'scope_dropped_attributes_count', record.scopeDroppedAttributesCount);
  for (const key of Object.keys(record.attributes)) flatten(key, record.attributes[key], flat, budget);
  if (record.hasTime && record.observedNs !== 0n) flat.push('observed_timestamp', String(record.observedNs));
  pushCount(flat, 'severity_number', record.severityNumber);
  pushText(flat, 'severity_text', record.severityText);
  pushCount(flat, 'dropped_attributes_count', record.droppedAttributesCount);
  pushCount(flat, 'flags', record.flags);
  pushText(flat, 'trace_id', record.traceId);
  pushText(flat, 'span_id', record.spanId);
  pushText(flat, 'event_name', record.eventName);
  return mergeLabels(ofResource, sortFlatLabels(flat));
}

/** Fields of the record replace an attribute of the same name only where they are set. */
function pushText(flat: string[], name: string, value: string): void {
  if (value !== '') flat.push(name, value);
}

function pushCount(flat: string[], name: string, value: number): void {
  if (value !== 0) flat.push(name, String(value));
}

/** Maps become one label a leaf, their keys joined by `_`; a key that can't become a label is left out. */
function flatten(key: string, value: AttributeValue, into: string[], budget: Budget): void {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    for (const child of Object.keys(value)) flatten(`${key}_${child}`, value[child], into, budget);
    return;
  }
  budget.characters += key.length;
  budget.cells += 2;
  checkBudget(budget);
  const name = budget.namer.name(key);
  if (name !== undefined) into.push(name, attributeText(value));
}

/** What one translation has used, and the names that it has seen. */
interface Budget {
  readonly namer: LabelNamer;
  characters: number;
  cells: number;
}

function checkBudget(budget: Budget): void {
  if (budget.characters <= MAX_NAME_CHARACTERS && budget.cells <= MAX_METADATA_CELLS) return;
  const accepted = `${MAX_METADATA_CELLS} names and values`;
  throw tooLarge('OTLP logs', 'too much structured metadata', accepted, 'send smaller batches');
}
