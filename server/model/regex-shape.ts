/**
 * What can be seen of a regular expression without running it: that it is an alternation of texts with gaps
 * (`prod-.*|.*-canary`, `api-(1|2)`, `.+`), which are then matched as such, and with what every match begins.
 * The expression is anchored at both ends, and `.` matches every character, as in Prometheus.
 */
export interface RegexShape {
  /** The alternatives, where all of them are texts with gaps; else `undefined`. */
  readonly globs: readonly Glob[] | undefined;
  /** What every match begins with; often empty. */
  readonly prefix: string;
}

/** Texts with gaps between them: `a.*b` is `['a', 'b']` with the gap 0. A gap is how many characters it has at least, 0 or 1. */
export interface Glob {
  /** One more than gaps; the first and last stand at the ends and may be empty. */
  readonly texts: readonly string[];
  readonly gaps: readonly number[];
}

/** Alternatives that a group may multiply to; longer ones are left to the regex machine. */
const MAX_GLOBS = 256;

/** Looks at an expression in RE2 syntax, whether or not it is valid. */
export function shapeOfRegex(pattern: string): RegexShape {
  const globs = new GlobReader(pattern).alternation();
  if (!globs) return { globs: undefined, prefix: literalPrefix(pattern) };
  let prefix = globs[0].texts[0];
  for (const { texts } of globs) {
    let shared = 0;
    while (shared < prefix.length && prefix[shared] === texts[0][shared]) shared++;
    prefix = prefix.slice(0, shared);
  }
  return { globs, prefix };
}

/** The only texts that can match, where no alternative has a gap. */
export function literalsOf(globs: readonly Glob[]): string[] | undefined {
  return globs.every(({ gaps }) => gaps.length === 0) ? globs.map(({ texts }) => texts[0]) : undefined;
}

/** Whether a whole text is one of the alternatives. */
export function matchesGlob({ texts, gaps }: Glob, value: string): boolean {
  const last = texts.length - 1;
  const [head, tail] = [texts[0], texts[last]];
  if (last === 0) return value === head;
  if (!value.startsWith(head) || !value.endsWith(tail)) return false;
  // Gaps only have a least length, so that the first place of each text leaves the most room for the next.
  let at = head.length;
  for (let i = 1; i < last; i++) {
    const found = value.indexOf(texts[i], at + gaps[i - 1]);
    if (found < 0) return false;
    at = found + texts[i].length;
  }
  return at + gaps[last - 1] <= value.length - tail.length;
}

/** A glob while it is read. */
interface OpenGlob {
  readonly texts: string[];
  readonly gaps: number[];
}

class GlobReader {
  private readonly pattern: string;
  private at = 0;

  constructor(pattern: string) {
    this.pattern = pattern;
  }

  /** The whole expression; `undefined` where it holds anything else. */
  alternation(): Glob[] | undefined {
    const out: Glob[] = [];
    for (;;) {
      const globs = this.sequence(0);
      if (!globs) return undefined;
      out.push(...globs);
      // Two characters may be one to four units of UTF-16; more than one is left to the regex machine.
      if (out.length > MAX_GLOBS || globs.some(({ gaps }) => gaps.some((gap) => gap > 1))) return undefined;
      if (this.at >= this.pattern.length) return out;
      if (this.pattern[this.at] !== '|') return undefined;
      this.at++;
    }
  }

  /** Up to `|`, `)` or the end. */
  private sequence(depth: number): OpenGlob[] | undefined {
    let open: OpenGlob[] = [{ texts: [''], gaps: [] }];
    while (this.at < this.pattern.length) {
      const char = this.pattern[this.at];
      if (char === '|' || char === ')') break;
      if (char === '(') {
        const group = this.group(depth);
        if (!group || open.length * group.length > MAX_GLOBS) return undefined;
        open = open.flatMap((before) => group.map((after) => joined(before, after)));
      } else if (char === '.') {
        const gap = this.gap();
        if (gap === undefined) return undefined;
        open = open.map((glob) => joined(glob, { texts: ['', ''], gaps: [gap] }));
      } else {
        const text = this.literal();
        if (text === undefined) return undefined;
        for (const { texts } of open) texts[texts.length - 1] += text;
      }
      if (QUANTIFIER.test(this.pattern[this.at] ?? '')) return undefined;
    }
    return open;
  }

  private group(depth: number): OpenGlob[] | undefined {
    if (depth > 4) return undefined;
    this.at++;
    if (this.pattern[this.at] === '?') {
      if (this.pattern[this.at + 1] !== ':') return undefined;
      this.at += 2;
    }
    const out: OpenGlob[] = [];
    for (;;) {
      const globs = this.sequence(depth + 1);
      if (!globs) return undefined;
      out.push(...globs);
      const end = this.pattern[this.at++];
      if (end === ')') return out.length > MAX_GLOBS ? undefined : out;
      if (end !== '|') return undefined;
    }
  }

  /** `.*` or `.+`; lazy ones match the same texts as a whole. */
  private gap(): number | undefined {
    const quantifier = this.pattern[this.at + 1];
    if (quantifier !== '*' && quantifier !== '+') return undefined;
    this.at += this.pattern[this.at + 2] === '?' ? 3 : 2;
    return quantifier === '+' ? 1 : 0;
  }

  private literal(): string | undefined {
    const code = this.pattern.codePointAt(this.at) as number;
    const char = String.fromCodePoint(code);
    if (char !== '\\') {
      if (META.test(char)) return undefined;
      this.at += char.length;
      return char;
    }
    const escaped = this.pattern[this.at + 1] ?? '';
    if (!PUNCTUATION.test(escaped)) return undefined;
    this.at += 2;
    return escaped;
  }
}

/** One glob after the other: the last text of the first grows by the first text of the second. */
function joined(before: OpenGlob, after: OpenGlob): OpenGlob {
  const texts = [...before.texts.slice(0, -1), before.texts[before.texts.length - 1] + after.texts[0]];
  const out = { texts: [...texts, ...after.texts.slice(1)], gaps: [...before.gaps, ...after.gaps] };
  return mergedGaps(out);
}

/** Two gaps with nothing between them are one. */
function mergedGaps({ texts, gaps }: OpenGlob): OpenGlob {
  for (let i = 1; i < texts.length - 1; ) {
    if (texts[i] !== '') i++;
    else {
      texts.splice(i, 1);
      gaps.splice(i - 1, 2, gaps[i - 1] + gaps[i]);
    }
  }
  return { texts, gaps };
}

const QUANTIFIER = /[*+?{]/;
const META = /[\\.+*?()[\]{}^$|]/;
/** What a backslash makes plain; before letters and digits it means something else. */
const PUNCTUATION = /[!-/:-@[-`{-~]/;

/** The plain text at the start of an expression that has no alternatives at its top level. */
function literalPrefix(pattern: string): string {
  if (hasAlternatives(pattern)) return '';
  let prefix = '';
  for (let at = 0; at < pattern.length; ) {
    let char = String.fromCodePoint(pattern.codePointAt(at) as number);
    let next = at + char.length;
    if (char === '\\') {
      char = pattern[at + 1] ?? '';
      if (!PUNCTUATION.test(char)) break;
      next = at + 2;
    } else if (META.test(char)) break;
    const quantifier = pattern[next] ?? '';
    // What may be absent or come more often doesn't belong to the prefix, or is its end.
    if (quantifier === '*' || quantifier === '?' || quantifier === '{') break;
    prefix += char;
    if (quantifier === '+') break;
    at = next;
  }
  return prefix;
}

/** Whether there may be a `|` outside of groups and classes; brackets in classes and `\Q` make it say yes. */
function hasAlternatives(pattern: string): boolean {
  if (!pattern.includes('|')) return false;
  if (/\[|\\Q/.test(pattern)) return true;
  let depth = 0;
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++;
    else if (pattern[at] === '(') depth++;
    else if (pattern[at] === ')') depth--;
    else if (pattern[at] === '|' && depth === 0) return true;
  }
  return false;
}
