/** The values of `detected_level`, as Loki writes them. */
export type DetectedLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'critical' | 'fatal' | 'unknown';

/** How far into a line a level is looked for, in characters. */
const LOOK_AT = 256;

const WORDS: Readonly<Record<string, DetectedLevel>> = {
  trace: 'trace',
  trc: 'trace',
  debug: 'debug',
  dbg: 'debug',
  info: 'info',
  inf: 'info',
  information: 'info',
  notice: 'info',
  warn: 'warn',
  warning: 'warn',
  wrn: 'warn',
  error: 'error',
  err: 'error',
  critical: 'critical',
  crit: 'critical',
  fatal: 'fatal',
  panic: 'fatal',
  emergency: 'fatal',
  alert: 'critical',
};

/** `level=error`, `"level":"error"`, `severity: ERROR` and the like. */
const FIELD =
  /(?:^|[\s{,|;"'])["']?(?:level|lvl|severity|severity_text|log_level|loglevel)["']?\s*[=:]\s*["']?([a-z]+)/i;
/** A level that stands for itself near the start, written as programs write it: INFO, Error:, [warn]. */
const WORD =
  /(?:^|[\s[(|<])(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|PANIC|trace|debug|info|warn|warning|error|critical|fatal|panic)(?=[\s\]):|>,]|$)/;

/** The level of OTLP's severity number, `undefined` for 0 (unspecified) and what is no number of one. */
export function levelOfSeverityNumber(number: number): DetectedLevel | undefined {
  if (!Number.isInteger(number) || number <= 0) return undefined;
  if (number <= 4) return 'trace';
  if (number <= 8) return 'debug';
  if (number <= 12) return 'info';
  if (number <= 16) return 'warn';
  if (number <= 20) return 'error';
  if (number <= 24) return 'fatal';
  return 'unknown';
}

/** A level word in any case and common abbreviations, `undefined` for anything else. */
export function levelOfWord(word: string): DetectedLevel | undefined {
  const lower = word.toLowerCase();
  return Object.hasOwn(WORDS, lower) ? WORDS[lower] : undefined;
}

/**
 * The level that a line says itself: a field named like one, else the first level word that stands alone. The values are
 * Loki's; the search is our own, over the first 256 characters. `unknown` where nothing is found.
 */
export function detectLevel(line: string): DetectedLevel {
  const head = line.length > LOOK_AT ? line.slice(0, LOOK_AT) : line;
  const field = FIELD.exec(head);
  if (field !== null) {
    const level = levelOfWord(field[1]);
    if (level !== undefined) return level;
  }
  const word = WORD.exec(head);
  return word === null ? 'unknown' : (levelOfWord(word[1]) ?? 'unknown');
}
