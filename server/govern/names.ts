import { BarographError } from '../model/index.ts';
import type { LabelPolicy, Policy } from './policy.ts';
import { isUnfitName } from './sniff.ts';

/** What the policy says of a label's or attribute's name. */
export type NameVerdict =
  | { readonly kind: 'taxonomy'; readonly policy: LabelPolicy }
  | { readonly kind: 'never'; readonly rule: string }
  | { readonly kind: 'content' }
  /** The name itself is an identifier, a sentence or too long. */
  | { readonly kind: 'unfit' }
  | { readonly kind: 'other' };

const MAX_CACHED_NAMES = 20_000;
const PLAIN_NAME = /^[A-Za-z_][\w.:/-]{0,63}$/;
const SEPARATORS = /[._-]+/g;

/** Judges names and remembers what it found for the last 20,000 of them. */
export class NameJudge {
  private verdicts = new Map<string, NameVerdict>();
  private readonly labels: Readonly<Record<string, LabelPolicy>>;
  private readonly never: { rule: string; expression: RegExp }[];
  private readonly contentNames: Set<string>;
  private readonly contentPrefixes: string[];
  private readonly contentPatterns: RegExp[];
  /** The same for names in the form of `dotted`. */
  private readonly dottedPatterns: RegExp[];
  private readonly nameBytes: number;

  constructor(policy: Policy) {
    this.labels = policy.labels;
    this.never = policy.never.map(({ rule, pattern }) => ({ rule, expression: wholeName(rule, pattern) }));
    // A name is also known in the form that OTLP's translation to Prometheus gives it, with underscores.
    this.contentNames = new Set(policy.content.exact.map(dotted));
    this.contentPrefixes = policy.content.prefixes.map(dotted);
    this.contentPatterns = policy.content.patterns.map((pattern) => wholeName('content', pattern));
    this.dottedPatterns = policy.content.patterns.map((pattern) => wholeName('content', dottedPattern(pattern)));
    this.nameBytes = policy.limits.nameBytes;
  }

  /** The verdict on a name, for every signal. */
  judge(name: string): NameVerdict {
    const known = this.verdicts.get(name);
    if (known) return known;
    const verdict = this.judgeAfresh(name);
    if (this.verdicts.size >= MAX_CACHED_NAMES) this.verdicts = new Map();
    if (name.length <= 256) this.verdicts.set(name, verdict);
    return verdict;
  }

  /** Whether a name may be shown in counters: short, of plain characters, no identifier and no sentence. */
  isPlain(name: string): boolean {
    if (Object.hasOwn(this.labels, name)) return true;
    return PLAIN_NAME.test(name) && !isUnfitName(name);
  }

  private judgeAfresh(name: string): NameVerdict {
    if (Object.hasOwn(this.labels, name)) return { kind: 'taxonomy', policy: this.labels[name] };
    if (name.length > this.nameBytes) return { kind: 'unfit' };
    if (this.isContent(name)) return { kind: 'content' };
    for (const { rule, expression } of this.never) if (expression.test(name)) return { kind: 'never', rule };
    if (name.length > 128 || isUnfitName(name)) return { kind: 'unfit' };
    return { kind: 'other' };
  }

  private isContent(name: string): boolean {
    const form = dotted(name);
    if (this.contentNames.has(form)) return true;
    if (this.contentPrefixes.some((prefix) => form.startsWith(prefix))) return true;
    if (this.contentPatterns.some((pattern) => pattern.test(name))) return true;
    return this.dottedPatterns.some((pattern) => pattern.test(form));
  }
}

/** The name in lower case with dots, so that gen_ai_input_messages is gen_ai.input.messages. */
function dotted(name: string): string {
  return name.toLowerCase().replace(SEPARATORS, '.');
}

/** The pattern for names in the form of `dotted`; what stands in brackets is left as it is, since no name needs it. */
function dottedPattern(pattern: string): string {
  return pattern.replace(/_(?![^[]*\])/g, '\\.');
}

/**
 * The policy's patterns are RE2; those that JavaScript reads otherwise or not at all are refused rather than guessed at.
 * JavaScript's own engine is used because names are short and judged once.
 */
function wholeName(rule: string, pattern: string): RegExp {
  try {
    if (/\(\?[P<!=]|\\[pPzAQE]|\[\[:/.test(pattern)) throw new Error('syntax that is not common to RE2 and JavaScript');
    return new RegExp(`^(?:${pattern})$`, 'i');
  } catch (cause) {
    throw new BarographError({
      code: 'bad_policy_pattern',
      status: 400,
      where: `policy rule ${rule}`,
      got: 'a pattern that does not compile',
      accepted: 'RE2 syntax without named groups and classes in brackets',
      fix: 'rewrite the pattern',
      cause,
    });
  }
}
