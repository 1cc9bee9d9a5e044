import type { AttributeValue, Span } from '../../model/index.ts';
import type { TraceReader } from '../../store/index.ts';
import type { AttributeField, FieldExpr, IntrinsicField } from './ast.ts';
import { openCursor, peek } from './cursor.ts';
import { cancelledError, invalidQuery } from './errors.ts';
import { compileField, compileTest, isLocal, type Value } from './field.ts';
import { parseTraceql } from './parse.ts';
import { parseReference } from './parse-field.ts';
import { planSearch } from './plan.ts';

/** Names of one scope, as Tempo groups them. */
export interface TagScope {
  readonly name: 'resource' | 'span' | 'intrinsic' | 'event' | 'link' | 'instrumentation';
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
  /** Names or values at most; 0 for the default of 1000. */
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

/** The attribute names of spans in a time range, by scope; gathered from the newest 50,000 matching spans. */
export async function findTags(params: TagParams, reader: TraceReader): Promise<TagScope[]> {
  const limit = params.limit || DEFAULT_LIMIT;
  const names = {
    resource: new Set<string>(),
    span: new Set<string>(),
    event: new Set<string>(),
    link: new Set<string>(),
  };
  const add = (set: Set<string>, attributes: Readonly<Record<string, AttributeValue>>) => {
    for (const name in attributes) if (set.size < limit) set.add(name);
  };
  await eachSpan(params, reader, (span) => {
    add(names.resource, span.resource);
    add(names.span, span.attributes);
    for (const event of span.events) add(names.event, event.attributes);
    for (const link of span.links) add(names.link, link.attributes);
    return true;
  });
  const scopes: TagScope[] = [];
  for (const name of ['resource', 'span', 'event', 'link'] as const) {
    if (names[name].size > 0) scopes.push({ name, tags: [...names[name]].sort() });
  }
  return [...scopes, { name: 'intrinsic', tags: INTRINSIC_TAGS }];
}

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
  await eachSpan(params, reader, (span) => {
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

async function eachSpan(params: TagParams, reader: TraceReader, visit: (span: Span) => boolean): Promise<void> {
  const seeds = seedsOf(params.query);
  const tests = seeds.expressions.map(compileTest);
  const request = { startNs: params.startNs, endNs: params.endNs, conditions: seeds.conditions };
  let count = 0;
  for await (const batch of reader.spans(request, params.signal)) {
    if (params.signal?.aborted) throw cancelledError();
    for (const span of batch) {
      if (!tests.some((test) => test(span, undefined))) continue;
      if (!visit(span) || ++count >= MAX_SPANS) return;
    }
  }
}

/** An unfinished query, as an editor sends it, narrows nothing; suggestions are better than an error there. */
function seedsOf(query: string | undefined): {
  expressions: readonly (FieldExpr | undefined)[];
  conditions: ReturnType<typeof planSearch>['conditions'];
} {
  const all = { expressions: [undefined], conditions: [] };
  if (query === undefined || query.trim() === '') return all;
  try {
    const expr = parseTraceql(query);
    if (expr.kind !== 'spans') return all;
    const plan = planSearch(expr.pipeline);
    return { expressions: plan.seeds, conditions: plan.conditions };
  } catch {
    return all;
  }
}
