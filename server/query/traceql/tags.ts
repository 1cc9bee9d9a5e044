import type { Attributes, AttributeValue, Span } from '../../model/index.ts';
import type { SpanPart, TraceReader } from '../../store/index.ts';
import type { AttributeField, FieldExpr, IntrinsicField, Pipeline } from './ast.ts';
import { openCursor, peek } from './cursor.ts';
import { cancelledError, invalidQuery } from './errors.ts';
import { compileField, compileTest, isLocal, type Value } from './field.ts';
import { parseTraceql } from './parse.ts';
import { parseReference } from './parse-field.ts';
import { planSearch } from './plan.ts';

/** Where a name lives. Attributes of instrumentation scopes are not stored, so that scope is always empty. */
export type TagScopeName = 'resource' | 'span' | 'event' | 'link' | 'instrumentation' | 'intrinsic';
export const TAG_SCOPES: readonly TagScopeName[] = [
  'resource',
  'span',
  'event',
  'link',
  'instrumentation',
  'intrinsic',
];

/** Names of one scope, as Tempo groups them. */
export interface TagScope {
  readonly name: TagScopeName;
  readonly tags: readonly string[];
}

/** A value with its type, both as text. */
export interface TagValue {
  readonly type: 'string' | 'int' | 'float' | 'bool' | 'duration' | 'keyword';
  readonly value: string;
}

/** What names or values are asked of. */
export interface TagParams {
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Names of each scope, or values, at most; 0 for the default of 1000. */
  readonly limit?: number;
  /** A query that the spans must match, such as `{ resource.service.name = "a" }`; only what a span alone decides counts. */
  readonly query?: string;
  readonly signal?: AbortSignal;
}

const INTRINSIC_TAGS: readonly string[] = [
  'duration',
  'kind',
  'name',
  'rootName',
  'rootServiceName',
  'status',
  'statusMessage',
  'traceDuration',
  'span:duration',
  'span:id',
  'span:kind',
  'span:name',
  'span:parentID',
  'span:status',
  'span:statusMessage',
  'trace:duration',
  'trace:id',
  'trace:rootName',
  'trace:rootService',
  'event:name',
  'event:timeSinceStart',
  'link:spanID',
  'link:traceID',
  'instrumentation:name',
  'instrumentation:version',
].sort();

const DEFAULT_LIMIT = 1000;
/** Spans that an answer is gathered from: names and values repeat, so the newest show nearly all. */
const MAX_SPANS = 50_000;

/**
 * The names of attributes of spans in a time range, by scope; gathered from the newest 50,000 matching spans. Scopes
 * without a name are left out.
 * @throws BarographError `cancelled`.
 */
export async function findTags(
  params: TagParams,
  reader: TraceReader,
  scopes: readonly TagScopeName[] = TAG_SCOPES,
): Promise<TagScope[]> {
  const limit = params.limit || DEFAULT_LIMIT;
  const names = new Map(scopes.map((scope) => [scope, new Set<string>(scope === 'intrinsic' ? INTRINSIC_TAGS : [])]));
  const add = (scope: TagScopeName, attributes: Readonly<Record<string, AttributeValue>>) => {
    const set = names.get(scope);
    if (set !== undefined) for (const name in attributes) if (set.size < limit) set.add(name);
  };
  const parts = [...names.keys()].flatMap((scope) => PARTS_OF_SCOPE[scope]);
  if (parts.length > 0) {
    let resource: Attributes | undefined;
    await eachSpan(params, reader, { parts: [...new Set(parts)] }, (span) => {
      // Spans share the objects of their resources.
      if (span.resource !== resource) add('resource', span.resource);
      resource = span.resource;
      add('span', span.attributes);
      for (const event of span.events) add('event', event.attributes);
      for (const link of span.links) add('link', link.attributes);
      return true;
    });
  }
  const found = [...names].map(([name, tags]) => ({ name, tags: [...tags].sort().slice(0, limit) }));
  return found.filter(({ tags }) => tags.length > 0);
}

const PARTS_OF_SCOPE: Readonly<Record<TagScopeName, readonly SpanPart[]>> = {
  resource: ['resource'],
  span: ['attributes'],
  event: ['details'],
  link: ['details'],
  instrumentation: [],
  intrinsic: [],
};

/**
 * The values of an attribute (`span.http.method`, `.x`, `resource.service.name`) or intrinsic (`name`, `status`),
 * sorted; gathered from the newest 50,000 matching spans. A bare name that is no intrinsic is an unscoped attribute.
 * @throws BarographError `traceql_syntax`, `traceql_invalid`.
 */
export async function findTagValues(tag: string, params: TagParams, reader: TraceReader): Promise<TagValue[]> {
  const limit = params.limit || DEFAULT_LIMIT;
  const field = parseTag(tag);
  if (field.kind === 'intrinsic') {
    const fixed = KEYWORDS[field.name];
    if (fixed !== undefined) return fixed.map((value) => ({ type: 'keyword', value }));
    // Values of a trace as a whole would need every trace loaded; its root says them.
    if (!isLocal(field)) return rootValues(field, params, limit, reader);
  }
  const read = compileField(field);
  return collectValues(params, limit, reader, field, (span) => read(span, undefined));
}

const KEYWORDS: Readonly<Partial<Record<IntrinsicField['name'], readonly string[]>>> = {
  'span:status': ['error', 'ok', 'unset'],
  'span:kind': ['client', 'consumer', 'internal', 'producer', 'server', 'unspecified'],
};

function rootValues(field: IntrinsicField, params: TagParams, limit: number, reader: TraceReader): Promise<TagValue[]> {
  const read = { 'trace:rootName': (span: Span) => span.name, 'trace:rootService': (span: Span) => span.serviceName }[
    field.name as string
  ];
  if (read === undefined) return Promise.resolve([]);
  return collectValues(params, limit, reader, field, (span) => (span.parentSpanId === '' ? read(span) : undefined));
}

async function collectValues(
  params: TagParams,
  limit: number,
  reader: TraceReader,
  field: AttributeField | IntrinsicField,
  read: (span: Span) => Value,
): Promise<TagValue[]> {
  const values = new Map<string, TagValue>();
  const isDuration =
    field.kind === 'intrinsic' && (field.name === 'span:duration' || field.name === 'event:timeSinceStart');
  await eachSpan(params, reader, { fields: [field] }, (span) => {
    for (const value of [read(span)].flat() as Value[]) {
      const found = tagValueOf(value, isDuration);
      if (found !== undefined) values.set(`${found.type}:${found.value}`, found);
    }
    return values.size < limit;
  });
  return [...values.values()].sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0)).slice(0, limit);
}

function tagValueOf(value: Value, isDuration: boolean): TagValue | undefined {
  switch (typeof value) {
    case 'string':
      return { type: 'string', value };
    case 'boolean':
      return { type: 'bool', value: String(value) };
    case 'number':
      if (isDuration) return { type: 'duration', value: `${value}ns` };
      return { type: Number.isInteger(value) ? 'int' : 'float', value: String(value) };
    default:
      return undefined;
  }
}

function parseTag(tag: string): AttributeField | IntrinsicField {
  const scoped =
    /^(\.|span\.|resource\.|parent\.|event\.|link\.|instrumentation\.|span:|trace:|event:|link:|instrumentation:)/.test(
      tag,
    );
  const text = scoped || INTRINSIC_TAGS.includes(tag) ? tag : `.${tag}`;
  const cursor = openCursor(text);
  const field = parseReference(cursor);
  if (peek(cursor).kind !== 'end')
    throw invalidQuery('tag', `got ${JSON.stringify(tag)}`, 'ask for one attribute or intrinsic');
  return field;
}

/** What is read of the spans besides what the query reads. */
interface TagNeeds {
  readonly fields?: readonly FieldExpr[];
  readonly parts?: readonly SpanPart[];
}

async function eachSpan(
  params: TagParams,
  reader: TraceReader,
  { fields, parts }: TagNeeds,
  visit: (span: Span) => boolean,
): Promise<void> {
  const { startNs, endNs, signal } = params;
  const plan = planSearch(pipelineOf(params.query), fields, parts);
  const tests = plan.seeds.map(compileTest);
  let count = 0;
  const request = { startNs, endNs, conditions: plan.conditions, parts: plan.spanParts };
  for await (const batch of reader.spans(request, signal)) {
    if (signal?.aborted) throw cancelledError();
    for (const span of batch) {
      if (!tests.some((test) => test(span, undefined))) continue;
      if (!visit(span) || ++count >= MAX_SPANS) return;
    }
  }
}

/** An unfinished query, as an editor sends it, narrows nothing; suggestions are better than an error there. */
function pipelineOf(query: string | undefined): Pipeline {
  const everySpan: Pipeline = { stages: [{ kind: 'filter', expr: undefined, at: 0 }] };
  if (query === undefined || query.trim() === '') return everySpan;
  try {
    const expr = parseTraceql(query);
    return expr.kind === 'spans' ? expr.pipeline : everySpan;
  } catch {
    return everySpan;
  }
}
