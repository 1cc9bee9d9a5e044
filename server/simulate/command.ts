import { parseArgs } from 'node:util';
import { BarographError, parseDurationMs } from '../model/index.ts';
import type { SimulateOptions } from './options.ts';
import { SCENARIOS } from './scenario.ts';

/** The file that a child process runs: `node FILE OPTIONS`, options as JSON, JSON lines on standard output. */
export const SIMULATE_ENTRY = new URL('./main.ts', import.meta.url);

export const SIMULATE_HELP = `barograph simulate [options]
      Simulates an inference fleet (engines, GPUs, gateways) and sends what it emits to a server that runs already: OTLP,
      remote write and Loki push. At the end it says what was acknowledged, what was refused, and which incidents it
      made; Ctrl-C ends it early, once what was handed in is acknowledged.

      --target URL        remote write and Loki push (default http://127.0.0.1:7070)
      --otlp-target URL   OTLP over HTTP (default: the same as --target)
      --backfill TIME     how far back it begins (default 1h; 0s for now)
      --speed max|real    max ends at the present, real goes on with the clock (default max)
      --scenario NAME     ${Object.keys(SCENARIOS).join(', ')} (default demo)
      --trace FILE        arrivals from a CSV in the format of the Azure LLM inference traces
      --rate X            times the usual traffic, or times the trace's speed (default 1)
      --seed N            the same seed gives the same fleet (default 1)
      --scrape TIME       between scrapes (default 15s)
      --no-leak           no gateway leaks a request ID into a metric's labels
      --dry-run           only counts what would be sent

      An hour in which a node overheats:
        barograph simulate --backfill 1h --seed 7 --scenario thermal
      What would be sent, without a server:
        barograph simulate --dry-run --backfill 10m
      Real arrivals at half their speed, from now on:
        barograph simulate --speed real --backfill 0s --trace AzureLLMInferenceTrace_conv.csv --rate 0.5
`;

/** Reads the arguments after `barograph simulate`. @throws BarographError `usage`; ranges are checked by the run. */
export function parseSimulateArgs(args: readonly string[]): SimulateOptions {
  const values = readArgs(args);
  const speed = values.speed ?? 'max';
  if (speed !== 'max' && speed !== 'real') throw usage('--speed', speed, 'max or real');
  return {
    target: values.target ?? 'http://127.0.0.1:7070',
    otlpTarget: values['otlp-target'],
    backfillMs: values.backfill === undefined ? undefined : parseDurationMs(values.backfill),
    realTime: speed === 'real',
    scenario: values.scenario,
    trace: values.trace,
    rate: toNumber('--rate', values.rate),
    seed: toNumber('--seed', values.seed),
    scrapeMs: values.scrape === undefined ? undefined : parseDurationMs(values.scrape),
    leakRequestId: values['no-leak'] === true ? false : undefined,
    dryRun: values['dry-run'],
  };
}

function readArgs(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        target: { type: 'string' },
        'otlp-target': { type: 'string' },
        backfill: { type: 'string' },
        speed: { type: 'string' },
        scenario: { type: 'string' },
        trace: { type: 'string' },
        rate: { type: 'string' },
        seed: { type: 'string' },
        scrape: { type: 'string' },
        'no-leak': { type: 'boolean' },
        'dry-run': { type: 'boolean' },
      },
    }).values;
  } catch (cause) {
    // The text of node:util names the argument and what it expected.
    throw usage('arguments', (cause as Error).message, 'the options that barograph simulate --help lists');
  }
}

function toNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw usage(option, JSON.stringify(text), 'a number');
  return value;
}

function usage(where: string, got: string, accepted: string): BarographError {
  return new BarographError({ code: 'usage', status: 400, where: `simulate › ${where}`, got, accepted });
}
