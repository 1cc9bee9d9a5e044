import { BarographError } from '../model/index.ts';
import type { YamlSource } from './yaml-source.ts';

/** What of a Prometheus configuration concerns scraping. */
export interface PrometheusFile {
  /** The value of the configuration's `scrape`, still to be checked. */
  readonly scrape: { readonly global: unknown; readonly scrape_configs: unknown };
  /** Keys that were left out, because they are about something else. */
  readonly ignored: readonly string[];
}

/** Sections of a Prometheus configuration that have nothing to do with scraping. */
const OTHER_SECTIONS = [
  'rule_files',
  'alerting',
  'remote_write',
  'remote_read',
  'storage',
  'tracing',
  'otlp',
  'runtime',
];
/** Keys of `global` that have nothing to do with it. */
const OTHER_GLOBALS = [
  'evaluation_interval',
  'rule_query_offset',
  'external_labels',
  'query_log_file',
  'scrape_failure_log_file',
];

/**
 * Takes `global` and `scrape_configs` from a Prometheus configuration.
 * @throws BarographError `bad_config` with the line: something else than a Prometheus configuration.
 */
export function takePrometheusFile({ file, value, lineOf }: YamlSource): PrometheusFile {
  const fail = (path: readonly string[], got: string, accepted: string): BarographError =>
    new BarographError({
      code: 'bad_config',
      status: 500,
      where: `${file}:${lineOf(path)}${path.length > 0 ? ` › ${path.join('.')}` : ''}`,
      got,
      accepted,
    });
  if (!isRecord(value)) throw fail([], 'no mapping', 'a Prometheus configuration');
  const ignored: string[] = [];
  for (const key of Object.keys(value)) {
    if (key === 'global' || key === 'scrape_configs') continue;
    if (key === 'scrape_config_files') {
      throw fail([key], 'files with more jobs', 'one file; write their jobs into scrape_configs');
    }
    if (!OTHER_SECTIONS.includes(key)) throw fail([key], 'an unknown key', 'a section of a Prometheus configuration');
    ignored.push(key);
  }
  const global = value.global ?? {};
  if (!isRecord(global)) throw fail(['global'], 'no mapping', 'keys and values');
  const kept: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(global)) {
    if (OTHER_GLOBALS.includes(key)) ignored.push(`global.${key}`);
    else kept[key] = setting;
  }
  return { scrape: { global: kept, scrape_configs: value.scrape_configs ?? [] }, ignored };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
