// The nouns of the program: labels, matchers, samples, histograms, log entries, spans, attributes, time, errors.
// In: nothing. Out: types and pure functions that every room may use.
// Never: I/O, state, or knowledge of a protocol or a store.
export * from './attributes.ts';
export * from './error.ts';
export * from './histogram.ts';
export * from './histogram-math.ts';
export * from './histogram-sum.ts';
export * from './labels.ts';
export * from './log.ts';
export * from './matcher.ts';
export * from './precise-sum.ts';
export * from './series.ts';
export * from './size.ts';
export * from './span.ts';
export * from './stale.ts';
export * from './time.ts';
