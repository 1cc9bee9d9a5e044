import { BarographError, createMatcher, type Matcher, type MatchOp } from '../model/index.ts';

const NAME = /^\s*("(?:[^"\\]|\\.)*"|[^{}!=~,"'`\\\s]+)\s*(=~|!~|!=|=)\s*/;
const VALUE = /^("(?:[^"\\]|\\.)*"|[^{}!=~,"'`\\\s]*)\s*/;

/**
 * Reads one matcher as Alertmanager writes it: `severity="page"`, `severity=page`, `"my label" =~ "a|b"`.
 * @throws BarographError `bad_notify_config` naming `where`, `bad_regex`.
 */
export function parseMatcher(text: string, where: string): Matcher {
  const matchers = parseMatchers(text, where);
  const [matcher] = matchers;
  if (matcher === undefined || matchers.length > 1) throw badMatcher(where);
  return matcher;
}

/**
 * Reads matchers with commas between them, in braces or without; an empty text is no matcher at all.
 * @throws BarographError `bad_notify_config` naming `where`, `bad_regex`.
 */
export function parseMatchers(text: string, where: string): Matcher[] {
  let rest = text.trim();
  if (rest.startsWith('{') !== rest.endsWith('}')) throw badMatcher(where);
  if (rest.startsWith('{')) rest = rest.slice(1, -1).trim();
  const matchers: Matcher[] = [];
  while (rest !== '') {
    const name = NAME.exec(rest);
    if (name === null) throw badMatcher(where);
    rest = rest.slice(name[0].length);
    const value = VALUE.exec(rest);
    if (value === null) throw badMatcher(where);
    rest = rest.slice(value[0].length);
    matchers.push(createMatcher(unquote(name[1] ?? '', where), name[2] as MatchOp, unquote(value[1] ?? '', where)));
    if (rest === '') break;
    if (!rest.startsWith(',')) throw badMatcher(where);
    rest = rest.slice(1).trim();
  }
  return matchers;
}

/** Alertmanager knows three escapes within quotes; any other would be read differently by the two programs. */
function unquote(text: string, where: string): string {
  if (!text.startsWith('"')) return text;
  return text.slice(1, -1).replaceAll(/\\(.)/gs, (_whole, escaped: string) => {
    if (escaped === 'n') return '\n';
    if (escaped === '"' || escaped === '\\') return escaped;
    throw badMatcher(where);
  });
}

function badMatcher(where: string): BarographError {
  return new BarographError({
    code: 'bad_notify_config',
    status: 400,
    where,
    got: 'something that is no matcher',
    accepted: 'name="value" with =, !=, =~ or !~, and \\n, \\" and \\\\ as the escapes within quotes',
  });
}
