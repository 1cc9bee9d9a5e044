import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import {
  attributesSchema,
  type Conventions,
  enginesSchema,
  labelsSchema,
  logsSchema,
  metricsSchema,
  outcomesSchema,
  spansSchema,
} from './schema.ts';

/** Thrown for a conventions file that can't be used; the message has one line a problem. */
export class ConventionsError extends Error {
  override readonly name = 'ConventionsError';
  readonly code = 'conventions_invalid';
}

/** Reads and validates the conventions in a folder; throws ConventionsError. */
export function readConventions(folder: string): Conventions {
  return {
    labels: readFile(folder, 'labels.yaml', labelsSchema),
    metrics: readFile(folder, 'metrics.yaml', metricsSchema),
    attributes: readFile(folder, 'attributes.yaml', attributesSchema),
    spans: readFile(folder, 'spans.yaml', spansSchema),
    logs: readFile(folder, 'logs.yaml', logsSchema),
    engines: readFile(folder, 'engines.yaml', enginesSchema),
    outcomes: readFile(folder, 'outcomes.yaml', outcomesSchema),
  };
}

function readFile<Schema extends z.ZodType>(folder: string, name: string, schema: Schema): z.infer<Schema> {
  return parseConventions(`conventions/${name}`, readFileSync(join(folder, name), 'utf8'), schema);
}

/** Parses and validates the text of one file; `file` is only for the messages. */
export function parseConventions<Schema extends z.ZodType>(
  file: string,
  text: string,
  schema: Schema,
): z.infer<Schema> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const { line, col } = lines.linePos(error.pos[0]);
      return `${file}:${line}:${col} isn't YAML: ${error.message}`;
    });
    throw new ConventionsError(problems.join('\n'));
  }
  const value: unknown = document.toJS();
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap(leafIssues).map((issue) => {
    const place = placeOf(document, lines, issue.path);
    return `${file}${place} ${issue.path.join('.')}: got ${show(valueAt(value, issue.path))}; ${acceptedBy(issue)}`;
  });
  throw new ConventionsError(problems.join('\n'));
}

type Issue = z.core.$ZodIssue;

// A union reports one list of problems for each of its members; the deepest ones are those of the member that was meant.
function leafIssues(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const members = issue.errors.map((member) =>
    member.flatMap((inner) => leafIssues({ ...inner, path: [...issue.path, ...inner.path] } as Issue)),
  );
  const depth = (member: Issue[]) => Math.max(...member.map((inner) => inner.path.length));
  return members.reduce((best, member) => (depth(member) > depth(best) ? member : best));
}

function acceptedBy(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_value':
      return `accepted: ${issue.values.map(String).join(' | ')}`;
    case 'unrecognized_keys':
      return `remove what isn't known here: ${issue.keys.join(', ')}`;
    case 'invalid_type':
      return `accepted: ${issue.expected}`;
    case 'invalid_format':
      return `accepted: ${issue.message.startsWith('Invalid') ? (issue.pattern ?? issue.format) : issue.message}`;
    default:
      return `accepted: ${issue.message}`;
  }
}

function placeOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): string {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) {
      const { line, col } = lines.linePos(node.range[0]);
      return `:${line}:${col}`;
    }
  }
  return '';
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<PropertyKey, unknown>)[key];
  }
  return found;
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
