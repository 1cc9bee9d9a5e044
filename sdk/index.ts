// The AI telemetry contract for whoever writes an LLM service: names, units, buckets and accepted values as constants,
// and the functions that bring a request's end onto them.
// In: facts about a request that are no content (token counts, finish reasons, error types).
// Out: values of the contract's labels.
// Never: reads a prompt or an answer, opens a connection, keeps state, or needs another package.
export * from './generated/conventions.ts';
export { outcomeOf, type RequestEnd } from './outcome.ts';
export { tokenBucketOf } from './token-bucket.ts';
