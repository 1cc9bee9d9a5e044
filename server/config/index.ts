// One configuration: defaults first, then what is given; unknown keys are errors.
// In: an object from a file or the command line. Out: a complete Config, or an error that names the key.
// Never: reads a file or the environment by itself.
export { type Config, configSchema, parseConfig, withoutSecrets } from './config.ts';
