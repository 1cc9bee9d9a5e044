import fs from 'node:fs/promises';
import path from 'node:path';
import { BarographError } from '../model/index.ts';
import type { Logger, OwnMetrics } from '../telemetry/index.ts';
import type { CanaryConfig } from './config.ts';
import { Probe, type ProbeParts } from './probe.ts';
import type { CanaryReport, CanaryResult, CanaryStatus } from './report.ts';

/** What the canary needs from the program. */
export interface CanaryParts extends ProbeParts {
  readonly config: CanaryConfig;
  readonly log: Logger;
}

/** Runs that are asked for begin no sooner after the one before, milliseconds. */
const MIN_GAP_MS = 5000;
const FILE = 'canary.json';
const HOUR_MS = 3_600_000;
/** Timers of Node hold 24 days; a longer wait is made of several. */
const MAX_WAIT_MS = 86_400_000;

interface Remembered {
  readonly lastCleanMs: number | undefined;
  readonly last: CanaryReport | undefined;
}

/** Runs the probe by itself and on request, one at a time, and remembers the last report across restarts. */
export class Canary {
  private readonly parts: CanaryParts;
  private readonly stop = new AbortController();
  private readonly runs: Record<CanaryResult, number> = { clean: 0, found: 0, failed: 0 };
  /** Findings by the path on which they came in. */
  private readonly found = new Map<string, number>();
  private remembered: Remembered = { lastCleanMs: undefined, last: undefined };
  private running: Promise<CanaryReport> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private nextMs: number | undefined;

  constructor(parts: CanaryParts) {
    this.parts = parts;
  }

  /** Takes up what the last process found out, and plans the first run. */
  async start(): Promise<void> {
    this.remembered = await this.restore();
    const { enabled, first_after_seconds: afterSeconds } = this.parts.config;
    if (!enabled) return;
    const soon = Date.now() + afterSeconds * 1000;
    this.plan(Math.max(soon, (this.remembered.last?.startedMs ?? 0) + this.intervalMs()));
  }

  /** Ends a run that is going on; what it sent is deleted. */
  async close(): Promise<void> {
    this.stop.abort();
    clearTimeout(this.timer);
    await this.running?.catch(() => {});
  }

  get status(): CanaryStatus {
    const { lastCleanMs, last } = this.remembered;
    const isRunning = this.running !== undefined;
    return { enabled: this.parts.config.enabled, isRunning, lastCleanMs, nextMs: this.nextMs, last };
  }

  /**
   * Runs the probe now; who asks during a run gets its report.
   * @throws BarographError `canary_too_soon` (429).
   */
  async run(): Promise<CanaryReport> {
    const sinceMs = Date.now() - (this.remembered.last?.endedMs ?? 0);
    if (!this.running && sinceMs >= 0 && sinceMs < MIN_GAP_MS) {
      throw new BarographError({
        code: 'canary_too_soon',
        status: 429,
        where: 'content canary',
        got: `a run ${Math.round(sinceMs / 1000)} s after the one before`,
        accepted: `one every ${MIN_GAP_MS / 1000} s`,
        fix: 'ask again in a few seconds, or read the last report by GET',
      });
    }
    this.running ??= this.runOnce().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async runOnce(): Promise<CanaryReport> {
    const report = await new Probe(this.parts, this.stop.signal).run();
    this.runs[report.result]++;
    for (const { path: name } of report.findings) this.found.set(name, (this.found.get(name) ?? 0) + 1);
    const lastCleanMs = report.result === 'clean' ? report.endedMs : this.remembered.lastCleanMs;
    this.remembered = { lastCleanMs, last: report };
    this.tell(report);
    await this.save();
    return report;
  }

  private tell({ result, findings, reason, startedMs, endedMs, searched }: CanaryReport): void {
    const { log } = this.parts;
    const ms = endedMs - startedMs;
    switch (result) {
      case 'clean':
        return log.info({ ms, ...searched }, 'content canary: clean');
      case 'failed':
        return log.warn({ ms, reason }, 'content canary: nothing was proved');
      case 'found':
        for (const finding of findings.slice(0, 20)) log.error({ ...finding }, 'content canary: content was found');
        return log.error({ ms, findings: findings.length }, 'content canary: NOT CLEAN');
    }
  }

  private intervalMs(): number {
    return this.parts.config.interval_hours * HOUR_MS;
  }

  private plan(atMs: number): void {
    this.nextMs = atMs;
    const wait = Math.min(MAX_WAIT_MS, Math.max(0, atMs - Date.now()));
    this.timer = setTimeout(() => void this.wake(atMs), wait);
    this.timer.unref();
  }

  private async wake(atMs: number): Promise<void> {
    if (this.stop.signal.aborted) return;
    if (Date.now() < atMs) return this.plan(atMs);
    try {
      await this.run();
    } catch (error) {
      // A run on request a moment ago is as good; anything else is a bug that must not end the program.
      if (!(error instanceof BarographError)) this.parts.log.error({ err: error }, 'content canary: a run broke');
    }
    if (!this.stop.signal.aborted) this.plan(Date.now() + this.intervalMs());
  }

  private async restore(): Promise<Remembered> {
    try {
      return JSON.parse(await fs.readFile(this.file(), 'utf8')) as Remembered;
    } catch {
      // There is none, or a crash cut it off: then nothing is known yet.
      return { lastCleanMs: undefined, last: undefined };
    }
  }

  private async save(): Promise<void> {
    const text = JSON.stringify(this.remembered);
    try {
      await fs.writeFile(`${this.file()}.new`, text);
      await fs.rename(`${this.file()}.new`, this.file());
    } catch (error) {
      this.parts.log.warn({ code: (error as NodeJS.ErrnoException).code }, 'content canary: the report was not saved');
    }
  }

  private file(): string {
    return path.join(this.parts.directory, FILE);
  }

  /** Declares the canary's metrics. */
  declareMetrics(registry: OwnMetrics): void {
    registry.observed(
      'barograph_canary_last_clean_timestamp_seconds',
      'gauge',
      'When the content canary found nothing last; absent where it never did.',
      () => (this.remembered.lastCleanMs === undefined ? [] : [[{}, this.remembered.lastCleanMs / 1000]]),
    );
    registry.observed('barograph_canary_runs_total', 'counter', 'Runs of the content canary by result.', () =>
      Object.entries(this.runs).map(([result, count]) => [{ result }, count] as const),
    );
    registry.observed(
      'barograph_canary_found_total',
      'counter',
      'Places in which the content canary found content, by the receiver through which it came.',
      () =>
        this.found.size === 0 ? [[{}, 0]] : [...this.found].map(([name, count]) => [{ path: name }, count] as const),
    );
    registry.observed(
      'barograph_canary_hidden_texts',
      'gauge',
      'Texts that the last run of the content canary hid.',
      () => [[{}, this.remembered.last?.paths.reduce((sum, { hidden }) => sum + hidden, 0) ?? 0]],
    );
  }
}
