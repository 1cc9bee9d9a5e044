import {
  isTrue,
  printValue,
  TEMPLATE_FUNCTIONS,
  type TemplateRecord,
  type TemplateValue,
} from './template-functions.ts';
import { parseTemplate, type TemplateExpr, type TemplateNode } from './template-parse.ts';

/** What a template of a rule can show. */
export interface TemplateData {
  /** Of the sample, with its name where it has one. */
  readonly labels: TemplateRecord;
  readonly externalLabels: TemplateRecord;
  readonly externalUrl: string;
  readonly value: number;
}

/** Characters that one template may give. */
const MAX_OUTPUT = 64 * 1024;

/** Fills a template in. @throws Error with what is wrong, which never quotes a value. */
export function expandTemplate(text: string, data: TemplateData): string {
  if (!text.includes('{{')) return text;
  const dot: TemplateRecord = {
    Labels: data.labels,
    ExternalLabels: data.externalLabels,
    ExternalURL: data.externalUrl,
    Value: data.value,
  };
  const variables = new Map<string, TemplateValue>([
    ['$', dot],
    ['$labels', data.labels],
    ['$externalLabels', data.externalLabels],
    ['$externalURL', data.externalUrl],
    ['$value', data.value],
  ]);
  const out = runNodes(parseTemplate(text), dot, [variables]);
  if (out.length > MAX_OUTPUT) throw new Error(`a template gives more than ${MAX_OUTPUT} characters`);
  return out;
}

type Scopes = readonly Map<string, TemplateValue>[];

function runNodes(nodes: readonly TemplateNode[], dot: TemplateValue, outer: Scopes): string {
  const scopes = [...outer, new Map<string, TemplateValue>()];
  const own = scopes[scopes.length - 1];
  let out = '';
  for (const node of nodes) {
    switch (node.kind) {
      case 'text':
        out += node.text;
        break;
      case 'show':
        out += printValue(evaluate(node.expr, dot, scopes));
        break;
      case 'assign': {
        const value = evaluate(node.expr, dot, scopes);
        const scope = node.declares ? own : scopes.findLast((each) => each.has(node.name));
        scope?.set(node.name, value);
        break;
      }
      case 'if':
      case 'with': {
        const value = evaluate(node.expr, dot, scopes);
        const inner = [...scopes, new Map(node.variable === undefined ? [] : [[node.variable, value]])];
        if (!isTrue(value)) out += runNodes(node.otherwise, dot, inner);
        else out += runNodes(node.body, node.kind === 'with' ? value : dot, inner);
        break;
      }
      case 'range': {
        const of = evaluate(node.expr, dot, scopes);
        const entries = entriesOf(of);
        if (entries.length === 0) out += runNodes(node.otherwise, dot, scopes);
        for (const [key, value] of entries) {
          const given = node.variables.length === 2 ? [key, value] : [value];
          out += runNodes(node.body, value, [...scopes, new Map(node.variables.map((name, i) => [name, given[i]]))]);
        }
      }
    }
  }
  return out;
}

/** As Go does, maps in the order of their keys. */
function entriesOf(value: TemplateValue): [TemplateValue, TemplateValue][] {
  if (Array.isArray(value)) return value.map((item, i) => [BigInt(i), item]);
  if (typeof value !== 'object' || value === null) throw new Error('range over something that is no list or map');
  return Object.keys(value)
    .sort()
    .map((key) => [key, value[key]]);
}

function evaluate(expr: TemplateExpr, dot: TemplateValue, scopes: Scopes): TemplateValue {
  switch (expr.kind) {
    case 'literal':
      return expr.value;
    case 'dot':
      return fieldsOf(dot, expr.fields);
    case 'variable':
      return fieldsOf(scopes.findLast((scope) => scope.has(expr.name))?.get(expr.name) ?? null, expr.fields);
    case 'fields':
      return fieldsOf(evaluate(expr.of, dot, scopes), expr.fields);
    case 'call': {
      const known = TEMPLATE_FUNCTIONS.get(expr.name);
      const { length } = expr.args;
      if (!known || length < known.min || length > known.max)
        throw new Error(`wrong number of arguments for ${expr.name}`);
      try {
        return known.run(expr.args.map((arg) => evaluate(arg, dot, scopes)));
      } catch (error) {
        if (!(error instanceof Error) || error.message.startsWith(`${expr.name}:`)) throw error;
        throw new Error(`${expr.name}: ${error.name === 'Error' ? error.message : 'refuses its arguments'}`);
      }
    }
  }
}

/** A label that isn't there is empty, as in Prometheus. */
function fieldsOf(value: TemplateValue, fields: readonly string[]): TemplateValue {
  let out = value;
  for (const field of fields) {
    if (typeof out !== 'object' || out === null || Array.isArray(out))
      throw new Error('a field of something that has none');
    out = Object.hasOwn(out, field) ? out[field] : '';
  }
  return out;
}
