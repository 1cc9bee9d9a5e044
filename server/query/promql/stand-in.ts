/**
 * Where the grammar of `@prometheus-io/lezer-promql` is behind Prometheus's own: text that Prometheus accepts is replaced
 * by text of equal length and shape that the grammar accepts. Positions stay true, and names and numbers are read from
 * the original text.
 *
 * - `min_of(…)` and `max_of(…)` outside of durations: the grammar knows them as durations only; `minute` has as many
 *   letters and is a function.
 * - `STEP()` and its kin in durations: Prometheus reads keywords in any case.
 * - `2.`: the grammar wants a digit after the point.
 */
export function standIn(query: string): string {
  if (!/m(?:in|ax)_of|step|range|\d\.(?!\d)/i.test(query)) return query;
  let out = '';
  let brackets = 0;
  for (const [token] of query.matchAll(TOKEN)) {
    if (token === '[') brackets++;
    else if (token === ']') brackets--;
    const isDuration = brackets > 0 || /\boffset[\s(+-]*$/i.test(out);
    if (isDuration && /^(?:step|range|m(?:in|ax)_of)$/i.test(token)) out += token.toLowerCase();
    else if (/^m(?:in|ax)_of$/.test(token)) out += 'minute';
    else if (/^\d+\.$/.test(token)) out += `0${token.slice(0, -1)}`;
    else out += token;
  }
  return out;
}

/** Strings, comments, words, numbers with a bare point, and single characters; together they cover any text. */
const TOKEN =
  /"(?:[^"\\]|\\[\s\S])*"?|'(?:[^'\\]|\\[\s\S])*'?|`[^`]*`?|#[^\n]*|[A-Za-z_:][\w:]*|\d+\.(?!\d)|[\d.]+|[\s\S]/g;
