import { BarographError, type Matcher, matchesEmpty } from '../../model/index.ts';
import { parseSelector } from '../promql/index.ts';

/** Selectors of one request; dashboards and federation send a handful. */
const MAX_SELECTORS = 1000;

/**
 * The matchers of each `match[]`. Selectors that every series satisfies are refused, as in Prometheus, because they are
 * mostly a variable that turned out empty.
 * @throws BarographError `promql_parse`, `bad_regex`, both of status 400.
 */
export function matcherSets(match: readonly string[]): Matcher[][] {
  if (match.length > MAX_SELECTORS) {
    throw new BarographError({
      code: 'bad_parameter',
      status: 400,
      where: 'parameter match[]',
      got: `${match.length} selectors`,
      accepted: `at most ${MAX_SELECTORS}`,
    });
  }
  const sets = match.map(selectorOf);
  if (sets.some((set) => set.every(matchesEmpty))) throw onlyEmpty();
  return sets;
}

function selectorOf(text: string): Matcher[] {
  try {
    return parseSelector(text);
  } catch (error) {
    // An expression that isn't a selector is wrong as it is written; it is no query that failed.
    if (!(error instanceof BarographError)) throw error;
    if (error.message.endsWith('must contain at least one non-empty matcher')) throw onlyEmpty();
    if (error.status !== 422) throw error;
    throw new BarographError({ code: 'promql_parse', status: 400, where: error.message, cause: error });
  }
}

function onlyEmpty(): BarographError {
  return new BarographError({
    code: 'promql_parse',
    status: 400,
    where: 'match[] must contain at least one non-empty matcher',
  });
}
