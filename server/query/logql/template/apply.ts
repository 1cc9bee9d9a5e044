import { ERROR_DETAILS_LABEL, ERROR_LABEL, type LineState } from '../line-state.ts';
import { TEMPLATE_FUNCTIONS } from './functions.ts';
import type { Command, Operand, Pipeline, TemplateNode } from './nodes.ts';
import { isTime, isTrue, printValue, TemplateFailure, type TemplateValue } from './values.ts';

/** The labels of the line stand for themselves until someone asks for the whole map. */
const LABELS = Symbol('labels');
type Dot = TemplateValue | typeof LABELS;

interface Scope {
  readonly state: LineState;
  dot: Dot;
  readonly variables: Map<string, Dot>;
}

/**
 * Applies a template to a line: `.name` is a label, a missing one empty.
 * @throws TemplateFailure where it can't be applied to this line.
 */
export function applyTemplate(nodes: readonly TemplateNode[], state: LineState): string {
  return runNodes(nodes, { state, dot: LABELS, variables: new Map<string, Dot>([['$', LABELS]]) });
}

function runNodes(nodes: readonly TemplateNode[], scope: Scope): string {
  let out = '';
  for (const node of nodes) out += runNode(node, scope);
  return out;
}

function runNode(node: TemplateNode, scope: Scope): string {
  switch (node.kind) {
    case 'text':
      return node.text;
    case 'print': {
      const value = runPipeline(node.pipeline, scope);
      return node.pipeline.assign === undefined ? printValue(plain(value, scope)) : '';
    }
    case 'if':
    case 'with': {
      const value = runPipeline(node.pipeline, scope);
      if (!isTrue(plain(value, scope))) return runNodes(node.otherwise, scope);
      const dot = node.kind === 'with' ? value : scope.dot;
      return runNodes(node.body, { ...scope, dot });
    }
    case 'range': {
      const entries = entriesOf(plain(runPipeline(node.pipeline, scope), scope));
      if (entries.length === 0) return runNodes(node.otherwise, scope);
      return entries.map(([key, value]) => runNodes(node.body, rangeScope(scope, node.variables, key, value))).join('');
    }
  }
}

function rangeScope(scope: Scope, names: readonly string[], key: TemplateValue, value: TemplateValue): Scope {
  const variables = new Map(scope.variables);
  if (names.length === 2) variables.set(names[0], key);
  if (names.length > 0) variables.set(names[names.length - 1], value);
  return { ...scope, dot: value, variables };
}

function entriesOf(value: TemplateValue): [TemplateValue, TemplateValue][] {
  if (Array.isArray(value)) return value.map((element, i) => [i, element as TemplateValue]);
  if (value === null) return [];
  if (typeof value === 'object' && !isTime(value)) {
    return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)) as [TemplateValue, TemplateValue][];
  }
  throw new TemplateFailure("range can't iterate over this value");
}

function runPipeline(pipeline: Pipeline, scope: Scope): Dot {
  let value: Dot | undefined;
  for (const command of pipeline.commands) value = runCommand(command, scope, value);
  if (pipeline.assign !== undefined) scope.variables.set(pipeline.assign, value!);
  return value!;
}

function runCommand(command: Command, scope: Scope, piped: Dot | undefined): Dot {
  if (command.kind === 'operand') return readOperand(command.operand, scope);
  const args = command.args.map((arg) => plain(readOperand(arg, scope), scope));
  if (piped !== undefined) args.push(plain(piped, scope));
  return TEMPLATE_FUNCTIONS.get(command.name)!.call(args, scope.state);
}

function readOperand(operand: Operand, scope: Scope): Dot {
  switch (operand.kind) {
    case 'constant':
      return operand.value;
    case 'pipeline':
      return fields(runPipeline(operand.pipeline, scope), operand.path, scope);
    case 'field': {
      const start = operand.variable === '.' ? scope.dot : scope.variables.get(operand.variable);
      if (start === undefined) throw new TemplateFailure(`undefined variable ${operand.variable}`);
      return fields(start, operand.path, scope);
    }
  }
}

function fields(start: Dot, path: readonly string[], scope: Scope): Dot {
  let value = start;
  for (const name of path) {
    if (value === LABELS) value = scope.state.get(name) ?? '';
    else if (typeof value === 'object' && value !== null && !Array.isArray(value) && !isTime(value)) {
      const record = value as { readonly [name: string]: TemplateValue };
      value = Object.hasOwn(record, name) ? record[name] : null;
    } else throw new TemplateFailure(`can't take field ${name} of a value that is no map`);
  }
  return value;
}

function plain(value: Dot, scope: Scope): TemplateValue {
  if (value !== LABELS) return value;
  const record: Record<string, TemplateValue> = {};
  for (const name of [...scope.state.labelNames(), ERROR_LABEL, ERROR_DETAILS_LABEL]) {
    const label = scope.state.get(name);
    if (label !== undefined) record[name] = label;
  }
  return record;
}

/** The labels that a template reads by name, or `all` where it takes the whole map. */
export function templateLabels(nodes: readonly TemplateNode[]): ReadonlySet<string> | 'all' {
  const names = new Set<string>();
  return nodes.every((node) => collectNode(node, names)) ? names : 'all';
}

function collectNode(node: TemplateNode, names: Set<string>): boolean {
  if (node.kind === 'text') return true;
  if (!collectPipeline(node.pipeline, names)) return false;
  if (node.kind === 'print') return true;
  return [...node.body, ...node.otherwise].every((inner) => collectNode(inner, names));
}

function collectPipeline(pipeline: Pipeline, names: Set<string>): boolean {
  return pipeline.commands.every((command) =>
    (command.kind === 'operand' ? [command.operand] : command.args).every((operand) => collectOperand(operand, names)),
  );
}

function collectOperand(operand: Operand, names: Set<string>): boolean {
  if (operand.kind === 'constant') return true;
  if (operand.kind === 'pipeline') return collectPipeline(operand.pipeline, names);
  // A variable other than `$` was assigned from operands that are collected themselves.
  if (operand.path.length === 0) return operand.variable !== '.' && operand.variable !== '$';
  names.add(operand.path[0]);
  return true;
}
