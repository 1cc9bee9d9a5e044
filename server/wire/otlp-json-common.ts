import type { Attributes, AttributeValue } from '../model/index.ts';
import { setAttribute } from './attributes.ts';
import { MAX_DEPTH } from './cursor.ts';
import { isObject, type JsonObject, type JsonWalk } from './json-walk.ts';
import { NO_ATTRIBUTES, NO_SCOPE, type OtlpScope } from './otlp-common.ts';

/** The attributes of a `resource` field. */
export function readResource(walk: JsonWalk, parent: JsonObject): Attributes {
  return walk.message(parent, 'resource', (resource) => readAttributes(walk, resource, 'attributes'), NO_ATTRIBUTES);
}

/** The `scope` field. */
export function readScope(walk: JsonWalk, parent: JsonObject): OtlpScope {
  return walk.message(
    parent,
    'scope',
    (scope) => ({
      name: walk.string(scope, 'name'),
      version: walk.string(scope, 'version'),
      attributes: readAttributes(walk, scope, 'attributes'),
      droppedAttributesCount: walk.int32(scope, 'droppedAttributesCount'),
    }),
    NO_SCOPE,
  );
}

/** A list of `KeyValue`. */
export function readAttributes(walk: JsonWalk, parent: JsonObject, name: string): Attributes {
  const attributes: { [key: string]: AttributeValue } = {};
  walk.messages(parent, name, (pair) => {
    setAttribute(attributes, walk.string(pair, 'key'), readAnyValue(walk, pair, 'value'));
  });
  return attributes;
}

/** An `AnyValue` field; null where it is absent. */
export function readAnyValue(walk: JsonWalk, parent: JsonObject, name: string): AttributeValue {
  return walk.message<AttributeValue>(parent, name, (value) => readValue(walk, value), null);
}

function readValue(walk: JsonWalk, value: JsonObject): AttributeValue {
  if (walk.depth > MAX_DEPTH) throw walk.fail('', value, `at most ${MAX_DEPTH} levels`);
  if (isSet(value.stringValue)) return walk.string(value, 'stringValue');
  if (isSet(value.boolValue)) return walk.bool(value, 'boolValue');
  if (isSet(value.intValue)) return walk.int64Of(value.intValue, 'intValue');
  if (isSet(value.doubleValue)) return walk.doubleOf(value.doubleValue, 'doubleValue');
  if (isSet(value.bytesValue)) return walk.string(value, 'bytesValue');
  if (isSet(value.arrayValue)) {
    return walk.message<AttributeValue>(
      value,
      'arrayValue',
      (array) => walk.messages(array, 'values', (element) => readValue(walk, element)),
      null,
    );
  }
  if (isObject(value.kvlistValue)) {
    return walk.message<AttributeValue>(value, 'kvlistValue', (list) => readAttributes(walk, list, 'values'), null);
  }
  return null;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}
