// The program's own metrics and logger.
// In: counts from every room. Out: families of values, which `/metrics` exposes, JSON lines on standard error.
// Never: holds telemetry of others, or anything that a request contained.
export { createLogger, type Logger, LogTap } from './logger.ts';
export { type OwnFamily, type OwnLabels, OwnMetrics, type OwnPoint } from './metrics.ts';
