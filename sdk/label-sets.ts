import type { Attributes } from '@opentelemetry/api';
import { GapCounts } from './gap-counts.ts';
import { OUTCOMES, type Outcome, TOKEN_TYPES, type TokenType } from './generated/conventions.ts';
import { COMMON_LABELS, type CommonLabel, type LabelJudge, type Labels, OTHER } from './labels.ts';
import type { BoundHistogram, OwnHistogram } from './own-histogram.ts';
import type { Tally } from './tally.ts';

/**
 * Sets of label values at most; what comes after shares one set whose values are `other`. OpenTelemetry's SDK keeps 2,000
 * points of an instrument and loses counts beyond them, so sets times their points (tokens have 8) must stay below.
 */
const MAX_LABEL_SETS = 240;
/** Reasons, and policies, that one set tells apart. */
const MAX_CODES = 8;

/** The histograms that a request is recorded in. */
export interface RequestSeries {
  readonly total: BoundHistogram;
  readonly ttftReasoning: BoundHistogram;
  readonly ttftVisible: BoundHistogram;
  readonly perToken: BoundHistogram;
  readonly tokensPerSecond: BoundHistogram;
}

/**
 * The counters of one set of labels. The SDK keeps them itself and OpenTelemetry observes them when it collects: an
 * `add` sorts and prints the attributes for every call, which counters that every request touches can't afford.
 */
export class LabelSet {
  readonly attributes: Readonly<Attributes>;
  /** Requests by outcome, in the order of OUTCOMES. */
  readonly requests = new Float64Array(OUTCOMES.length);
  /** Tokens by type, in the order of TOKEN_TYPES, from usage and then estimated. */
  readonly tokens = new Float64Array(2 * TOKEN_TYPES.length);
  /** By reason and by policy, whose budgets bound them. */
  readonly retries = new Map<string, number>();
  readonly guardrails = new Map<string, number>();
  costDollars = 0;
  /** The labels as JSON without its braces, with a comma before; `''` where there are none. */
  readonly json: string;
  /** Gaps between tokens; absent until there was one. */
  gaps: GapCounts | undefined;
  readonly #derived = new Map<string, Attributes>();
  readonly #bound = new Map<string, BoundHistogram>();
  readonly #series = new Map<string, RequestSeries>();

  constructor(attributes: Attributes) {
    this.attributes = Object.freeze(attributes);
    const json = JSON.stringify(attributes).slice(1, -1);
    this.json = json === '' ? '' : `,${json}`;
  }

  /** A histogram of these labels and more, the same one for the same key. */
  bound(key: string, make: () => BoundHistogram): BoundHistogram {
    let histogram = this.#bound.get(key);
    if (!histogram) {
      histogram = make();
      this.#bound.set(key, histogram);
    }
    return histogram;
  }

  /** The series of requests that are alike in all that their labels say; one look-up for all of them. */
  series(key: string, make: () => RequestSeries): RequestSeries {
    let series = this.#series.get(key);
    if (!series) {
      series = make();
      this.#series.set(key, series);
    }
    return series;
  }

  /** Forgets histograms whose meter provider is gone. */
  forgetBound(): void {
    this.#bound.clear();
    this.#series.clear();
  }

  /** Histograms that the SDK keeps itself. */
  *ownHistograms(): IterableIterator<OwnHistogram> {
    for (const histogram of this.#bound.values()) if ('kind' in histogram) yield histogram as OwnHistogram;
  }

  /**
   * The labels with more of them, the same object for the same key, so that a request builds none. The key must say all
   * that the extra labels say, and come from closed or budgeted sets.
   */
  with(key: string, extra: () => Attributes): Attributes {
    let attributes = this.#derived.get(key);
    if (!attributes) {
      attributes = Object.freeze({ ...this.attributes, ...extra() });
      this.#derived.set(key, attributes);
    }
    return attributes;
  }

  addRequest(outcome: Outcome): void {
    this.requests[OUTCOMES.indexOf(outcome)]++;
  }

  addTokens(type: TokenType, count: number, estimated: boolean): void {
    this.tokens[TOKEN_TYPES.indexOf(type) + (estimated ? TOKEN_TYPES.length : 0)] += count;
  }

  addGaps(gaps: GapCounts): void {
    this.gaps ??= new GapCounts();
    this.gaps.merge(gaps);
  }
}

/** Adds one to a counter by code; past MAX_CODES new codes are `other`. */
export function count(counters: Map<string, number>, code: string): void {
  const key = counters.has(code) || counters.size < MAX_CODES - 1 ? code : OTHER;
  counters.set(key, (counters.get(key) ?? 0) + 1);
}

/** All sets of labels that were seen, each judged and kept once; their number is bounded. */
export class LabelSets {
  readonly #judge: LabelJudge;
  readonly #tally: Tally;
  readonly #byKey = new Map<string, LabelSet>();
  #overflow: LabelSet | undefined;

  constructor(judge: LabelJudge, tally: Tally) {
    this.#judge = judge;
    this.#tally = tally;
  }

  /** The set of these labels; those of `request` win over those of `fixed`. */
  find(fixed: Labels, request: Labels, modelVersion: string | undefined): LabelSet {
    const key = keyOf(fixed, request, modelVersion);
    return this.#byKey.get(key) ?? this.#judged(key, fixed, request, modelVersion);
  }

  #judged(key: string, fixed: Labels, request: Labels, modelVersion: string | undefined): LabelSet {
    const judged: { -readonly [Name in keyof Labels]: Labels[Name] } = {};
    for (const label of COMMON_LABELS) {
      const value = this.#judge.judge(label, givenOf(label, fixed, request, modelVersion));
      if (value !== undefined) judged[label] = value;
    }
    // Values that were refused are no part of any key, so that none is kept.
    const judgedKey = keyOf(judged, {}, undefined);
    const known = judgedKey === key ? undefined : this.#byKey.get(judgedKey);
    if (known) return known;
    if (this.#byKey.size >= MAX_LABEL_SETS) {
      this.#tally.refuse('label_sets_full');
      this.#overflow ??= new LabelSet(Object.fromEntries(COMMON_LABELS.slice(0, 5).map((label) => [label, OTHER])));
      return this.#overflow;
    }
    const set = new LabelSet({ ...judged });
    this.#byKey.set(judgedKey, set);
    return set;
  }

  *[Symbol.iterator](): IterableIterator<LabelSet> {
    yield* this.#byKey.values();
    if (this.#overflow) yield this.#overflow;
  }
}

function givenOf(
  label: CommonLabel,
  fixed: Labels,
  request: Labels,
  modelVersion: string | undefined,
): string | undefined {
  return request[label] ?? (label === 'model_version' ? (modelVersion ?? fixed[label]) : fixed[label]);
}

/** The values one after the other; written out, because a request takes this path and a loop costs a microsecond. */
function keyOf(fixed: Labels, request: Labels, modelVersion: string | undefined): string {
  const model = request.model_version ?? modelVersion ?? fixed.model_version ?? '';
  const deployment = request.deployment ?? fixed.deployment ?? '';
  const tier = request.customer_tier ?? fixed.customer_tier ?? '';
  const gpu = request.gpu_type ?? fixed.gpu_type ?? '';
  const region = request.region ?? fixed.region ?? '';
  const adapter = request.adapter ?? fixed.adapter ?? '';
  const environment = request.environment ?? fixed.environment ?? '';
  return `${model}\n${deployment}\n${tier}\n${gpu}\n${region}\n${adapter}\n${environment}`;
}
