import { invalidQuery } from './errors.ts';
import { isPlainAttributeName, lexTraceql } from './lex.ts';

/** A search of Tempo's older kind, as its route is asked. */
export interface TagSearch {
  /** `key=value` pairs separated by spaces; a value with spaces is in double quotes. */
  readonly tags: string;
  /** Shortest and longest duration of a trace, such as `100ms`; empty for any. */
  readonly minDuration: string;
  readonly maxDuration: string;
}

/** Tags that Tempo reads from something else than an attribute of that name. */
const VIRTUAL: ReadonlyMap<string, string> = new Map([
  ['name', 'name'],
  ['service.name', 'resource.service.name'],
  ['root.name', 'rootName'],
  ['root.service.name', 'rootServiceName'],
]);

/**
 * The TraceQL query that an older search means: every tag is on some span of the trace, its text somewhere in the
 * attribute's, in upper or lower case; numbers and booleans are equal.
 * @throws BarographError `traceql_invalid`.
 */
export function tagSearchQuery({ tags, minDuration, maxDuration }: TagSearch): string {
  const filters = parseTags(tags).map(([name, value]) => `{ ${tagFilter(name, value)} }`);
  if (minDuration !== '') filters.push(`{ traceDuration >= ${durationOf('minDuration', minDuration)} }`);
  if (maxDuration !== '') filters.push(`{ traceDuration <= ${durationOf('maxDuration', maxDuration)} }`);
  return filters.length === 0 ? '{ }' : filters.join(' && ');
}

const TAG = /\s*([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)/y;

function parseTags(text: string): [string, string][] {
  const found = new Map<string, string>();
  TAG.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ''; at = TAG.lastIndex) {
    const match = TAG.exec(text);
    if (!match)
      throw invalidQuery('parameter tags', `no key=value at character ${at + 1}`, 'write key=value key="a b"');
    const [, name, value] = match;
    if (found.has(name)) throw invalidQuery('parameter tags', 'a key that is there twice', 'name each key once');
    found.set(name, value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value);
  }
  return [...found];
}

function tagFilter(name: string, value: string): string {
  if (name === 'error' && value === 'true') return 'status = error';
  if (name === 'status.code') {
    if (!/^(?:unset|ok|error)$/.test(value))
      throw invalidQuery('parameter tags', 'a status.code that is none', 'use unset, ok or error');
    return `status = ${value}`;
  }
  const field =
    VIRTUAL.get(name) ?? (isPlainAttributeName(name) ? `.${name}` : `."${name.replace(/(["\\])/g, '\\$1')}"`);
  // RE2 takes a backslash before any ASCII punctuation, and before nothing else.
  const literal = value.replace(/[!-/:-@[-^`{-~]/g, '\\$&');
  const text = `${field} =~ ${JSON.stringify(`(?is).*${literal}.*`)}`;
  const isExact = /^(?:-?\d{1,15}(?:\.\d{1,15})?|true|false)$/.test(value) && !VIRTUAL.has(name);
  return isExact ? `${text} || ${field} = ${value}` : text;
}

function durationOf(parameter: string, text: string): string {
  const tokens = /^[\d.a-zµμ]{1,40}$/.test(text) ? lexTraceql(text) : [];
  if (tokens[0]?.kind !== 'duration' || tokens[1].kind !== 'end')
    throw invalidQuery(`parameter ${parameter}`, 'no duration', 'write a duration such as 100ms or 1m30s');
  return text;
}
