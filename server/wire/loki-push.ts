import {
  isPlainLabelName,
  type Labels,
  type LogEntry,
  labelsFromPairs,
  labelsKey,
  labelsToRecord,
  NO_LABELS,
} from '../model/index.ts';
import { Cursor } from './cursor.ts';
import { isObject, type JsonObject, JsonWalk, parseJsonObject } from './json-walk.ts';
import { parseLabelSet } from './label-set.ts';
import { DEFAULT_LOG_OPTIONS, discoverLevel, discoverServiceName, type LogOptions } from './log-discovery.ts';
import { malformed } from './malformed.ts';

/** How many nested messages one push may hold: streams, entries, timestamps and metadata pairs. */
const MAX_PUSH_ELEMENTS = 3_000_000;

/**
 * Decodes a Loki push request in protobuf (after snappy). Entries of one stream share its `stream` array; they come in the order
 * of the request. `options` say what is discovered: `service_name`, `detected_level`.
 * @throws BarographError `malformed` (400) or `too_large` (413).
 */
export function decodeLokiPush(bytes: Uint8Array, options: Partial<LogOptions> = {}): LogEntry[] {
  const settings = { ...DEFAULT_LOG_OPTIONS, ...options };
  const cursor = new Cursor(bytes, 'PushRequest', MAX_PUSH_ELEMENTS);
  const entries: LogEntry[] = [];
  let count = 0;
  // message PushRequest { repeated StreamAdapter streams = 1; string format = 2; }
  while (cursor.next()) {
    if (cursor.field === 1) decodeStream(cursor, count++, settings, entries);
    else cursor.skip();
  }
  return entries;
}

// message StreamAdapter {
//   string labels = 1;
//   repeated EntryAdapter entries = 2;
//   uint64 hash = 3;
// }
function decodeStream(cursor: Cursor, index: number, options: LogOptions, entries: LogEntry[]): void {
  const outer = cursor.enter('streams', index);
  const first = entries.length;
  let stream: Labels | undefined;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        stream = completeStream(
          parseLabelSet(cursor.string('labels'), cursor.where('labels')),
          cursor.where('labels'),
          options,
        );
        break;
      case 2:
        entries.push(decodeEntry(cursor, entries.length - first));
        break;
      default:
        cursor.skip();
    }
  }
  if (stream === undefined) throw cursor.failIn('labels', 'nothing', 'labels such as {app="x"}');
  cursor.leave(outer);
  for (let i = first; i < entries.length; i++) completeEntry(entries[i], stream, options);
}

/** Adds what receivers discover to a stream's labels; a stream without any is refused, as by Loki. */
function completeStream(labels: Labels, where: string, options: LogOptions): Labels {
  if (labels.length === 0) throw malformed(where, 'no labels', 'at least one label with a value');
  return options.discoverServiceName ? discoverServiceName(labels) : labels;
}

/** Puts an entry into its stream and adds what receivers discover about it. */
function completeEntry(entry: LogEntry, stream: Labels, options: LogOptions): void {
  entry.stream = stream;
  if (options.discoverLevel) entry.metadata = discoverLevel(stream, entry.metadata, entry.line);
}

// message EntryAdapter {
//   google.protobuf.Timestamp timestamp = 1;
//   string line = 2;
//   repeated LabelPairAdapter structuredMetadata = 3;
//   repeated LabelPairAdapter parsed = 4;
// }
function decodeEntry(cursor: Cursor, index: number): LogEntry {
  const outer = cursor.enter('entries', index);
  let timestampNs: bigint | undefined;
  let line = '';
  const metadata: (readonly [string, string])[] = [];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        timestampNs = decodeTimestamp(cursor);
        break;
      case 2:
        line = cursor.string('line');
        break;
      case 3:
        metadata.push(decodePair(cursor, metadata.length));
        break;
      default:
        cursor.skip();
    }
  }
  if (timestampNs === undefined) throw cursor.failIn('timestamp', 'nothing', 'a timestamp');
  cursor.leave(outer);
  const labels = metadata.length === 0 ? NO_LABELS : labelsFromPairs(metadata);
  return { stream: NO_LABELS, timestampNs, line, metadata: labels };
}

// message Timestamp { int64 seconds = 1; int32 nanos = 2; }
function decodeTimestamp(cursor: Cursor): bigint {
  const outer = cursor.enter('timestamp');
  let seconds = 0n;
  let nanos = 0;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        seconds = cursor.int64BigInt('seconds');
        break;
      case 2:
        nanos = cursor.int32('nanos');
        break;
      default:
        cursor.skip();
    }
  }
  if (nanos < 0 || nanos > 999_999_999) throw cursor.failIn('nanos', `${nanos}`, '0 to 999999999');
  cursor.leave(outer);
  return seconds * 1_000_000_000n + BigInt(nanos);
}

// message LabelPairAdapter { string name = 1; string value = 2; }
function decodePair(cursor: Cursor, index: number): readonly [string, string] {
  const outer = cursor.enter('structuredMetadata', index);
  let name = '';
  let value = '';
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        name = cursor.string('name');
        break;
      case 2:
        value = cursor.string('value');
        break;
      default:
        cursor.skip();
    }
  }
  if (name === '') throw cursor.failIn('name', 'an empty name', 'a name');
  cursor.leave(outer);
  return [name, value];
}

/**
 * Decodes a Loki push request in JSON:
 * `{"streams":[{"stream":{"app":"x"},"values":[["<ns as a string>","line",{"key":"value"}]]}]}`.
 * @throws BarographError `malformed` (400) or `too_large` (413).
 */
export function decodeLokiPushJson(bytes: Uint8Array, options: Partial<LogOptions> = {}): LogEntry[] {
  const settings = { ...DEFAULT_LOG_OPTIONS, ...options };
  const walk = new JsonWalk('PushRequest');
  const body = parseJsonObject(bytes, 'PushRequest');
  const entries: LogEntry[] = [];
  walk.messages(body, 'streams', (object) => {
    if (!isObject(object.stream)) throw walk.fail('stream', object.stream, 'an object of labels');
    const pairs = readPairs(walk, object.stream, 'stream');
    for (let i = 0; i < pairs.length; i++) {
      if (!isPlainLabelName(pairs[i][0]))
        throw walk.fail(`stream[${i}]`, pairs[i][0], 'a name of letters, digits and _');
    }
    const stream = completeStream(labelsFromPairs(pairs), walk.where('stream'), settings);
    const values = walk.list(object, 'values');
    for (let i = 0; i < values.length; i++) {
      walk.enter('values', i);
      const entry = readEntry(walk, values[i]);
      completeEntry(entry, stream, settings);
      entries.push(entry);
      walk.leave();
    }
  });
  return entries;
}

function readEntry(walk: JsonWalk, value: unknown): LogEntry {
  if (!Array.isArray(value) || value.length < 2 || value.length > 3) {
    throw walk.fail('', value, 'a list of a timestamp, a line and, optionally, an object of structured metadata');
  }
  const [time, line, metadata] = value as unknown[];
  if (typeof time !== 'string' || !/^-?\d{1,19}$/.test(time)) {
    throw walk.fail('timestamp', time, 'nanoseconds since the epoch as a string of digits');
  }
  if (metadata !== undefined && !isObject(metadata)) throw walk.fail('metadata', metadata, 'an object of strings');
  return {
    stream: NO_LABELS,
    timestampNs: BigInt(time),
    line: walk.text(line, 'line'),
    metadata: metadata === undefined ? NO_LABELS : labelsFromPairs(readPairs(walk, metadata, 'metadata')),
  };
}

/** A flat object of strings. Its keys may be content, so errors count them instead of naming them. */
function readPairs(walk: JsonWalk, object: JsonObject, name: string): [string, string][] {
  return Object.keys(object).map((key, i) => {
    if (key === '') throw walk.fail(`${name}[${i}]`, key, 'a name of at least one character');
    return [walk.text(key, `${name}[${i}]`), walk.text(object[key], `${name}[${i}]`)];
  });
}

/** Encodes entries as a Loki push request in JSON, grouped by stream, in the order of their arrival within each. */
export function encodeLokiPushJson(entries: readonly LogEntry[]): Uint8Array {
  const streams = new Map<string, { stream: Record<string, string>; values: unknown[] }>();
  for (const entry of entries) {
    const key = labelsKey(entry.stream);
    let found = streams.get(key);
    if (!found) {
      found = { stream: labelsToRecord(entry.stream), values: [] };
      streams.set(key, found);
    }
    const value: unknown[] = [String(entry.timestampNs), entry.line];
    if (entry.metadata.length > 0) value.push(labelsToRecord(entry.metadata));
    found.values.push(value);
  }
  return Buffer.from(JSON.stringify({ streams: [...streams.values()] }), 'utf8');
}
