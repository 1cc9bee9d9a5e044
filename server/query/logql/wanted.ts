import type { Grouping, LabelPredicate, Stage } from './ast.ts';
import { compileTemplate } from './stages/format.ts';

/**
 * The labels that a pipeline reads after its parsers, with those that name the series; `all` where every label names it.
 * Parsers leave everything else in the line.
 */
export function wantedLabels(stages: readonly Stage[], grouping: Grouping | 'all'): ReadonlySet<string> | 'all' {
  if (grouping === 'all' || grouping.kind === 'without') return 'all';
  const names = new Set(grouping.labels);
  for (const stage of stages) if (!collectStage(stage, names)) return 'all';
  return names;
}

/** Adds what a stage reads; false where it may read anything. */
function collectStage(stage: Stage, names: Set<string>): boolean {
  switch (stage.kind) {
    case 'label_filter':
      collectPredicate(stage.predicate, names);
      return true;
    case 'unwrap':
      names.add(stage.label);
      return true;
    case 'line_format':
      return collectTemplate(stage.template, names);
    case 'label_format':
      return stage.formats.every((format) => {
        if (format.kind === 'template') return collectTemplate(format.template, names);
        names.add(format.from);
        return true;
      });
    default:
      return true;
  }
}

function collectTemplate(template: string, names: Set<string>): boolean {
  const { labels } = compileTemplate(template, '');
  if (labels === 'all') return false;
  for (const name of labels) names.add(name);
  return true;
}

function collectPredicate(predicate: LabelPredicate, names: Set<string>): void {
  switch (predicate.kind) {
    case 'string':
      names.add(predicate.match.name);
      return;
    case 'compare':
    case 'ip':
      names.add(predicate.name);
      return;
    default:
      collectPredicate(predicate.left, names);
      collectPredicate(predicate.right, names);
  }
}

/** Whether a query asks for a label by name: in a filter, a template, a grouping or an unwrap. */
export function mentionsLabel(stages: readonly Stage[], grouping: Grouping | 'all', label: string): boolean {
  const names = new Set(grouping !== 'all' && grouping.kind === 'by' ? grouping.labels : []);
  for (const stage of stages) collectStage(stage, names);
  return names.has(label);
}
