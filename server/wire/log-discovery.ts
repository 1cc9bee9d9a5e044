import { type Labels, labelValue, withLabel } from '../model/index.ts';
import { detectLevel, levelOfSeverityNumber, levelOfWord } from './log-level.ts';

/** What receivers of logs add to what was sent. */
export interface LogOptions {
  /** Whether streams without `service_name` get one. Default true. */
  readonly discoverServiceName: boolean;
  /** Whether entries without `detected_level` get one. Default true. */
  readonly discoverLevel: boolean;
}

export const DEFAULT_LOG_OPTIONS: LogOptions = { discoverServiceName: true, discoverLevel: true };

export const SERVICE_NAME = 'service_name';
const UNKNOWN_SERVICE = 'unknown_service';
const DETECTED_LEVEL = 'detected_level';

/** Labels that say what a service is called, in order of preference. Source: Loki's `discover_service_name`. */
const SERVICE_LABELS = [
  'service',
  'app',
  'application',
  'app_name',
  'name',
  'app_kubernetes_io_name',
  'container',
  'container_name',
  'k8s_container_name',
  'component',
  'workload',
  'job',
  'k8s_job_name',
];

/** Labels whose value is a level, in order of preference. Source: Loki's `log_level_fields`. */
const LEVEL_LABELS = [
  'level',
  'LEVEL',
  'Level',
  'severity',
  'SEVERITY',
  'Severity',
  'lvl',
  'LVL',
  'Lvl',
  'severity_text',
];

/** Adds `service_name` where it is absent: the first label that names a service, else `unknown_service`. */
export function discoverServiceName(stream: Labels): Labels {
  if (labelValue(stream, SERVICE_NAME) !== '') return stream;
  for (const name of SERVICE_LABELS) {
    const value = labelValue(stream, name);
    if (value !== '') return withLabel(stream, SERVICE_NAME, value);
  }
  return withLabel(stream, SERVICE_NAME, UNKNOWN_SERVICE);
}

/**
 * Adds `detected_level` to an entry's metadata where it is absent: from a level label of stream or metadata, from OTLP's
 * severity number, else from the line.
 */
export function discoverLevel(stream: Labels, metadata: Labels, line: string): Labels {
  if (labelValue(metadata, DETECTED_LEVEL) !== '') return metadata;
  return withLabel(metadata, DETECTED_LEVEL, levelOf(stream, metadata, line));
}

function levelOf(stream: Labels, metadata: Labels, line: string): string {
  for (const labels of [stream, metadata]) {
    for (const name of LEVEL_LABELS) {
      const level = levelOfWord(labelValue(labels, name));
      if (level !== undefined) return level;
    }
  }
  return levelOfSeverityNumber(Number(labelValue(metadata, 'severity_number') || 0)) ?? detectLevel(line);
}
