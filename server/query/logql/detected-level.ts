import type { Labels } from '../../model/index.ts';

/** The label that holds how serious a line is: Loki adds it when it stores a line, Grafana colours by it. */
export const DETECTED_LEVEL_LABEL = 'detected_level';

export type DetectedLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'critical' | 'fatal' | 'unknown';

/** Labels and keys that say the level, in the order in which they are asked. */
const LEVEL_NAMES = [
  'level',
  'LEVEL',
  'Level',
  'severity',
  'SEVERITY',
  'Severity',
  'severity_text',
  'lvl',
  'LVL',
  'Lvl',
];

const SPELLINGS: Readonly<Record<string, DetectedLevel>> = {
  trace: 'trace',
  trc: 'trace',
  debug: 'debug',
  dbg: 'debug',
  info: 'info',
  inf: 'info',
  information: 'info',
  informational: 'info',
  notice: 'info',
  warn: 'warn',
  wrn: 'warn',
  warning: 'warn',
  error: 'error',
  err: 'error',
  eror: 'error',
  critical: 'critical',
  crit: 'critical',
  fatal: 'fatal',
  emergency: 'fatal',
  panic: 'fatal',
};

const FIELD = /(?:^|[\s{,])"?(?:level|severity|severity_text|lvl)"?\s*[=:]\s*"?([a-zA-Z]+)/i;
const WORD = /\b(trace|trc|debug|dbg|info|inf|warn|wrn|warning|error|err|critical|crit|fatal|panic)\b/i;

/** Only the beginning of a long line is looked at. */
const LOOKED_AT = 512;

/**
 * How serious a line is: what its labels or metadata say, else a `level` field of a JSON or logfmt line, else the first
 * word that names a level (`ERROR 10:12 …`), else `unknown`.
 */
export function detectLevel(stream: Labels, metadata: Labels, line: string): DetectedLevel {
  for (const source of [metadata, stream]) {
    for (let i = 0; i < source.length; i += 2) {
      if (!LEVEL_NAMES.includes(source[i])) continue;
      const level = SPELLINGS[source[i + 1].toLowerCase()];
      if (level !== undefined) return level;
    }
  }
  const head = line.length > LOOKED_AT ? line.slice(0, LOOKED_AT) : line;
  const field = FIELD.exec(head)?.[1].toLowerCase();
  if (field !== undefined && field in SPELLINGS) return SPELLINGS[field];
  const word = WORD.exec(head)?.[1].toLowerCase();
  return word === undefined ? 'unknown' : SPELLINGS[word];
}
