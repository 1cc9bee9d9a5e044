import { refusalOfCode, refusalOfLabel } from './codes.ts';
import { ALLOWED_LABELS, type AllowedLabel, STRUCTURAL_LABELS } from './generated/conventions.ts';
import type { Tally } from './tally.ts';

/** A label that may stand on every metric of the contract. */
export type CommonLabel = AllowedLabel | 'adapter' | 'environment';

/**
 * The labels of a request, typed by the taxonomy: there is no field for anything else. Values are short names; what looks
 * like an identifier or a sentence is refused, and past a label's budget of distinct values new ones become `other`.
 */
export type Labels = { readonly [Name in CommonLabel]?: string };

/** The labels in the order in which a set of them is keyed. */
export const COMMON_LABELS: readonly CommonLabel[] = [
  'model_version',
  'deployment',
  'customer_tier',
  'gpu_type',
  'region',
  'adapter',
  'environment',
];

/** A label with values of its own that are codes: a class of prompts, a policy, a reason, an evaluation. */
export type CodeLabel = 'prompt_class' | 'policy' | 'reason' | 'evaluation';

/** What a value becomes once a label's budget of distinct values is used up. */
export const OTHER = 'other';
const DEFAULT_BUDGET = 64;
/** Codes that are remembered; beyond them each is looked at again. */
const MAX_KNOWN_CODES = 512;

/**
 * Judges values of labels by the taxonomy, once a value: what was kept is remembered, at most a label's budget of
 * distinct values, so memory is bounded and a value seen before costs one look-up.
 */
export class LabelJudge {
  readonly #tally: Tally;
  readonly #kept = new Map<CommonLabel | CodeLabel, Set<string>>();
  readonly #codes = new Set<string>();

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** Whether a text is a code; codes that come again cost one look-up. What isn't one is left to the caller to count. */
  isCode(value: unknown): value is string {
    if (this.#codes.has(value as string)) return true;
    if (refusalOfCode(value) !== undefined) return false;
    if (this.#codes.size < MAX_KNOWN_CODES) this.#codes.add(value as string);
    return true;
  }

  /** The value that the label may have: itself, `other`, or undefined where it is refused or absent. */
  judge(label: CommonLabel | CodeLabel, value: unknown): string | undefined {
    if (value === undefined || value === null || value === '') return undefined;
    let kept = this.#kept.get(label);
    if (!kept) {
      kept = new Set();
      this.#kept.set(label, kept);
    }
    if (kept.has(value as string)) return value as string;
    const refusal = isCommon(label) ? refusalOfLabel(value) : refusalOfCode(value);
    if (refusal) {
      this.#tally.refuse(refusal);
      return undefined;
    }
    if (kept.size >= budgetOf(label)) {
      this.#tally.refuse('label_budget');
      return OTHER;
    }
    kept.add(value as string);
    return value as string;
  }
}

function isCommon(label: CommonLabel | CodeLabel): label is CommonLabel {
  return (COMMON_LABELS as readonly string[]).includes(label);
}

function budgetOf(label: CommonLabel | CodeLabel): number {
  if (label === 'reason') return DEFAULT_BUDGET;
  const spec = label in ALLOWED_LABELS ? ALLOWED_LABELS[label as AllowedLabel] : undefined;
  return (spec ?? STRUCTURAL_LABELS[label as Exclude<typeof label, AllowedLabel>]).budget ?? DEFAULT_BUDGET;
}
