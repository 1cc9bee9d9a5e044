// Flags: what programs of one house have in common on their command lines.
// In: arguments and the values of flags. Out: values in the units of the code, or an error that says what is accepted.
// Never: shows the value of a flag that may hold a secret.
export {
  oneOf,
  parseCount,
  parseFlags,
  parseListen,
  parseOtlpUrl,
  parsePair,
  parseTime,
  parseUrl,
  usageError,
} from './values.ts';
