import { isUtf8 } from 'node:buffer';
import type { BarographError } from '../model/index.ts';
import { malformed, tooLarge } from './malformed.ts';

/** A JSON object whose fields nobody vouches for. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** How many values one JSON body may hold; each can be two bytes of text and fifty of memory. */
export const MAX_JSON_VALUES = 4_000_000;
/** Bodies up to this size can't hold too many values and aren't counted. */
const UNCOUNTED_BYTES = 1024 * 1024;

/**
 * Parses a body as one JSON object.
 * @throws BarographError `malformed` (400), without a word of the body; `too_large` (413).
 */
export function parseJsonObject(bytes: Uint8Array, root: string): JsonObject {
  if (!isUtf8(bytes)) throw malformed(root, 'bytes that are not UTF-8', 'JSON in UTF-8');
  if (bytes.byteLength > UNCOUNTED_BYTES && countValues(bytes) > MAX_JSON_VALUES) {
    throw tooLarge(
      root,
      `more than ${MAX_JSON_VALUES} JSON values`,
      `at most ${MAX_JSON_VALUES}`,
      'send smaller batches',
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    // The runtime's message quotes the body, so only the position is taken from it.
    const position = /position (\d+)/.exec(cause instanceof Error ? cause.message : '')?.[1];
    const where = position === undefined ? root : `${root} at character ${position}`;
    throw malformed(where, 'text that is not JSON', 'one JSON object');
  }
  if (!isObject(value)) throw malformed(root, describe(value), 'a JSON object');
  return value;
}

/** An upper bound of the values in a JSON text: its separators and opening brackets outside of strings. */
function countValues(bytes: Uint8Array): number {
  let count = 1;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x2c || byte === 0x7b || byte === 0x5b) count++;
  }
  return count;
}

/**
 * Reads fields of parsed JSON by proto3's JSON rules as OTLP narrows them: absent and null fields have their default,
 * 64-bit integers are strings or numbers, enums are integers. Keeps the path for errors; unknown fields aren't looked at.
 */
export class JsonWalk {
  readonly #root: string;
  readonly #names: string[] = [];
  readonly #indexes: number[] = [];
  #depth = 0;

  constructor(root: string) {
    this.#root = root;
  }

  enter(name: string, index = -1): void {
    this.#names[this.#depth] = name;
    this.#indexes[this.#depth++] = index;
  }

  leave(): void {
    this.#depth--;
  }

  /** How many steps lie between the root and here. */
  get depth(): number {
    return this.#depth;
  }

  where(name = ''): string {
    let path = this.#root;
    for (let i = 0; i < this.#depth; i++) {
      path += `.${this.#names[i]}`;
      if (this.#indexes[i] >= 0) path += `[${this.#indexes[i]}]`;
    }
    return name === '' ? path : `${path}.${name}`;
  }

  fail(name: string, got: unknown, accepted: string): BarographError {
    return malformed(this.where(name), describe(got), accepted);
  }

  /** Calls `read` with the object in a field, inside its path; `otherwise` where it is absent. */
  message<T>(parent: JsonObject, name: string, read: (object: JsonObject) => T, otherwise: T): T {
    const value = parent[name];
    if (value === undefined || value === null) return otherwise;
    if (!isObject(value)) throw this.fail(name, value, 'an object');
    this.enter(name);
    const result = read(value);
    this.leave();
    return result;
  }

  /** Calls `read` for each object of a list and returns the results. */
  messages<T>(parent: JsonObject, name: string, read: (object: JsonObject, index: number) => T): T[] {
    const list = this.list(parent, name);
    const results: T[] = [];
    for (let i = 0; i < list.length; i++) {
      const value = list[i];
      if (!isObject(value)) throw this.fail(`${name}[${i}]`, value, 'an object');
      this.enter(name, i);
      results.push(read(value, i));
      this.leave();
    }
    return results;
  }

  /** A list; empty where it is absent. */
  list(parent: JsonObject, name: string): readonly unknown[] {
    const value = parent[name];
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw this.fail(name, value, 'a list');
    return value;
  }

  /** A string; '' where it is absent. */
  string(parent: JsonObject, name: string): string {
    const value = parent[name];
    if (value === undefined || value === null) return '';
    return this.text(value, name);
  }

  /** A value that must be a string of whole characters. */
  text(value: unknown, name: string): string {
    if (typeof value !== 'string') throw this.fail(name, value, 'a string');
    if (!value.isWellFormed()) throw malformed(this.where(name), 'half of a surrogate pair', 'whole characters');
    return value;
  }

  bool(parent: JsonObject, name: string): boolean {
    const value = parent[name];
    if (value === undefined || value === null) return false;
    if (typeof value !== 'boolean') throw this.fail(name, value, 'true or false');
    return value;
  }

  /** A double: a number, or a string as proto3 writes what JSON numbers can't; `undefined` where it is absent. */
  double(parent: JsonObject, name: string): number | undefined {
    const value = parent[name];
    return value === undefined || value === null ? undefined : this.doubleOf(value, name);
  }

  doubleOf(value: unknown, name: string): number {
    if (typeof value === 'number') return value;
    if (typeof value === 'string') {
      if (value === 'NaN') return Number.NaN;
      if (value === 'Infinity') return Number.POSITIVE_INFINITY;
      if (value === '-Infinity') return Number.NEGATIVE_INFINITY;
      if (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value)) return Number(value);
    }
    throw this.fail(name, value, 'a number, "NaN", "Infinity" or "-Infinity"');
  }

  /** An integer of at most 32 bits (an enum, a flag, a scale); 0 where it is absent. */
  int32(parent: JsonObject, name: string): number {
    const value = parent[name];
    if (value === undefined || value === null) return 0;
    const number = typeof value === 'string' && /^-?\d{1,10}$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isInteger(number) || number < -(2 ** 31) || number >= 2 ** 32) {
      throw this.fail(name, value, 'an integer of 32 bits (enums are numbers in OTLP)');
    }
    return number;
  }

  /** A 64-bit integer as a number, beyond 2^53 the nearest; `undefined` where it is absent. */
  int64(parent: JsonObject, name: string): number | undefined {
    const value = parent[name];
    return value === undefined || value === null ? undefined : this.int64Of(value, name);
  }

  int64Of(value: unknown, name: string): number {
    if (typeof value === 'number' && Number.isInteger(value)) return value;
    if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return Number(value);
    throw this.fail(name, value, 'an integer, as a string or a number');
  }

  /** A `fixed64` of nanoseconds, exact where it was sent as a string; 0n where it is absent. */
  timeNs(parent: JsonObject, name: string): bigint {
    const value = parent[name];
    if (value === undefined || value === null) return 0n;
    if (typeof value === 'string' && /^\d{1,20}$/.test(value)) return BigInt(value);
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return BigInt(value);
    throw this.fail(name, value, 'nanoseconds since the epoch, as a string or a number');
  }

  /** The same in whole milliseconds, rounded down. */
  timeMs(parent: JsonObject, name: string): number {
    return Number(this.timeNs(parent, name) / 1_000_000n);
  }

  /** An ID in hexadecimal of either case; returned in lower case, '' where it is absent. */
  hex(parent: JsonObject, name: string): string {
    const value = parent[name];
    if (value === undefined || value === null || value === '') return '';
    if (typeof value !== 'string' || !/^(?:[0-9a-fA-F]{2})+$/.test(value)) {
      throw this.fail(name, value, 'hexadecimal digits (OTLP/JSON writes IDs in hex, not base64)');
    }
    return value.toLowerCase();
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The kind of a JSON value, for errors; never the value, which may be content. */
function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'object':
      return 'an object';
    case 'string':
      return `a string of ${value.length} characters`;
    case 'number':
      return 'a number';
    case 'undefined':
      return 'nothing';
    default:
      return `a ${typeof value}`;
  }
}
