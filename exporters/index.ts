// What small programs beside GPUs and model servers need: the contract's metrics, how the metrics of model servers and
// dcgm-exporter become them, and the files that such programs are set up with.
// In: readings of GPUs and engines. Out: the contract's metrics, configuration files as text.
// Never: changes a GPU's settings, or reports a value that can't be read as 0.
export * from './generated/conventions.ts';
export * from './gpu/index.ts';
export * from './inference/index.ts';
