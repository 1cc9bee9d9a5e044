/** A scrape may be this late and still count for the time for which it was planned: times that are even compress well. */
const MAX_LATENESS_MS = 2;

/** When a target is scraped, in milliseconds. */
export interface Schedule {
  readonly intervalMs: number;
  /** The target's place in each interval; see `offsetOf`. */
  readonly offsetMs: number;
}

/** The next scrape: when it is planned for, and how many were missed since the last one. */
export interface PlannedScrape {
  readonly atMs: number;
  readonly skipped: number;
}

/** Plans the first scrape after now and after the one that was planned for `lastMs`, −Infinity where there was none. */
export function planScrape({ intervalMs, offsetMs }: Schedule, lastMs: number, nowMs: number): PlannedScrape {
  // Where the clock was set back, what was planned is far ahead and says nothing.
  const fromMs = lastMs > nowMs + intervalMs ? nowMs : Math.max(nowMs, lastMs);
  const atMs = (Math.floor((fromMs - offsetMs) / intervalMs) + 1) * intervalMs + offsetMs;
  const isLate = Number.isFinite(lastMs) && fromMs > lastMs;
  return { atMs, skipped: isLate ? Math.max(0, Math.round((atMs - lastMs) / intervalMs) - 1) : 0 };
}

/** The time that a scrape's samples get: the planned one where it is nearly on time, else its own. */
export function scrapeTime(plannedMs: number, nowMs: number, intervalMs: number): number {
  const tolerance = Math.min(MAX_LATENESS_MS, intervalMs / 100);
  return Math.abs(nowMs - plannedMs) <= tolerance ? plannedMs : nowMs;
}
