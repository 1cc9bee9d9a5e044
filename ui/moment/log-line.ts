import type { Filters } from '../../server/dashboards/index.ts';
import type { LogLine } from '../api/loki.ts';

export type LogLevel = 'error' | 'warning' | 'info' | 'debug';

/** A log line taken apart for reading. */
export interface ShownLine {
  readonly key: string;
  /** Milliseconds since the epoch, with a fraction. */
  readonly timeMs: number;
  readonly level: LogLevel;
  readonly service: string;
  /** The event's name, or the line without the parts that stand in columns of their own. */
  readonly text: string;
  /** The whole line of prose as it was written; the same as `text` for an event. */
  readonly whole: string;
  /** Whether `text` is prose rather than the name of an event. */
  readonly prose: boolean;
  /** Fields of a structured line, without those that stand elsewhere. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Labels of the stream and structured metadata. */
  readonly labels: Readonly<Record<string, string>>;
  /** 32 lower-case hex digits. */
  readonly traceId: string | undefined;
}

/** Fields that say when, how bad and by whom: they have places of their own. */
const PLACED = new Set([
  'event',
  'level',
  'severity',
  'time',
  'timestamp',
  'ts',
  'trace_id',
  'span_id',
  'service_name',
]);

/**
 * How engines begin a line: their process, its level and the time, all of which stand in columns of their own. vLLM's
 * `(EngineCore pid=258) INFO 11-24 10:00:00 `, uvicorn's `(APIServer pid=1) INFO:     `, DeepSpeed's
 * `[2026-11-24 10:00:00,000] [WARNING] `.
 */
const LINE_HEAD =
  /^(?:(?:\(\w+ pid=\d+\) )?(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):?\s+(?:\d\d-\d\d \d\d:\d\d:\d\d )?|\[[-\d:, ]+\] \[[A-Z]+\] )/;

/** Takes a line apart: JSON objects into fields, anything else stays as it was written. */
export function readLogLine(line: LogLine, index: number): ShownLine {
  const record = parseObject(line.line);
  const field = (name: string) => {
    const value = record?.[name] ?? line.labels[name];
    return value === undefined || value === null ? undefined : String(value);
  };
  const event = record ? field('event') : undefined;
  const fields = Object.entries(record ?? {})
    .filter(([name]) => !PLACED.has(name))
    .map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)] as const);
  const traceId = field('trace_id') ?? field('traceID');
  return {
    key: `${line.timestampNs} ${index}`,
    timeMs: Number(BigInt(line.timestampNs) / 1000n) / 1000,
    level: readLevel(
      field('level') ?? field('severity') ?? field('detected_level') ?? field('severity_text'),
      line.line,
    ),
    service: line.labels.service_name ?? line.labels.job ?? '',
    text: event ?? (record ? '' : line.line.replace(LINE_HEAD, '')),
    whole: event ?? (record ? '' : line.line),
    prose: !record,
    fields,
    labels: ownLabels(line.labels, record),
    traceId: traceId && /^[0-9a-f]{32}$/.test(traceId) ? traceId : undefined,
  };
}

/** Labels that say more than the fields: parsing gives a field's name the suffix `_extracted` where a label has it too. */
function ownLabels(labels: LogLine['labels'], record: Record<string, unknown> | undefined): Record<string, string> {
  const own = Object.entries(labels).filter(([name, value]) => {
    const parsed = name.endsWith('_extracted') && labels[name.slice(0, -'_extracted'.length)] === value;
    return !parsed && String(record?.[name] ?? '') !== value;
  });
  return Object.fromEntries(own);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** A level from what the line says of itself, else from how engines write: the word stands near the start. */
function readLevel(said: string | undefined, line: string): LogLevel {
  const word = said ?? /\b(CRITICAL|FATAL|ERROR|WARN(?:ING)?|INFO|DEBUG)\b/.exec(line.slice(0, 80))?.[0] ?? '';
  if (/^(crit|fatal|error|err$|emerg|alert)/i.test(word)) return 'error';
  if (/^warn/i.test(word)) return 'warning';
  if (/^(debug|trace)/i.test(word)) return 'debug';
  if (said === undefined && /CUDA error|out of memory|NVRM: Xid/.test(line)) return 'error';
  return 'info';
}

/**
 * Whether a line says of itself that it is of another model, tier or region than the chosen ones. Lines that don't say
 * are kept, because an engine's trouble belongs to all whom it serves.
 */
export function contradictsFilters(line: ShownLine, filters: Filters): boolean {
  return Object.entries(filters).some(([label, values]) => {
    if (!values || values.length === 0) return false;
    const said = line.fields.find(([name]) => name === label)?.[1] ?? line.labels[label];
    return said !== undefined && !values.includes(said);
  });
}
