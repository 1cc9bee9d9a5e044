import type { Attributes } from '@opentelemetry/api';
import { GapCounts } from './gap-counts.ts';
import { OUTCOMES, type Outcome, TOKEN_TYPES, type TokenType } from './generated/conventions.ts';
import { COMMON_LABELS, type LabelJudge, type Labels, OTHER } from './labels.ts';
import type { Tally } from './tally.ts';

/**
 * Sets of label values at most; what comes after shares one set whose values are `other`. OpenTelemetry's SDK keeps 2,000
 * points of an instrument and loses counts beyond them, so sets times their points (tokens have 8) must stay below.
 */
const MAX_LABEL_SETS = 240;
/** Reasons, and policies, that one set tells apart. */
const MAX_CODES = 8;

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
  /** Gaps between tokens; absent until there was one. */
  gaps: GapCounts | undefined;
  readonly #derived = new Map<string, Attributes>();

  constructor(attributes: Attributes) {
    this.attributes = Object.freeze(attributes);
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
    let key = '';
    const values: (string | undefined)[] = [];
    for (const label of COMMON_LABELS) {
      const given = request[label] ?? (label === 'model_version' ? (modelVersion ?? fixed[label]) : fixed[label]);
      const value = this.#judge.judge(label, given);
      values.push(value);
      key += `${value ?? ''}\u0000`;
    }
    const known = this.#byKey.get(key);
    if (known) return known;
    if (this.#byKey.size >= MAX_LABEL_SETS) {
      this.#tally.refuse('label_sets_full');
      this.#overflow ??= new LabelSet(Object.fromEntries(COMMON_LABELS.slice(0, 5).map((label) => [label, OTHER])));
      return this.#overflow;
    }
    const attributes: Attributes = {};
    for (const [i, label] of COMMON_LABELS.entries()) if (values[i] !== undefined) attributes[label] = values[i];
    const set = new LabelSet(attributes);
    this.#byKey.set(key, set);
    return set;
  }

  *[Symbol.iterator](): IterableIterator<LabelSet> {
    yield* this.#byKey.values();
    if (this.#overflow) yield this.#overflow;
  }
}
