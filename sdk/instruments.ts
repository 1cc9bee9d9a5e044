import {
  type Attributes,
  type Histogram,
  type Meter,
  type MeterProvider,
  metrics,
  type ObservableResult,
} from '@opentelemetry/api';
import { METRICS, type MetricName, OUTCOMES, TOKEN_TYPES } from './generated/conventions.ts';
import type { LabelSet, LabelSets } from './label-sets.ts';
import type { Tally } from './tally.ts';

/** The name of the SDK's tracer, meter and logger. */
export const SCOPE_NAME = '@barograph/sdk';

type HistogramName =
  | 'inference_ttft_seconds'
  | 'inference_time_per_output_token_seconds'
  | 'inference_tokens_per_second'
  | 'inference_total_latency_seconds'
  | 'inference_token_count'
  | 'inference_confidence'
  | 'inference_quality_score';

/** Histograms of which OpenTelemetry keeps the buckets; the gaps between tokens have a producer of their own. */
const HISTOGRAMS: readonly HistogramName[] = [
  'inference_ttft_seconds',
  'inference_time_per_output_token_seconds',
  'inference_tokens_per_second',
  'inference_total_latency_seconds',
  'inference_token_count',
  'inference_confidence',
  'inference_quality_score',
];

/** The contract's instruments of one meter provider. */
export type Instruments = Readonly<Record<HistogramName, Histogram>>;

type Observe = (value: number, attributes: Attributes) => void;

/**
 * Makes the contract's instruments, and makes them anew when another meter provider becomes the global one: metrics have
 * no proxies in OpenTelemetry's API, so what was made before a program's SDK was set up would stay silent for ever.
 */
export class InstrumentSource {
  readonly #given: MeterProvider | undefined;
  readonly #sets: LabelSets;
  readonly #tally: Tally;
  #provider: MeterProvider | undefined;
  #instruments: Instruments | undefined;
  #stopObserving: (() => void)[] = [];

  constructor(given: MeterProvider | undefined, sets: LabelSets, tally: Tally) {
    this.#given = given;
    this.#sets = sets;
    this.#tally = tally;
  }

  /** The instruments of the meter provider that is in force now. */
  current(): Instruments {
    const provider = this.#given ?? metrics.getMeterProvider();
    if (provider !== this.#provider || !this.#instruments) {
      this.close();
      this.#provider = provider;
      const meter = provider.getMeter(SCOPE_NAME);
      this.#instruments = createHistograms(meter);
      this.#observeCounters(meter);
    }
    return this.#instruments;
  }

  /** Stops being observed; what was counted stays. */
  close(): void {
    for (const stop of this.#stopObserving) stop();
    this.#stopObserving = [];
    this.#instruments = undefined;
  }

  #observeCounters(meter: Meter): void {
    const ofSets = (name: MetricName, read: (set: LabelSet, observe: Observe) => void): void => {
      const { unit, help } = METRICS[name];
      this.#observe(meter, name, { unit, description: help }, (observe) => {
        for (const set of this.#sets) read(set, observe);
      });
    };
    ofSets('inference_requests_total', (set, observe) => {
      for (const [i, outcome] of OUTCOMES.entries())
        if (set.requests[i] > 0)
          observe(
            set.requests[i],
            set.with(`outcome ${outcome}`, () => ({ outcome })),
          );
    });
    ofSets('inference_tokens_total', (set, observe) => {
      for (const [i, token_type] of TOKEN_TYPES.entries()) {
        const estimated = set.tokens[i + TOKEN_TYPES.length];
        if (set.tokens[i] > 0) observe(set.tokens[i], tokenAttributes(set, token_type, false));
        if (estimated > 0) observe(estimated, tokenAttributes(set, token_type, true));
      }
    });
    ofSets('inference_retries_total', (set, observe) => {
      for (const [reason, value] of set.retries)
        observe(
          value,
          set.with(`reason ${reason}`, () => ({ reason })),
        );
    });
    ofSets('inference_guardrail_triggers_total', (set, observe) => {
      for (const [policy, value] of set.guardrails)
        observe(
          value,
          set.with(`policy ${policy}`, () => ({ policy })),
        );
    });
    ofSets('inference_cost_dollars_total', (set, observe) => {
      if (set.costDollars > 0) observe(set.costDollars, set.attributes);
    });
    const refused = {
      unit: '{value}',
      description: 'Values that the SDK refused, by rule; never the values themselves.',
    };
    this.#observe(meter, 'barograph_sdk_refused_total', refused, (observe) => {
      for (const [rule, value] of this.#tally.refused) observe(value, { reason: rule });
    });
    const dropped = { unit: '{item}', description: 'Telemetry that the SDK dropped, by reason.' };
    this.#observe(meter, 'barograph_sdk_dropped_total', dropped, (observe) => {
      for (const [reason, value] of this.#tally.dropped) observe(value, { reason });
    });
  }

  #observe(
    meter: Meter,
    name: string,
    options: { unit: string; description: string },
    read: (observe: Observe) => void,
  ): void {
    const counter = meter.createObservableCounter(name, options);
    const callback = (result: ObservableResult): void => read((value, attributes) => result.observe(value, attributes));
    counter.addCallback(callback);
    this.#stopObserving.push(() => counter.removeCallback(callback));
  }
}

/** The labels of a count of tokens. */
export function tokenAttributes(set: LabelSet, token_type: string, estimated: boolean): Attributes {
  return estimated
    ? set.with(`estimated ${token_type}`, () => ({ token_type, estimated: 'true' }))
    : set.with(`token_type ${token_type}`, () => ({ token_type }));
}

function createHistograms(meter: Meter): Instruments {
  const entries = HISTOGRAMS.map((name) => {
    const { unit, help, buckets } = METRICS[name];
    const advice = { explicitBucketBoundaries: [...buckets!] };
    return [name, meter.createHistogram(name, { unit, description: help, advice })] as const;
  });
  return Object.fromEntries(entries) as Record<HistogramName, Histogram>;
}
