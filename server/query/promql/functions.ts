import { HISTOGRAM_FUNCTIONS } from './histogram-functions.ts';
import type { InstantFunction } from './instant.ts';
import { LABEL_FUNCTIONS } from './label-functions.ts';
import { MATH_FUNCTIONS } from './math-functions.ts';

/** Functions of instant vectors, scalars and strings, by name. */
export const INSTANT_FUNCTIONS: ReadonlyMap<string, InstantFunction> = new Map([
  ...MATH_FUNCTIONS,
  ...LABEL_FUNCTIONS,
  ...HISTOGRAM_FUNCTIONS,
]);
