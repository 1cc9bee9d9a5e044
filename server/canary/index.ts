// The content canary: sends marked prompts through every receiver of the running program and searches its store for them.
// In: the program's addresses, its store, a way to scrape. Out: reports of what was found and where; own metrics.
// Never: a marker, prompt or stored text in a log, an error, a metric or an answer.
export { Canary, type CanaryParts } from './canary.ts';
export { type CanaryConfig, canarySchema } from './config.ts';
export { CONTENT_NAMES, HARMLESS_LINES, PLAIN_NAMES } from './hide.data.ts';
export { type Decide, type HiddenPlace, Hider } from './hide.ts';
export { CANARY_NAME } from './label.ts';
export { pushEntries } from './loki-messages.ts';
export { drawRoot, type Encoding, findMarkers, type Needle, needlesOf, type Sighting } from './marker.ts';
export { logRequest, type MessageShape, metricRequest, traceRequest } from './otlp-messages.ts';
export { exposition, writeRequest } from './prometheus-messages.ts';
export { PROMPTS } from './prompts.data.ts';
export { type Draw, drawSeeded, drawUnguessable, pick } from './random.ts';
export type { CanaryFinding, CanaryPath, CanaryReport, CanaryResult, CanaryStatus } from './report.ts';
export { searchFiles } from './search-files.ts';
export type { CanaryTargets } from './send.ts';
