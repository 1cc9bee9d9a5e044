import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** Lets others see what is logged; nobody keeps it here. */
export class LogTap {
  private readonly watchers = new Set<(line: string) => void>();

  /** Calls back with every line from now on, until the function that it returns is called. */
  watch(onLine: (line: string) => void): () => void {
    this.watchers.add(onLine);
    return () => this.watchers.delete(onLine);
  }

  /** Shows a line to whoever watches. */
  show(line: string): void {
    for (const onLine of this.watchers) onLine(line);
  }
}

/** JSON lines on standard error, and past a tap; `silent` says nothing. */
export function createLogger(level: 'silent' | 'info' | 'debug' | 'warn' | 'error', tap?: LogTap): Logger {
  const output = pino.destination({ fd: 2, sync: true });
  const stream = {
    write(line: string) {
      output.write(line);
      tap?.show(line);
    },
  };
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, tap ? stream : output);
}
