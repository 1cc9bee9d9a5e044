import type { Labels } from './labels.ts';

/** One log line before it is stored. */
export interface LogEntry {
  /** Index labels of its stream. */
  stream: Labels;
  /** Nanoseconds since the epoch. */
  timestampNs: bigint;
  line: string;
  /** Structured metadata: request-scoped fields (`trace_id`, …) that must not make a stream. */
  metadata: Labels;
}
