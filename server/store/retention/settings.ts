import { z } from 'zod';
import { BarographError, parseDurationMs, parseSizeBytes, printDurationMs, printSizeBytes } from '../../model/index.ts';
import { perSignal, SIGNALS, type Signal } from '../signals.ts';

/** How long and how much of one signal is kept. */
export interface RetentionRule {
  /** Milliseconds; +∞ for ever. */
  readonly ageMs: number;
  /** Bytes; +∞ for any number of them. */
  readonly maxBytes: number;
}

/** What is kept, and when that is looked after. */
export interface RetentionSettings {
  readonly intervalMs: number;
  /** Bytes of everything in the data directory; +∞ for any number of them. */
  readonly maxBytes: number;
  /** Bytes that stay free on the disk; below it writes are refused. `undefined`: 2 GiB, at most 5 % of the disk. */
  readonly minFreeBytes: number | undefined;
  readonly rules: Readonly<Record<Signal, RetentionRule>>;
}

/** The shortest age: less is a slip of the pen rather than a wish, and data would go before anyone saw it. */
const MIN_AGE_MS = 3_600_000;
const FOREVER = 'forever';
const DAY_MS = 86_400_000;

/** Runs a parser of the model as a step of the schema; its message says what is accepted. */
function parsed(parse: (text: string) => number, least: number, leastText: string) {
  return z.union([z.string(), z.number()]).transform((given, context) => {
    try {
      const value = parse(String(given));
      if (value >= least) return value;
      context.addIssue(`expected at least ${leastText}`);
    } catch (error) {
      if (!(error instanceof BarographError)) throw error;
      context.addIssue(error.message);
    }
    return z.NEVER;
  });
}

const age = parsed((text) => (text === FOREVER ? Number.POSITIVE_INFINITY : parseDurationMs(text)), MIN_AGE_MS, '1h');
const size = parsed(parseSizeBytes, 1, '1B');

const rule = (defaultAge?: string) =>
  z
    .strictObject({
      age: defaultAge === undefined ? age.optional() : age.prefault(defaultAge),
      max_size: size.optional(),
    })
    .prefault({});

/** `retention` of the configuration; becomes `RetentionSettings`. */
export const retentionSchema = z
  .strictObject({
    /** How often it is looked for what is too old or too much. */
    interval: parsed(parseDurationMs, 1000, '1s').prefault('1m'),
    /** Bytes of everything; the signal that takes most of them loses its oldest part first, the fleet level last. */
    max_size: size.optional(),
    /** Below so many free bytes of the disk writes are refused. */
    min_free: size.optional(),
    fleet: rule('396d'),
    per_model: rule('30d'),
    fleet_histograms: rule(),
    per_model_histograms: rule(),
    exemplars: rule('7d'),
    logs: rule('14d'),
    traces: rule('7d'),
  })
  .transform((given): RetentionSettings => {
    const ruleOf = (signal: Signal, fallback = signal): RetentionRule => ({
      ageMs: given[signal].age ?? given[fallback].age ?? Number.POSITIVE_INFINITY,
      maxBytes: given[signal].max_size ?? Number.POSITIVE_INFINITY,
    });
    return {
      intervalMs: given.interval,
      maxBytes: given.max_size ?? Number.POSITIVE_INFINITY,
      minFreeBytes: given.min_free,
      rules: {
        fleet: ruleOf('fleet'),
        per_model: ruleOf('per_model'),
        // Native histograms are kept as long as the samples of their level, unless told otherwise.
        fleet_histograms: ruleOf('fleet_histograms', 'fleet'),
        per_model_histograms: ruleOf('per_model_histograms', 'per_model'),
        exemplars: ruleOf('exemplars'),
        logs: ruleOf('logs'),
        traces: ruleOf('traces'),
      },
    };
  });

/** Keeps everything; a disk that fills up is looked at all the same. */
export const KEEP_EVERYTHING: RetentionSettings = {
  intervalMs: 60_000,
  maxBytes: Number.POSITIVE_INFINITY,
  minFreeBytes: undefined,
  rules: perSignal(() => ({ ageMs: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY })),
};

function ageText(ageMs: number): string {
  if (ageMs === Number.POSITIVE_INFINITY) return FOREVER;
  // Days, as people set them, rather than weeks.
  return ageMs % DAY_MS === 0 ? `${ageMs / DAY_MS}d` : printDurationMs(ageMs);
}

function sizeText(bytes: number | undefined): string | undefined {
  return bytes === undefined || bytes === Number.POSITIVE_INFINITY ? undefined : printSizeBytes(bytes);
}

/** The settings as they would be written in a configuration. */
export function shownRetention(settings: RetentionSettings): Readonly<Record<string, unknown>> {
  return {
    interval: printDurationMs(settings.intervalMs),
    max_size: sizeText(settings.maxBytes),
    min_free: sizeText(settings.minFreeBytes),
    ...perSignal((signal) => {
      const { ageMs, maxBytes } = settings.rules[signal];
      return { age: ageText(ageMs), max_size: sizeText(maxBytes) };
    }),
  };
}

/** One line for people, such as `fleet 396d, per_model 30d, … or 50GiB`. */
export function describeRetention(settings: RetentionSettings): string {
  const rules = SIGNALS.map((signal) => {
    const { ageMs, maxBytes } = settings.rules[signal];
    const bytes = sizeText(maxBytes);
    return `${signal} ${ageText(ageMs)}${bytes === undefined ? '' : ` or ${bytes}`}`;
  });
  const total = sizeText(settings.maxBytes);
  return `${rules.join(', ')}${total === undefined ? '' : `; ${total} in all`}`;
}
