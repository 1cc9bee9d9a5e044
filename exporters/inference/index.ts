// Model servers: one set of the contract's inference_* metrics from whatever engines a fleet runs.
// In: addresses of engines and gateways, or where to find them. Out: Prometheus's text formats, OTLP, reports of what an
// engine gives that nobody knows, and of what it no longer gives.
// Never: takes over a label of a source that isn't the contract's, invents a value, or drops a metric in silence.
export { type CountAt, CountingPlace } from './count-at.ts';
export type { Discovery, DiscoveryKind } from './discovery/discovery.ts';
export { ENGINE_TABLES, type EngineTable, recogniseEngine } from './engine-table.ts';
export { Fleet, type FleetEvents } from './fleet.ts';
export { FleetMetrics } from './routes.ts';
export { run } from './run.ts';
export { makeTarget, type Target } from './target.ts';
export { type FamilyReport, TargetSeries } from './target-series.ts';
