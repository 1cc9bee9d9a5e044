import { invalidQuery } from '../errors.ts';
import type { LineState } from '../line-state.ts';
import { applyTemplate, templateLabels } from '../template/apply.ts';
import type { TemplateNode } from '../template/nodes.ts';
import { parseTemplate, TemplateProblem } from '../template/parse.ts';
import { TemplateFailure } from '../template/values.ts';

/** A template ready to run. */
export interface Template {
  /** The text for a line; a template that can't be applied fails the line with `TemplateFormatErr` and gives `undefined`. */
  readonly apply: (state: LineState) => string | undefined;
  /** Labels that it reads, or `all`. */
  readonly labels: ReadonlySet<string> | 'all';
}

/** Compiles a template of `line_format` or `label_format`. */
export function compileTemplate(text: string, position: string): Template {
  let nodes: TemplateNode[];
  try {
    nodes = parseTemplate(text);
  } catch (problem) {
    if (!(problem instanceof TemplateProblem)) throw problem;
    throw invalidQuery(position, `invalid template: ${problem.message}`);
  }
  const apply = (state: LineState) => {
    try {
      return applyTemplate(nodes, state);
    } catch (failure) {
      if (!(failure instanceof TemplateFailure)) throw failure;
      state.fail('TemplateFormatErr', failure.message);
      return undefined;
    }
  };
  return { apply, labels: templateLabels(nodes) };
}

/** The escape character is put in by name, because an invisible one in a literal is easily lost. */
const ESCAPE = '\u001b';
const COLOR = new RegExp(`${ESCAPE}\\[[0-9;]*[A-Za-z]`, 'g');

/** A line without ANSI escape sequences (colours, cursor movement). */
export function decolorize(line: string): string {
  return line.includes(ESCAPE) ? line.replace(COLOR, '') : line;
}
