// One configuration: defaults first, then what is given; unknown keys are errors.
// In: an object or text of a file, or the command line. Out: a complete Config, or an error that names key and line.
// Never: reads a file or the environment by itself.
export { type Config, configSchema, parseConfig, withoutSecrets } from './config.ts';
export { type PrometheusFile, takePrometheusFile } from './prometheus-file.ts';
export { readYaml, type YamlSource } from './yaml-source.ts';
