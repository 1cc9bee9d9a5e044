import type { Attributes, AttributeValue } from '../model/index.ts';
import { setAttribute } from './attributes.ts';
import type { Cursor } from './cursor.ts';

/** The instrumentation scope of metrics, spans or log records. */
export interface OtlpScope {
  readonly name: string;
  readonly version: string;
  readonly attributes: Attributes;
  readonly droppedAttributesCount: number;
}

export const NO_ATTRIBUTES: Attributes = Object.freeze({});
export const NO_SCOPE: OtlpScope = Object.freeze({
  name: '',
  version: '',
  attributes: NO_ATTRIBUTES,
  droppedAttributesCount: 0,
});

/** How many nested messages one OTLP request may hold; attributes count. */
export const MAX_OTLP_ELEMENTS = 3_000_000;

// message Resource {
//   repeated KeyValue attributes = 1;
//   uint32 dropped_attributes_count = 2;
// }
/** Decodes the message in the current field. */
export function decodeResource(cursor: Cursor): Attributes {
  const outer = cursor.enter('resource');
  const attributes: { [key: string]: AttributeValue } = {};
  let count = 0;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        decodeKeyValue(cursor, 'attributes', count++, attributes);
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return attributes;
}

// message InstrumentationScope {
//   string name = 1;
//   string version = 2;
//   repeated KeyValue attributes = 3;
//   uint32 dropped_attributes_count = 4;
// }
/** Decodes the message in the current field. */
export function decodeScope(cursor: Cursor): OtlpScope {
  const outer = cursor.enter('scope');
  const attributes: { [key: string]: AttributeValue } = {};
  let count = 0;
  let name = '';
  let version = '';
  let droppedAttributesCount = 0;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        name = cursor.string('name');
        break;
      case 2:
        version = cursor.string('version');
        break;
      case 3:
        decodeKeyValue(cursor, 'attributes', count++, attributes);
        break;
      case 4:
        droppedAttributesCount = cursor.uint32('dropped_attributes_count');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { name, version, attributes, droppedAttributesCount };
}

// message KeyValue {
//   string key = 1;
//   AnyValue value = 2;
// }
/** Decodes the message in the current field into `into`. */
export function decodeKeyValue(
  cursor: Cursor,
  name: string,
  index: number,
  into: { [key: string]: AttributeValue },
): void {
  const outer = cursor.enter(name, index);
  let key = '';
  let value: AttributeValue = null;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        key = cursor.string('key');
        break;
      case 2:
        value = decodeAnyValue(cursor, 'value');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  setAttribute(into, key, value);
}

// message AnyValue {
//   oneof value {
//     string string_value = 1;
//     bool bool_value = 2;
//     int64 int_value = 3;
//     double double_value = 4;
//     ArrayValue array_value = 5;
//     KeyValueList kvlist_value = 6;
//     bytes bytes_value = 7;
//   }
// }
/** Decodes the message in the current field; a value that isn't set is null. */
export function decodeAnyValue(cursor: Cursor, name: string, index = -1): AttributeValue {
  const outer = cursor.enter(name, index);
  let value: AttributeValue = null;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        value = cursor.string('string_value');
        break;
      case 2:
        value = cursor.bool('bool_value');
        break;
      case 3:
        value = cursor.int64Number('int_value');
        break;
      case 4:
        value = cursor.double('double_value');
        break;
      case 5:
        value = decodeArray(cursor);
        break;
      case 6:
        value = decodeKeyValueList(cursor);
        break;
      case 7:
        value = cursor.blob('bytes_value').toString('base64');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return value;
}

// message ArrayValue { repeated AnyValue values = 1; }
function decodeArray(cursor: Cursor): AttributeValue {
  const outer = cursor.enter('array_value');
  const values: AttributeValue[] = [];
  while (cursor.next()) {
    if (cursor.field === 1) values.push(decodeAnyValue(cursor, 'values', values.length));
    else cursor.skip();
  }
  cursor.leave(outer);
  return values;
}

// message KeyValueList { repeated KeyValue values = 1; }
function decodeKeyValueList(cursor: Cursor): AttributeValue {
  const outer = cursor.enter('kvlist_value');
  const values: { [key: string]: AttributeValue } = {};
  let count = 0;
  while (cursor.next()) {
    if (cursor.field === 1) decodeKeyValue(cursor, 'values', count++, values);
    else cursor.skip();
  }
  cursor.leave(outer);
  return values;
}

/** An ID of `digits` hex digits that aren't all zero, or ''. */
export function validId(hex: string, digits: number): string {
  return hex.length === digits && !/^0*$/.test(hex) ? hex : '';
}
