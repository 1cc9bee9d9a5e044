import { type Context, isSpanContextValid, trace } from '@opentelemetry/api';
import { refusalOfCode } from './codes.ts';
import { OUTCOMES, type Outcome } from './generated/conventions.ts';
import type { LabelSet } from './label-sets.ts';
import type { LabelJudge, Labels } from './labels.ts';
import type { LogSink } from './log-sink.ts';
import type { Tally } from './tally.ts';

/** How bad an event is. */
export type EventLevel = 'debug' | 'info' | 'warn' | 'error';

/** OpenTelemetry's severity numbers. */
const SEVERITY = { debug: 5, info: 9, warn: 13, error: 17 } as const;

/** The fields of an event: codes, counts and labels. There is no field for a text. */
export interface EventFields extends Labels {
  readonly level?: EventLevel;
  readonly prompt_class?: string;
  /** Output tokens of the answer. */
  readonly response_tokens?: number;
  /** The guardrail policy that decided, as a short code. */
  readonly policy?: string;
  /** Why an attempt was made again, as a short code. */
  readonly retry_reason?: string;
  readonly outcome?: Outcome;
  /** An error's class or code. */
  readonly error_type?: string;
  /** Counts, sizes and durations of your own by name; the name says the unit. */
  readonly numbers?: Readonly<Record<string, number | boolean>>;
}

const CODE_FIELDS: ReadonlySet<string> = new Set(['policy', 'retry_reason', 'error_type', 'token_bucket']);
const MAX_NUMBERS = 32;
const NUMBER_NAME = /^[a-z][a-z0-9_.]{0,47}$/;

/**
 * Refuses what slipped by the types: fields that the contract doesn't have, texts where it wants codes. What is refused
 * is left out and counted by rule; the event goes on without it.
 */
export function checkFields(
  fields: EventFields,
  tally: Tally,
  judge: LabelJudge,
): Record<string, string | number | boolean> {
  const checked: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(fields as Record<string, unknown>)) {
    if (value === undefined || value === null || name === 'level' || isLabel(name)) continue;
    if (name === 'numbers') Object.assign(checked, checkNumbers(value, tally));
    else if (name === 'response_tokens') {
      if (typeof value === 'number' && value >= 0) checked[name] = value;
      else tally.refuse('not_a_number');
    } else if (name === 'outcome') {
      if ((OUTCOMES as readonly unknown[]).includes(value)) checked[name] = value as string;
      else tally.refuse('not_a_code');
    } else if (name === 'prompt_class') {
      const promptClass = judge.judge('prompt_class', value);
      if (promptClass !== undefined) checked[name] = promptClass;
    } else if (CODE_FIELDS.has(name)) {
      const refusal = refusalOfCode(value);
      if (refusal) tally.refuse(refusal);
      else checked[name] = value as string;
    } else tally.refuse('unknown_field');
  }
  return checked;
}

const LABEL_NAMES: ReadonlySet<string> = new Set([
  'model_version',
  'deployment',
  'customer_tier',
  'gpu_type',
  'region',
  'adapter',
  'environment',
]);

function isLabel(name: string): boolean {
  return LABEL_NAMES.has(name);
}

function checkNumbers(value: unknown, tally: Tally): Record<string, number | boolean> {
  const numbers: Record<string, number | boolean> = {};
  if (typeof value !== 'object' || value === null) {
    tally.refuse('not_a_number');
    return numbers;
  }
  let kept = 0;
  for (const [name, number] of Object.entries(value)) {
    const isNumber = typeof number === 'boolean' || (typeof number === 'number' && Number.isFinite(number));
    if (!isNumber) tally.refuse('not_a_number');
    else if (!NUMBER_NAME.test(name) || kept >= MAX_NUMBERS) tally.refuse('unknown_field');
    else {
      numbers[name] = number as number | boolean;
      kept++;
    }
  }
  return numbers;
}

/** Lets so many events a second through, and twice as many at once; what comes faster is dropped and counted. */
export class EventGate {
  readonly #perSecond: number;
  readonly #tally: Tally;
  #tokens: number;
  #lastMs = 0;

  constructor(perSecond: number, tally: Tally) {
    this.#perSecond = perSecond;
    this.#tally = tally;
    this.#tokens = 2 * perSecond;
  }

  passes(nowMs: number): boolean {
    const refilled = this.#tokens + (Math.max(0, nowMs - this.#lastMs) / 1000) * this.#perSecond;
    this.#tokens = Math.min(2 * this.#perSecond, refilled);
    this.#lastMs = nowMs;
    if (this.#tokens < 1) {
      this.#tally.drop('event_rate');
      return false;
    }
    this.#tokens--;
    return true;
  }
}

/** An event whose fields have been checked. */
export interface CheckedEvent {
  readonly event: string;
  readonly level: EventLevel;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
  readonly labels: LabelSet;
  readonly context: Context;
  /** Milliseconds since the epoch; left out for now. */
  readonly timeMs?: number;
}

/** Writes an event as one line of JSON, with its labels as attributes and with its span. */
export function writeEvent(sink: LogSink, { event, level, fields, labels, context, timeMs }: CheckedEvent): void {
  const span = trace.getSpanContext(context);
  const ids = span && isSpanContextValid(span) ? `,"trace_id":"${span.traceId}","span_id":"${span.spanId}"` : '';
  const json = JSON.stringify(fields).slice(1, -1);
  const comma = json === '' ? '' : ',';
  sink.emit({
    timestamp: timeMs,
    observedTimestamp: timeMs,
    severityNumber: SEVERITY[level],
    severityText: level.toUpperCase(),
    // Level and event are codes, so they need no escapes.
    body: `{"level":"${level}","event":"${event}"${comma}${json}${labels.json}${ids}}`,
    attributes: labels.attributes,
    context,
  });
}
