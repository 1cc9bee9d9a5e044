import fs from 'node:fs';
import path from 'node:path';
import { type Census, readCensus, writeCensus } from '../govern/index.ts';
import type { Logger } from '../telemetry/index.ts';

const SNAPSHOT_MS = 60_000;
const SAVE_MS = 300_000;

/** Keeps what governance counts in the data directory, so that a restart forgets five minutes of it at most. */
export class CensusFile {
  private readonly file: string;
  private readonly census: Census;
  private readonly log: Logger;
  private timers: NodeJS.Timeout[] = [];

  /** Takes up what the last process left. */
  constructor(directory: string, census: Census, log: Logger) {
    this.file = path.join(directory, 'cardinality.json');
    this.census = census;
    this.log = log;
    if (!fs.existsSync(this.file)) return;
    if (!readCensus(fs.readFileSync(this.file, 'utf8'), census))
      log.warn({ file: this.file }, 'the counts of cardinality can not be read; counting begins anew');
  }

  start(): void {
    this.census.snapshot(Date.now());
    this.timers = [
      setInterval(() => this.census.snapshot(Date.now()), SNAPSHOT_MS),
      setInterval(() => this.save(), SAVE_MS),
    ];
    for (const timer of this.timers) timer.unref();
  }

  /** Stops counting time, and saves. */
  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.save();
  }

  private save(): void {
    const next = `${this.file}.next`;
    try {
      fs.writeFileSync(next, writeCensus(this.census));
      fs.renameSync(next, this.file);
    } catch (error) {
      // These are counts for people; ingestion goes on without them.
      this.log.warn({ error: (error as Error).message }, 'the counts of cardinality were not saved');
    }
  }
}
