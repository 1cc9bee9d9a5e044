// Label sets and their numbers: once in memory that all threads share, and in a file that a start reads in one go.
// In: label sets, from one thread. Out: their numbers, and for any thread those that matchers select.
// Never: knows what has the labels, or shows a label set before it is on disk.
export { LabelIndex } from './label-index.ts';
export { type LabelMemory, reserveLabelMemory } from './label-memory.ts';
export { LabelStore } from './label-store.ts';
export { LabelWriter } from './label-writer.ts';
export type { Registry } from './registry.ts';
