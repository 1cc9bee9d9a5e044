// The gateway: a reverse proxy before OpenAI-compatible APIs that measures requests to models without a change of code.
// In: HTTP requests of any kind. Out: the same to the upstream and its answers back, byte for byte; the contract's metrics
// at stage `gateway`, spans and events, by OTLP and on /metrics.
// Never: keeps, sends or logs a word of a prompt or an answer, waits for a whole answer, or holds memory without a bound.
export { GatewayError } from './error.ts';
export { type Command, readCommand, type Settings } from './options.ts';
export { type Console, type RunningGateway, run, startGateway } from './run.ts';
