import type { Attributes, AttributeValue } from '../model/index.ts';
import { Cursor } from './cursor.ts';
import { type JsonObject, JsonWalk, parseJsonObject } from './json-walk.ts';
import {
  decodeAnyValue,
  decodeKeyValue,
  decodeResource,
  decodeScope,
  MAX_OTLP_ELEMENTS,
  NO_ATTRIBUTES,
  NO_SCOPE,
  type OtlpScope,
  validId,
} from './otlp-common.ts';
import { readAnyValue, readAttributes, readResource, readScope } from './otlp-json-common.ts';

/** One record of an OTLP logs request. Records of one resource share its `resource` object. */
export interface OtlpLogRecord extends OtlpLogFields {
  readonly resource: Attributes;
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly scopeAttributes: Attributes;
  readonly scopeDroppedAttributesCount: number;
}

/** What a record says of itself. */
export interface OtlpLogFields {
  /** Nanoseconds since the epoch: the record's time, else the time it was observed, else 0. */
  readonly timestampNs: bigint;
  /** Nanoseconds since the epoch, 0 where unknown. */
  readonly observedNs: bigint;
  /** Whether the record had a time of its own. */
  readonly hasTime: boolean;
  /** 1 (trace) to 24 (fatal), 0 where unknown. */
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: AttributeValue;
  readonly attributes: Attributes;
  readonly droppedAttributesCount: number;
  readonly flags: number;
  /** 32 lower-case hex digits, or `''` where it isn't valid. */
  readonly traceId: string;
  /** 16 lower-case hex digits, or `''` where it isn't valid. */
  readonly spanId: string;
  readonly eventName: string;
}

/**
 * Decodes an `ExportLogsServiceRequest` in protobuf.
 * @throws BarographError `malformed` (400) or `too_large` (413).
 */
export function decodeOtlpLogs(bytes: Uint8Array): OtlpLogRecord[] {
  const cursor = new Cursor(bytes, 'ExportLogsServiceRequest', MAX_OTLP_ELEMENTS);
  const records: OtlpLogRecord[] = [];
  let count = 0;
  // message ExportLogsServiceRequest { repeated ResourceLogs resource_logs = 1; }
  while (cursor.next()) {
    if (cursor.field === 1) decodeResourceLogs(cursor, count++, records);
    else cursor.skip();
  }
  return records;
}

// message ResourceLogs {
//   Resource resource = 1;
//   repeated ScopeLogs scope_logs = 2;
//   string schema_url = 3;
// }
function decodeResourceLogs(cursor: Cursor, index: number, records: OtlpLogRecord[]): void {
  const outer = cursor.enter('resource_logs', index);
  let resource = NO_ATTRIBUTES;
  // The resource may follow its records on the wire, so they wait until it is known.
  const scopes: { scope: OtlpScope; logs: OtlpLogFields[] }[] = [];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        resource = decodeResource(cursor);
        break;
      case 2:
        scopes.push(decodeScopeLogs(cursor, scopes.length));
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  for (const { scope, logs } of scopes) for (const log of logs) records.push(withOrigin(log, resource, scope));
}

// message ScopeLogs {
//   InstrumentationScope scope = 1;
//   repeated LogRecord log_records = 2;
//   string schema_url = 3;
// }
function decodeScopeLogs(cursor: Cursor, index: number): { scope: OtlpScope; logs: OtlpLogFields[] } {
  const outer = cursor.enter('scope_logs', index);
  let scope = NO_SCOPE;
  const logs: OtlpLogFields[] = [];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        scope = decodeScope(cursor);
        break;
      case 2:
        logs.push(decodeLogRecord(cursor, logs.length));
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { scope, logs };
}

// message LogRecord {
//   fixed64 time_unix_nano = 1;
//   SeverityNumber severity_number = 2;
//   string severity_text = 3;
//   AnyValue body = 5;
//   repeated KeyValue attributes = 6;
//   uint32 dropped_attributes_count = 7;
//   fixed32 flags = 8;
//   bytes trace_id = 9;
//   bytes span_id = 10;
//   fixed64 observed_time_unix_nano = 11;
//   string event_name = 12;
// }
function decodeLogRecord(cursor: Cursor, index: number): OtlpLogFields {
  const outer = cursor.enter('log_records', index);
  const attributes: { [key: string]: AttributeValue } = {};
  let attributeCount = 0;
  let timeNs = 0n;
  let observedNs = 0n;
  let severityNumber = 0;
  let severityText = '';
  let body: AttributeValue = null;
  let droppedAttributesCount = 0;
  let flags = 0;
  let traceId = '';
  let spanId = '';
  let eventName = '';
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        timeNs = cursor.fixed64BigInt('time_unix_nano');
        break;
      case 2:
        severityNumber = cursor.int32('severity_number');
        break;
      case 3:
        severityText = cursor.string('severity_text');
        break;
      case 5:
        body = decodeAnyValue(cursor, 'body');
        break;
      case 6:
        decodeKeyValue(cursor, 'attributes', attributeCount++, attributes);
        break;
      case 7:
        droppedAttributesCount = cursor.uint32('dropped_attributes_count');
        break;
      case 8:
        flags = cursor.fixed32('flags');
        break;
      case 9:
        traceId = validId(cursor.hex('trace_id'), 32);
        break;
      case 10:
        spanId = validId(cursor.hex('span_id'), 16);
        break;
      case 11:
        observedNs = cursor.fixed64BigInt('observed_time_unix_nano');
        break;
      case 12:
        eventName = cursor.string('event_name');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return {
    timestampNs: timeNs === 0n ? observedNs : timeNs,
    observedNs,
    hasTime: timeNs !== 0n,
    severityNumber,
    severityText,
    body,
    attributes,
    droppedAttributesCount,
    flags,
    traceId,
    spanId,
    eventName,
  };
}

/**
 * Decodes an `ExportLogsServiceRequest` in JSON.
 * @throws BarographError `malformed` (400) or `too_large` (413).
 */
export function decodeOtlpLogsJson(bytes: Uint8Array): OtlpLogRecord[] {
  const root = 'ExportLogsServiceRequest';
  const walk = new JsonWalk(root);
  const records: OtlpLogRecord[] = [];
  walk.messages(parseJsonObject(bytes, root), 'resourceLogs', (resourceLogs) => {
    const resource = readResource(walk, resourceLogs);
    walk.messages(resourceLogs, 'scopeLogs', (scopeLogs) => {
      const scope = readScope(walk, scopeLogs);
      walk.messages(scopeLogs, 'logRecords', (log) => {
        records.push(withOrigin(readLogRecord(walk, log), resource, scope));
      });
    });
  });
  return records;
}

function readLogRecord(walk: JsonWalk, log: JsonObject): OtlpLogFields {
  const timeNs = walk.timeNs(log, 'timeUnixNano');
  const observedNs = walk.timeNs(log, 'observedTimeUnixNano');
  return {
    timestampNs: timeNs === 0n ? observedNs : timeNs,
    observedNs,
    hasTime: timeNs !== 0n,
    severityNumber: walk.int32(log, 'severityNumber'),
    severityText: walk.string(log, 'severityText'),
    body: readAnyValue(walk, log, 'body'),
    attributes: readAttributes(walk, log, 'attributes'),
    droppedAttributesCount: walk.int32(log, 'droppedAttributesCount'),
    flags: walk.int32(log, 'flags'),
    traceId: validId(walk.hex(log, 'traceId'), 32),
    spanId: validId(walk.hex(log, 'spanId'), 16),
    eventName: walk.string(log, 'eventName'),
  };
}

function withOrigin(log: OtlpLogFields, resource: Attributes, scope: OtlpScope): OtlpLogRecord {
  return {
    ...log,
    resource,
    scopeName: scope.name,
    scopeVersion: scope.version,
    scopeAttributes: scope.attributes,
    scopeDroppedAttributesCount: scope.droppedAttributesCount,
  };
}
