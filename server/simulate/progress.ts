import { printDurationMs } from '../model/index.ts';
import type { Progress, SimulateReport } from './options.ts';

/** Where progress is shown: standard output, or a test's list. */
export interface ProgressTerminal {
  /** Whether a line can be written over. */
  readonly isTTY?: boolean;
  /** Width in characters; 80 where it isn't known. */
  readonly columns?: number;
  write(text: string): unknown;
}

/** Of a log that isn't a terminal, the past gets a line each quarter, and the present one this often. */
const PLAIN_LIVE_MS = 60_000;
const PLAIN_SHARE = 0.25;

/** Shows how far a run is: one line that is written over on a terminal, a few plain lines in a log. */
export class ProgressWriter {
  readonly #terminal: ProgressTerminal;
  readonly #backfillMs: number;
  readonly #nowMs: () => number;
  readonly #beganMs: number;
  #open = false;
  #plainShare = 0;
  #plainLiveMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs A monotonic clock in milliseconds. */
  constructor(terminal: ProgressTerminal, backfillMs: number, nowMs: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#backfillMs = backfillMs;
    this.#nowMs = nowMs;
    this.#beganMs = nowMs();
  }

  show(progress: Progress): void {
    if (progress.phase === 'done') return this.end();
    const nowMs = this.#nowMs();
    const text = printProgress(progress, this.#backfillMs, nowMs - this.#beganMs);
    if (this.#terminal.isTTY) {
      this.#terminal.write(`\r\u001b[2K${text.slice(0, (this.#terminal.columns ?? 80) - 1)}`);
      this.#open = true;
      return;
    }
    if (progress.phase === 'backfill') {
      if (progress.share < this.#plainShare) return;
      this.#plainShare = (Math.floor(progress.share / PLAIN_SHARE) + 1) * PLAIN_SHARE;
    } else {
      if (nowMs - this.#plainLiveMs < PLAIN_LIVE_MS) return;
      this.#plainLiveMs = nowMs;
    }
    this.#terminal.write(`${text}\n`);
  }

  /** Leaves the line that is written over, so that other text can follow. */
  end(): void {
    if (this.#open) this.#terminal.write('\n');
    this.#open = false;
  }
}

/** A line for people: what is done of what, how fast, and how long it still takes. `elapsedMs` since the run began. */
export function printProgress(progress: Progress, backfillMs: number, elapsedMs: number): string {
  const made = countsText(progress);
  if (progress.phase !== 'backfill') return `Live at ${clockText(progress.simulatedMs)} · ${made}`;
  const { share } = progress;
  const parts = [`Filling the past ${printDurationMs(backfillMs)}: ${Math.floor(share * 100)} %`];
  if (share > 0 && share < 1) {
    parts.push(`${Math.ceil((elapsedMs * (1 - share)) / share / 1000)} s left`);
    parts.push(`${wholeText((share * backfillMs) / Math.max(1, elapsedMs))} × real time`);
  }
  return [...parts, made].join(' · ');
}

/** What has been made so far, in words. */
function countsText({ requests, counts }: Progress): string {
  const { samples, points, spans, records, lines } = counts;
  return (
    `${wholeText(requests)} requests, ${wholeText(samples.items + points.items)} samples, ` +
    `${wholeText(spans.items)} spans, ${wholeText(records.items + lines.items)} log lines`
  );
}

/** What a run did, for a terminal: outcomes, what was refused, and the incidents to look for. */
export function printReport(report: SimulateReport): string {
  const outcomes = Object.entries(report.outcomes).map(([outcome, count]) => `${outcome} ${wholeText(count)}`);
  const rows = [`${wholeText(report.requests)} requests: ${outcomes.join(', ') || 'none ended'}`];
  for (const [signal, counts] of Object.entries(report.counts)) {
    const refused = Object.entries(counts.refused).map(([status, n]) => `, ${wholeText(n)} refused (${status})`);
    rows.push(
      `${signal}: ${wholeText(counts.items)} made, ${wholeText(counts.acknowledged)} acknowledged${refused.join('')}`,
    );
  }
  for (const incident of report.incidents) rows.push(`incident ${incident.id}, ${printIncident(incident)}`);
  rows.push(`${report.seconds.toFixed(1)} s, ${report.cpuSeconds.toFixed(1)} s of CPU`);
  return rows.join('\n');
}

/** When and where an incident is, and what causes it, in the time zone of whoever reads it. */
export function printIncident(incident: SimulateReport['incidents'][number]): string {
  const { startMs, endMs, deployment, region, cause } = incident;
  return `${clockText(startMs)}–${clockText(endMs)}, ${deployment} in ${region}: ${cause}`;
}

function clockText(timeMs: number): string {
  const time = new Date(timeMs);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
}

function wholeText(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
