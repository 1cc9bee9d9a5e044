import type { IncomingHttpHeaders } from 'node:http';
import type { Labels } from '@barograph/sdk';

/** How a request asks a model, which says how its answer is read. */
export type Way = 'chat' | 'completions' | 'responses' | 'embeddings' | 'messages';

/** The ends of the paths; Azure's and other prefixes may stand before them. */
const WAYS: readonly (readonly [end: string, way: Way])[] = [
  ['/chat/completions', 'chat'],
  ['/completions', 'completions'],
  ['/responses', 'responses'],
  ['/embeddings', 'embeddings'],
  ['/messages', 'messages'],
];

/** How a request asks a model; undefined for anything else, which passes unmeasured. */
export function wayOf(method: string | undefined, path: string): Way | undefined {
  if (method !== 'POST') return undefined;
  const query = path.indexOf('?');
  const bare = query < 0 ? path : path.slice(0, query);
  return WAYS.find(([end]) => bare.endsWith(end))?.[1];
}

/** The labels of a class of requests, the class of its prompts among them. */
export type ClassLabels = Labels & { readonly prompt_class?: string };
export type ClassLabel = keyof ClassLabels;

/** The labels that policy may set. */
export const CLASS_LABELS: readonly ClassLabel[] = [
  'prompt_class',
  'customer_tier',
  'deployment',
  'environment',
  'region',
  'gpu_type',
  'adapter',
];

/** Requests whose path begins so are of this class; the longest that fits counts. */
export interface RouteRule {
  readonly prefix: string;
  readonly labels: ClassLabels;
}

/** A label's value from a header, out of a closed list: what a client writes there never becomes a value by itself. */
export interface HeaderRule {
  readonly label: ClassLabel;
  /** In lower case. */
  readonly header: string;
  readonly values: ReadonlySet<string>;
}

/** The model_version of models whose name fits; the first rule that fits counts. */
export interface ModelRule {
  /** A name, where a star stands for any characters. */
  readonly pattern: string;
  readonly version: string;
}

/** How requests are classed, by what stands around their content and never by it. */
export interface Classing {
  readonly routes: readonly RouteRule[];
  readonly headers: readonly HeaderRule[];
  readonly models: readonly ModelRule[];
}

/** A value that isn't in its rule's list. */
export const OTHER = 'other';

/** The labels of a request. Headers win over routes. */
export function classOf(classing: Classing, path: string, headers: IncomingHttpHeaders): ClassLabels {
  let route: RouteRule | undefined;
  for (const rule of classing.routes)
    if (path.startsWith(rule.prefix) && rule.prefix.length >= (route?.prefix.length ?? 0)) route = rule;
  if (classing.headers.length === 0) return route?.labels ?? {};
  const labels: { -readonly [Name in ClassLabel]?: string } = { ...route?.labels };
  for (const { label, header, values } of classing.headers) {
    const value = headers[header];
    if (value !== undefined) labels[label] = typeof value === 'string' && values.has(value) ? value : OTHER;
  }
  return labels;
}

/** Names of models as providers have them; a request's model is whatever a client wrote, a sentence for instance. */
const MODEL_NAME = /^[\w.:/@+-]{1,100}$/;

/** The model that a request names, if that is a name. */
export function modelOf(value: unknown): string | undefined {
  return typeof value === 'string' && MODEL_NAME.test(value) ? value : undefined;
}

/** The label model_version of a request by policy; undefined where the model that answers is to decide. */
export function modelVersionOf(rules: readonly ModelRule[], model: string | undefined): string | undefined {
  if (model === undefined) return undefined;
  return rules.find(({ pattern }) => fits(pattern, model))?.version;
}

/** Whether a name fits a pattern with stars; linear, since each part is looked for once. */
function fits(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return pattern === name;
  if (!name.startsWith(parts[0])) return false;
  let at = parts[0].length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  const last = parts.at(-1)!;
  return name.length - last.length >= at && name.endsWith(last);
}
