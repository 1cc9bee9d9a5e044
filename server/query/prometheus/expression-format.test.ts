import { describe, expect, it } from 'vitest';
import { parsePromql } from '../promql/index.ts';
import { formatQuery } from './expression-format.ts';
import { expressionTree } from './expression-json.ts';

const LONG = 'rate(a_metric_with_a_name_that_is_long_enough_to_break_lines_total{job="a",instance=~"b|c"}[5m])';

const SORTED = LONG.replace('job="a",instance=~"b|c"', 'instance=~"b|c",job="a"');

describe('formatQuery', () => {
  it('breaks what is longer than a line, level by level', () => {
    expect(formatQuery(`topk(10,sum by(job)(${LONG}))/ on (job) group_left() sum(${LONG})`)).toBe(
      [
        '  topk(',
        '    10,',
        '    sum by (job) (',
        `      ${SORTED}`,
        '    )',
        '  )',
        '/ on (job) group_left ()',
        '  sum(',
        `    ${SORTED}`,
        '  )',
      ].join('\n'),
    );
  });

  it.each([
    'up',
    `-(${LONG} + ${LONG})`,
    `max_over_time((${LONG} > bool 0.5)[1h:5m] offset 1d)`,
    `quantile without (job) (0.9, ${LONG} * ignoring (job) ${LONG})`,
    `label_replace(${LONG}, "dst", "$1", "src", "(.*)") or ${LONG} unless on () vector(1)`,
  ])('gives an expression that means the same and formats as itself: %s', (query) => {
    const formatted = formatQuery(query);
    expect(formatQuery(formatted)).toBe(formatted);
    expect(stripPlaces(expressionTree(formatted))).toEqual(stripPlaces(expressionTree(query)));
  });
});

/** A tree whose matchers are in one order. */
function stripPlaces(tree: unknown): unknown {
  if (Array.isArray(tree))
    return tree.map(stripPlaces).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof tree !== 'object' || tree === null) return tree;
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, stripPlaces(value)]));
}

describe('expressionTree', () => {
  it('shows extended ranges and values that fill gaps', () => {
    expect(expressionTree('rate(a[5m] smoothed)')).toMatchObject({ args: [{ smoothed: true, anchored: false }] });
    expect(expressionTree('a + on (x) fill (0) b')).toMatchObject({ matching: { fillValues: { lhs: 0, rhs: 0 } } });
    expect(() => parsePromql('rate(a[step()])')).not.toThrow();
    expect(expressionTree('rate(a[step()])')).toMatchObject({ args: [{ range: 0 }] });
  });
});
