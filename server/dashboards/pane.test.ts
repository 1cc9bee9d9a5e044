import { parser as logql } from '@grafana/lezer-logql';
import { parser as promql } from '@prometheus-io/lezer-promql';
import { describe, expect, test } from 'vitest';
import { METRICS, OUTCOMES } from '../model/generated/conventions.ts';
import { expandQuery, filterLabelsOf, unreachedFilters } from './expand.ts';
import { ERROR_OUTCOMES } from './outcomes.ts';
import { PANE } from './pane.ts';

const panels = [...PANE.rows.flatMap((row) => row.panels), PANE.lane];

test('ids are unique and can stand in a URL', () => {
  const ids = panels.map((panel) => panel.id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
});

test('metrics of the contract are spelled as the contract does', () => {
  const known = new Set(Object.keys(METRICS));
  for (const { queries } of panels) {
    for (const [name] of queries.flatMap(({ expr }) => [...expr.matchAll(/\b(?:inference|gpu)_[a-z_]+(?=\{| or)/g)])) {
      expect(known).toContain(name.replace(/_bucket$/, ''));
    }
  }
});

test('every outcome is either an error or a reasoned exception', () => {
  const exceptions = ['ok', 'refused', 'truncated', 'cancelled'];
  expect([...ERROR_OUTCOMES, ...exceptions].sort()).toEqual([...OUTCOMES].sort());
});

test('quantiles of classic buckets know where they end', () => {
  for (const { queries } of panels) {
    for (const { expr, ceiling } of queries) {
      const metric = /^histogram_quantile.*?(inference_\w+)_bucket/.exec(expr)?.[1];
      if (metric) expect(ceiling).toBe(METRICS[metric as keyof typeof METRICS].buckets?.at(-1));
    }
  }
});

test('descriptions are one sentence', () => {
  for (const panel of panels) expect(panel.description).toMatch(/^[A-Z][^.]*\.$/);
});

describe.each(panels.map((panel) => [panel.id, panel] as const))('%s', (_, panel) => {
  test.each([[{}], [{ model_version: ['a'], region: ['x', 'y'], gpu_type: ['H100'] }]])(
    'queries parse with filters %j',
    (filters) => {
      const exprs = [
        ...panel.queries.map(({ language, expr, labels = panel.labels }) => ({ language, expr, labels })),
        ...panel.links
          .filter((link) => link.kind === 'logs')
          .map(({ expr }) => ({ language: 'logql' as const, expr, labels: PANE.filterLabels })),
      ];
      for (const { language, expr, labels } of exprs) {
        const expanded = expandQuery(expr, language, {
          filters,
          labels,
          stepSeconds: 15,
          sampleIntervalSeconds: PANE.sampleIntervalSeconds,
        });
        expect(expanded).not.toMatch(/\$(filters|serving|__)/);
        expect(errorAt(language === 'promql' ? promql : logql, expanded), expanded).toBeUndefined();
      }
    },
  );

  test('filters only by labels that the pane offers', () => {
    for (const query of panel.queries) {
      for (const label of filterLabelsOf(panel, query)) expect(PANE.filterLabels).toContain(label);
    }
  });

  test.each(PANE.filterLabels)('a filter by %s is in every query, or said not to be', (label) => {
    const filters = { [label]: ['chosen'] };
    const unreached = unreachedFilters(panel, filters).flatMap(({ legends }) => legends);
    for (const query of panel.queries) {
      const expanded = expandQuery(query.expr, query.language, {
        filters,
        labels: query.labels ?? panel.labels,
        stepSeconds: 15,
        sampleIntervalSeconds: PANE.sampleIntervalSeconds,
      });
      const reached = expanded.includes(`${label}="chosen"`) || expanded.includes(`${label}=~"chosen|"`);
      expect([query.expr, reached]).toEqual([query.expr, !unreached.includes(query.legend)]);
    }
  });
});

interface Parser {
  parse(text: string): { iterate(spec: { enter(node: { type: { isError: boolean }; from: number }): void }): void };
}

function errorAt(parser: Parser, text: string): number | undefined {
  let position: number | undefined;
  parser.parse(text).iterate({
    enter(node) {
      if (node.type.isError) position ??= node.from;
    },
  });
  return position;
}
