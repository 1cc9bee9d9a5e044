// The simulated inference fleet: model servers, GPUs and a gateway as a discrete-event model, the same for the same seed.
// In: options, or a trace of real arrivals. Out: what such a fleet emits, over HTTP as anyone would send it: OTLP through
// OpenTelemetry's SDK, remote write, Loki push; counts of what was acknowledged and refused; incidents with ground truth.
// Never: reaches into a store or another room's state, or writes any content of a prompt or an answer.
export { parseSimulateArgs, SIMULATE_ENTRY, SIMULATE_HELP } from './command.ts';
export type { Progress, SimulateOptions, SimulateReport } from './options.ts';
export type { DeliveryCounts, Signal } from './outbox.ts';
export { type ProgressTerminal, ProgressWriter, printIncident, printProgress, printReport } from './progress.ts';
export { runSimulation } from './run.ts';
export {
  type Effect,
  findScenario,
  type Incident,
  type IncidentKind,
  planIncidents,
  SCENARIOS,
  type Scenario,
} from './scenario.ts';
