import { BarographError } from '../model/index.ts';
import { DEFAULT_TRACE_POLICY, type TracePolicy } from './gateway-spans.ts';
import type { DeliveryCounts, Signal } from './outbox.ts';
import { findScenario } from './scenario.ts';

/** What a run of the simulated fleet is asked for. */
export interface SimulateOptions {
  /** Origin of remote write and Loki push, such as `http://127.0.0.1:7070`. */
  readonly target: string;
  /** Origin of OTLP over HTTP, such as `http://127.0.0.1:4318`; default the same as `target`. */
  readonly otlpTarget?: string;
  /** Whole number; default 1. The same seed and start give the same fleet. */
  readonly seed?: number;
  /** How far back the run begins, milliseconds ≥ 0; default an hour. */
  readonly backfillMs?: number;
  /** Whether it goes on in real time once it has reached the present; default false. */
  readonly realTime?: boolean;
  /** A file in the format of the Azure LLM inference traces whose arrivals are replayed; default fitted distributions. */
  readonly trace?: string;
  /** Times the fleet's usual traffic, or times the trace's speed; above 0 to 100, default 1. */
  readonly rate?: number;
  /** Name of a scenario; default `demo`. */
  readonly scenario?: string;
  /** Milliseconds between scrapes and between collections of the SDK, 1,000 to 300,000; default 15,000. */
  readonly scrapeMs?: number;
  /** Whether the gateway of one deployment leaks a request ID into a metric's labels; default true. */
  readonly leakRequestId?: boolean;
  readonly traces?: TracePolicy;
  /** Counts what would be sent and sends nothing; default false. */
  readonly dryRun?: boolean;
  /** Requests under way at once, 1 to 64; default 6. */
  readonly maxInFlight?: number;
  /** The present, milliseconds since the epoch; default the clock's. */
  readonly nowMs?: number;
  readonly onProgress?: (progress: Progress) => void;
  /** Ends the run early; what has been handed in is still acknowledged. */
  readonly signal?: AbortSignal;
}

/** How far a run is. */
export interface Progress {
  /** `backfill` until the present is reached, then `live`; `done` once at the end. */
  readonly phase: 'backfill' | 'live' | 'done';
  /** Simulated time, milliseconds since the epoch. */
  readonly simulatedMs: number;
  /** Share of the backfill that is done, 0 to 1. */
  readonly share: number;
  readonly requests: number;
  readonly counts: Readonly<Record<Signal, DeliveryCounts>>;
}

/** What a run did. */
export interface SimulateReport {
  /** Requests of users that ended, by outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly requests: number;
  /** Differs as soon as anything went differently. */
  readonly fingerprint: number;
  readonly counts: Readonly<Record<Signal, DeliveryCounts>>;
  /** CPU seconds of this process during the run. */
  readonly cpuSeconds: number;
  readonly seconds: number;
  /** The scenario's incidents with their times and ground truth. */
  readonly incidents: readonly {
    readonly id: string;
    readonly startMs: number;
    readonly endMs: number;
    readonly deployment: string;
    readonly region: string;
    readonly cause: string;
  }[];
}

type Defaulted = 'otlpTarget' | 'seed' | 'backfillMs' | 'realTime' | 'rate' | 'scenario' | 'scrapeMs' | 'leakRequestId';
/** Options with every default filled in. */
export type FilledOptions = SimulateOptions &
  Required<Pick<SimulateOptions, Defaulted | 'traces' | 'dryRun' | 'maxInFlight' | 'nowMs'>>;

/** Fills in defaults and checks ranges. @throws BarographError `simulation_option`, or `unknown_scenario`. */
export function fillOptions(options: SimulateOptions): FilledOptions {
  const target = checkOrigin('target', options.target);
  const filled: FilledOptions = {
    ...options,
    target,
    otlpTarget: options.otlpTarget === undefined ? target : checkOrigin('otlpTarget', options.otlpTarget),
    seed: checkNumber('seed', options.seed ?? 1, 0, 2 ** 31),
    backfillMs: checkNumber('backfillMs', options.backfillMs ?? 3_600_000, 0, 30 * 86_400_000),
    realTime: options.realTime ?? false,
    rate: checkNumber('rate', options.rate ?? 1, 0.001, 100),
    scenario: options.scenario ?? 'demo',
    scrapeMs: checkNumber('scrapeMs', options.scrapeMs ?? 15_000, 1000, 300_000),
    leakRequestId: options.leakRequestId ?? true,
    traces: options.traces ?? DEFAULT_TRACE_POLICY,
    dryRun: options.dryRun ?? false,
    maxInFlight: checkNumber('maxInFlight', options.maxInFlight ?? 6, 1, 64),
    nowMs: options.nowMs ?? Date.now(),
  };
  findScenario(filled.scenario);
  return filled;
}

function checkNumber(name: string, value: number, low: number, high: number): number {
  if (Number.isFinite(value) && value >= low && value <= high) return value;
  throw new BarographError({
    code: 'simulation_option',
    status: 400,
    where: `simulate › ${name}`,
    got: String(value),
    accepted: `a number from ${low} to ${high}`,
  });
}

function checkOrigin(name: string, value: string): string {
  const url = URL.parse(value);
  if (url?.protocol === 'http:' && url.pathname === '/' && url.search === '') return url.origin;
  throw new BarographError({
    code: 'simulation_option',
    status: 400,
    where: `simulate › ${name}`,
    got: JSON.stringify(String(value).slice(0, 80)),
    accepted: 'an http:// origin without a path, such as http://127.0.0.1:7070',
  });
}
