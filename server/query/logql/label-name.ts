const PLAIN = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const DIGIT = /^[0-9]/;
const OTHER = /[^a-zA-Z0-9_]/gu;

/**
 * A key of a log line as a label name: what isn't a letter, digit or `_` becomes `_`. A `top` key that starts with a
 * digit gets a leading `_`; one inside an object doesn't need it, its parents come before it. A blank key gives `''`.
 */
export function labelNameOf(key: string, top: boolean): string {
  if (PLAIN.test(key)) return key;
  const trimmed = key.trim();
  const name = trimmed.replace(OTHER, '_');
  return top && DIGIT.test(name) ? `_${name}` : name;
}

/**
 * The labels that something after a parser looks at, or `all` of them. Parsers leave out what nobody wants; a wish for
 * `x_extracted` is a wish for `x`, which gets that name where the line already has an `x`.
 */
export class WantedLabels {
  readonly all: boolean;
  private readonly names: ReadonlySet<string>;
  private readonly prefixes = new Map<string, boolean>();

  constructor(names: ReadonlySet<string> | 'all') {
    this.all = names === 'all';
    const wanted = new Set<string>();
    if (names !== 'all') {
      for (const name of names) {
        wanted.add(name);
        if (name.endsWith('_extracted')) wanted.add(name.slice(0, -'_extracted'.length));
      }
    }
    this.names = wanted;
  }

  /** Whether nobody looks at any label, so that lines needn't be parsed at all. */
  get none(): boolean {
    return !this.all && this.names.size === 0;
  }

  has(name: string): boolean {
    return this.all || this.names.has(name);
  }

  /** Whether a label may be wanted whose name starts with `prefix` and `_`. */
  hasUnder(prefix: string): boolean {
    if (this.all) return true;
    let known = this.prefixes.get(prefix);
    if (known === undefined) {
      // Log lines bring the prefixes, so the memory of answers is bounded.
      if (this.prefixes.size > 1000) this.prefixes.clear();
      known = [...this.names].some((name) => name.startsWith(`${prefix}_`));
      this.prefixes.set(prefix, known);
    }
    return known;
  }
}

/** Every label is wanted. */
export const ALL_LABELS = new WantedLabels('all');
