// The program's own metrics and logger.
// In: counts from every room. Out: `/metrics` in Prometheus's text format, JSON lines on standard error.
// Never: holds telemetry of others, or anything that a request contained.
export { createLogger, type Logger } from './logger.ts';
export { type OwnLabels, OwnMetrics } from './metrics.ts';
