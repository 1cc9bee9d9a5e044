import type { HrTime } from '@opentelemetry/api';

/** Milliseconds since the epoch as OpenTelemetry's pair of seconds and nanoseconds, exact to the microsecond. */
export function toHrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1000) * 1000];
}
