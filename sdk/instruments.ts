import {
  type Attributes,
  type Context,
  type Histogram,
  type Meter,
  type MeterProvider,
  metrics,
  type ObservableResult,
} from '@opentelemetry/api';
import { METRICS, type MetricName, OUTCOMES, TOKEN_TYPES } from './generated/conventions.ts';
import type { LabelSet, LabelSets } from './label-sets.ts';
import { type BoundHistogram, createOwnHistogram } from './own-histogram.ts';
import type { Tally } from './tally.ts';

/** The name of the SDK's tracer, meter and logger. */
export const SCOPE_NAME = '@barograph/sdk';

/** Histograms beside the gaps between tokens, which are counted token by token and never recorded. */
export type HistogramName =
  | 'inference_ttft_seconds'
  | 'inference_time_per_output_token_seconds'
  | 'inference_tokens_per_second'
  | 'inference_total_latency_seconds'
  | 'inference_token_count'
  | 'inference_confidence'
  | 'inference_quality_score';

/** A series of a histogram that OpenTelemetry keeps. */
class ApiHistogram implements BoundHistogram {
  readonly #histogram: Histogram;
  readonly #attributes: Attributes;

  constructor(histogram: Histogram, attributes: Attributes) {
    this.#histogram = histogram;
    this.#attributes = attributes;
  }

  record(value: number, context: Context): void {
    this.#histogram.record(value, this.#attributes, context);
  }
}

type Observe = (value: number, attributes: Attributes) => void;

/**
 * Makes the contract's instruments, and makes them anew when another meter provider becomes the global one: metrics have
 * no proxies in OpenTelemetry's API, so what was made before a program's SDK was set up would stay silent for ever.
 *
 * Histograms are OpenTelemetry's, or the SDK's own where something collects those; they can't be both, as their series
 * would be the same ones.
 */
export class InstrumentSource {
  readonly #given: MeterProvider | undefined;
  readonly #sets: LabelSets;
  readonly #tally: Tally;
  readonly #histograms = new Map<HistogramName, Histogram>();
  #provider: MeterProvider | undefined;
  #meter: Meter | undefined;
  #stopObserving: (() => void)[] = [];
  #keeps: 'own' | 'api' = 'api';
  #hasBound = false;

  constructor(given: MeterProvider | undefined, sets: LabelSets, tally: Tally) {
    this.#given = given;
    this.#sets = sets;
    this.#tally = tally;
  }

  /** Keeps histograms itself from now on; too late once OpenTelemetry has any. */
  keepHistograms(): void {
    if (!this.#hasBound) this.#keeps = 'own';
  }

  /** Follows the meter provider that is in force; to be called before anything is recorded. */
  refresh(): void {
    const provider = this.#given ?? metrics.getMeterProvider();
    if (provider === this.#provider) return;
    this.close();
    this.#provider = provider;
    this.#meter = provider.getMeter(SCOPE_NAME);
    this.#observeCounters(this.#meter);
  }

  /** The series of a histogram; it lasts until the meter provider changes, and the sets of labels forget it then. */
  bind(name: HistogramName, attributes: Attributes): BoundHistogram {
    this.#hasBound = true;
    if (this.#keeps === 'own') return createOwnHistogram(name, attributes);
    let histogram = this.#histograms.get(name);
    if (!histogram) {
      const { unit, help, buckets } = METRICS[name];
      const advice = { explicitBucketBoundaries: [...buckets!] };
      histogram = this.#meter!.createHistogram(name, { unit, description: help, advice });
      this.#histograms.set(name, histogram);
    }
    return new ApiHistogram(histogram, attributes);
  }

  /** Stops being observed; what was counted stays. */
  close(): void {
    for (const stop of this.#stopObserving) stop();
    this.#stopObserving = [];
    this.#provider = undefined;
    this.#histograms.clear();
    if (this.#keeps === 'api') for (const set of this.#sets) set.forgetBound();
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
