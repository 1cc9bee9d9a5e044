// GPUs: what dcgm-exporter must be told so that it exposes what the contract needs.
// In: the conventions. Out: its counters file as text.
// Never: talks to a GPU or writes to a disk; whoever calls decides where text goes.
export { formatDcgmCounters } from './dcgm-counters.ts';
