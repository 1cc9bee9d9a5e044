/** A pattern's parts: literals, and captures between them (`''` names the capture `<_>`). */
export type PatternPart = { readonly literal: string } | { readonly capture: string };

const CAPTURE = /<([a-zA-Z_][a-zA-Z0-9_]*)>/g;

/** Splits `<ip> - <_> "<method>"` into parts; returns the problem as a string where two captures touch. */
export function parsePattern(pattern: string): PatternPart[] | string {
  const parts: PatternPart[] = [];
  let at = 0;
  for (const match of pattern.matchAll(CAPTURE)) {
    if (match.index > at) parts.push({ literal: pattern.slice(at, match.index) });
    else if (parts.length > 0) return 'found consecutive capture';
    parts.push({ capture: match[1] === '_' ? '' : match[1] });
    at = match.index + match[0].length;
  }
  if (at < pattern.length) parts.push({ literal: pattern.slice(at) });
  return parts;
}

/**
 * Calls `capture` with what each named capture holds. A capture goes up to the first occurrence of the literal behind
 * it; where that is missing it takes the rest, and the captures after it nothing. A line that doesn't start with the
 * pattern's first literal has no captures.
 */
export function matchPattern(
  parts: readonly PatternPart[],
  line: string,
  capture: (name: string, value: string) => void,
): void {
  let at = 0;
  let part = 0;
  const first = parts[0];
  if ('literal' in first) {
    if (!line.startsWith(first.literal)) return;
    at = first.literal.length;
    part = 1;
  }
  for (; part < parts.length; part += 2) {
    const { capture: name } = parts[part] as { capture: string };
    const next = parts[part + 1] as { literal: string } | undefined;
    const end = next === undefined ? -1 : line.indexOf(next.literal, at);
    if (name !== '') capture(name, end < 0 ? line.slice(at) : line.slice(at, end));
    if (end < 0) return;
    at = end + next!.literal.length;
  }
}

/** Whether a pattern covers the whole line, every capture holding at least one character. */
export function testPattern(parts: readonly PatternPart[], line: string): boolean {
  if (parts.length === 0 || line === '') return parts.length === 0 && line === '';
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i];
    if (!('literal' in part)) continue;
    const found = i === 0 ? (line.startsWith(part.literal) ? 0 : -1) : line.indexOf(part.literal, at);
    if (found < 0 || (i > 0 && found === at)) return false;
    at = found + part.literal.length;
  }
  const endsInCapture = 'capture' in parts[parts.length - 1];
  return endsInCapture === at < line.length;
}
