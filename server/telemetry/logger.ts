import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** JSON lines on standard error; `silent` says nothing. */
export function createLogger(level: 'silent' | 'info' | 'debug' | 'warn' | 'error'): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }));
}
