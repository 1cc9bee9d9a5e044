import fs from 'node:fs/promises';
import { BarographError } from '../model/index.ts';
import { Emission } from './emission.ts';
import {
  type FilledOptions,
  fillOptions,
  type Progress,
  type SimulateOptions,
  type SimulateReport,
} from './options.ts';
import { Outbox, sleep } from './outbox.ts';
import { findScenario } from './scenario.ts';
import { Simulation } from './simulation.ts';
import { parseTrace } from './trace-file.ts';

/** Scrapes of one remote write while it fills the past: long runs of a series cost fewer bytes for labels. */
const BACKFILL_SCRAPES = 16;
/** Spans, records or lines that are worth a request while it fills the past. */
const BACKFILL_EVENTS = 1000;
const MAX_TRACE_BYTES = 512 * 1024 * 1024;
const HOUR_MS = 3_600_000;
/** How often logs and spans are sent in real time. */
const LIVE_EVENTS_MS = 1000;

/**
 * Runs the simulated fleet: fills the past as fast as the receiver acknowledges, then, if asked, goes on in real time
 * until `signal` is aborted.
 * @throws BarographError for options, a trace file, or a receiver that can't be reached; refusals are counted instead.
 */
export async function runSimulation(options: SimulateOptions): Promise<SimulateReport> {
  const filled = fillOptions(options);
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  const outcomes: Record<string, number> = {};
  const startMs = filled.nowMs - filled.backfillMs;
  const outbox = new Outbox({ maxInFlight: filled.maxInFlight, dryRun: filled.dryRun, signal: filled.signal });
  const trace = filled.trace === undefined ? undefined : parseTrace(await readTrace(filled.trace), filled.trace);
  const simulation: Simulation = new Simulation({
    seed: filled.seed,
    startMs,
    rate: filled.rate,
    trace,
    scenario: findScenario(filled.scenario),
    windowMs: filled.backfillMs > 0 ? filled.backfillMs : HOUR_MS,
    repeat: filled.realTime,
    onRequest: (request) => {
      outcomes[request.outcome!] = (outcomes[request.outcome!] ?? 0) + 1;
      emission.recordRequest(request);
    },
    onLine: (line) => emission.recordLine(line),
  });
  const emission = new Emission(simulation.fleet, outbox, filled, startMs);
  const run: Run = { filled, simulation, emission, outbox, startMs, beganMs: began };
  try {
    await backfill(run);
    if (filled.realTime) await live(run);
    await emission.sendMetrics();
    await emission.sendEvents(1);
    await outbox.drain();
  } finally {
    await emission.shutdown();
    outbox.close();
  }
  report(run, 'done');
  const cpu = process.cpuUsage(cpuBefore);
  return {
    outcomes,
    requests: simulation.finished,
    fingerprint: simulation.fingerprint,
    counts: outbox.counts,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    seconds: (performance.now() - began) / 1000,
    incidents: simulation.incidents.map(({ incident, startMs, endMs }) => {
      const { id, deployment, region, cause } = incident;
      return { id, startMs, endMs, deployment, region, cause };
    }),
  };
}

interface Run {
  readonly filled: FilledOptions;
  readonly simulation: Simulation;
  readonly emission: Emission;
  readonly outbox: Outbox;
  readonly startMs: number;
  /** On the monotonic clock, when the present was `nowMs`. */
  readonly beganMs: number;
}

async function backfill(run: Run): Promise<void> {
  const { filled, simulation, emission, startMs } = run;
  let scrapes = 0;
  const endMs = startMs + filled.backfillMs;
  for (let at = startMs + filled.scrapeMs; at <= endMs && !filled.signal?.aborted; at += filled.scrapeMs) {
    simulation.runUntil(at);
    await emission.collect(at);
    await emission.sendEvents(BACKFILL_EVENTS);
    if (++scrapes % BACKFILL_SCRAPES !== 0) continue;
    await emission.sendMetrics();
    report(run, 'backfill');
  }
  if (!filled.signal?.aborted) simulation.runUntil(endMs);
  await emission.sendMetrics();
  await emission.sendEvents(1);
  report(run, 'backfill');
}

/** Follows the clock, catching up first with the time that the backfill took. */
async function live(run: Run): Promise<void> {
  const { filled, simulation, emission } = run;
  let nextScrapeMs = simulation.nowMs + filled.scrapeMs;
  while (!filled.signal?.aborted) {
    // The options' present moves on with the clock, also where it isn't the clock's.
    const nowMs = filled.nowMs + performance.now() - run.beganMs;
    while (nextScrapeMs <= nowMs) {
      simulation.runUntil(nextScrapeMs);
      await emission.collect(nextScrapeMs);
      await emission.sendMetrics();
      await emission.sendEvents(BACKFILL_EVENTS);
      nextScrapeMs += filled.scrapeMs;
      report(run, 'live');
    }
    simulation.runUntil(nowMs);
    await emission.sendEvents(1);
    await sleep(LIVE_EVENTS_MS, filled.signal);
  }
}

function report(run: Run, phase: Progress['phase']): void {
  const { filled, simulation, outbox, startMs } = run;
  const share = filled.backfillMs === 0 ? 1 : Math.min(1, (simulation.nowMs - startMs) / filled.backfillMs);
  filled.onProgress?.({
    phase,
    simulatedMs: simulation.nowMs,
    share,
    requests: simulation.finished,
    counts: outbox.counts,
  });
}

async function readTrace(file: string): Promise<string> {
  try {
    const { size } = await fs.stat(file);
    if (size <= MAX_TRACE_BYTES) return await fs.readFile(file, 'utf8');
    throw new BarographError({
      code: 'bad_trace',
      status: 400,
      where: file,
      got: `${size} bytes`,
      accepted: `at most ${MAX_TRACE_BYTES} bytes`,
      fix: 'cut the trace into parts',
    });
  } catch (cause) {
    if (cause instanceof BarographError) throw cause;
    throw new BarographError({
      code: 'bad_trace',
      status: 400,
      where: file,
      got: 'a file that cannot be read',
      fix: 'check the path that --trace names',
      cause,
    });
  }
}
