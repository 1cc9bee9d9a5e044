import { readYaml, type YamlSource } from '../config/index.ts';
import type { Governor } from '../govern/index.ts';
import { BarographError } from '../model/index.ts';
import type { CheckKind, FileReport } from './finding.ts';
import { checkDashboard, checkRules } from './queries.ts';
import { checkExposition, checkOtlp } from './telemetry.ts';

/** What checking one file needs. */
export interface CheckOptions {
  /** As it is shown. */
  readonly file: string;
  readonly bytes: Uint8Array;
  /** `undefined` where the file shows it. */
  readonly kind: CheckKind | undefined;
  /** A `Content-Type`, where the file came over HTTP. */
  readonly contentType?: string;
  /** How many targets will expose the same, from 1. */
  readonly targets: number;
  /** A fresh one: budgets hold for one file. */
  readonly governor: Governor;
  /** Metrics that recording rules make, whose labels are the rules' affair. */
  readonly recorded: ReadonlySet<string>;
}

/** Checks a file; what can't be read is a finding too. */
export function checkFile(options: CheckOptions): FileReport {
  const { file, bytes } = options;
  const kind = options.kind ?? kindOf(bytes);
  try {
    switch (kind) {
      case 'metrics':
        return checkExposition(options);
      case 'otlp':
        return checkOtlp(options);
      case 'rules':
      case 'loki_rules':
        return checkRules(options, sourceOf(options));
      case 'dashboard':
        return checkDashboard(options, sourceOf(options));
    }
  } catch (error) {
    if (!(error instanceof BarographError)) throw error;
    const line = Number(/(?:line |:)(\d+)/.exec(error.message)?.[1]) || undefined;
    const finding = { rule: error.code, level: 'error', message: error.message, line } as const;
    return { file, kind, metrics: [], fleetSeries: 0, expressions: 0, skipped: 0, findings: [finding] };
  }
}

function sourceOf({ file, bytes }: CheckOptions): YamlSource {
  return readYaml(new TextDecoder().decode(bytes), file);
}

/** What a file holds, by its beginning and its first keys. */
export function kindOf(bytes: Uint8Array): CheckKind {
  const text = new TextDecoder().decode(bytes.subarray(0, 65_536));
  if (text.trimStart().startsWith('{')) return /"resource(?:Metrics|Logs|Spans)"/.test(text) ? 'otlp' : 'dashboard';
  return /^groups:/m.test(text) ? 'rules' : 'metrics';
}
