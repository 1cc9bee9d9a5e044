import { BarographError, createMatcher, type Matcher, type MatchOp } from '../model/index.ts';
import { Cursor } from './cursor.ts';
import { tooLarge } from './malformed.ts';

/** How a remote read can be answered. */
export type ReadResponseType = 'samples' | 'streamed_xor_chunks';

/** What the asker says about the query that it reads for. Storage may use it, and may not rely on it. */
export interface ReadHints {
  /** Step of the query, milliseconds; 0 for instant ones. */
  readonly stepMs: number;
  /** Function or aggregation around the selector; '' where there is none. */
  readonly func: string;
  /** Milliseconds since the epoch, inclusive. */
  readonly startMs: number;
  readonly endMs: number;
  /** Labels that the aggregation groups by, or leaves out. */
  readonly grouping: readonly string[];
  readonly by: boolean;
  /** Range of the selector, milliseconds; 0 where it has none. */
  readonly rangeMs: number;
}

/** One query of a remote read. */
export interface ReadQuery {
  /** Milliseconds since the epoch, inclusive. */
  readonly startMs: number;
  /** Milliseconds since the epoch, inclusive. */
  readonly endMs: number;
  readonly matchers: readonly Matcher[];
  readonly hints: ReadHints | undefined;
}

/** A remote read. */
export interface ReadRequest {
  /** Answered in this order. */
  readonly queries: readonly ReadQuery[];
  /** The first of the asked response types that can be given. */
  readonly responseType: ReadResponseType;
}

/** How many queries, and matchers of all of them, one request may have. */
const MAX_QUERIES = 1000;
const MAX_MATCHERS = 10_000;

const MATCH_OPS: readonly MatchOp[] = ['=', '!=', '=~', '!~'];
const RESPONSE_TYPES: readonly ReadResponseType[] = ['samples', 'streamed_xor_chunks'];

/**
 * Decodes a Prometheus remote read request (`prompb.ReadRequest`, decompressed) with compiled matchers.
 * @throws BarographError `malformed` (400), `bad_regex` (400), `bad_parameter` (400) where no response type that is asked
 * for is known, `too_large` (413).
 */
export function decodeReadRequest(bytes: Uint8Array): ReadRequest {
  const cursor = new Cursor(bytes, 'ReadRequest');
  const queries: ReadQuery[] = [];
  const accepted: number[] = [];
  let matchers = 0;
  // message ReadRequest {
  //   repeated Query queries = 1;
  //   repeated ResponseType accepted_response_types = 2;
  // }
  while (cursor.next()) {
    switch (cursor.field) {
      case 1: {
        if (queries.length >= MAX_QUERIES) throw tooMany('queries', MAX_QUERIES);
        const outer = cursor.enter('queries', queries.length);
        const query = decodeQuery(cursor);
        cursor.leave(outer);
        matchers += query.matchers.length;
        if (matchers > MAX_MATCHERS) throw tooMany('matchers', MAX_MATCHERS);
        queries.push(query);
        break;
      }
      case 2:
        cursor.uint64s('accepted_response_types', accepted);
        break;
      default:
        cursor.skip();
    }
  }
  return { queries, responseType: chooseResponseType(accepted) };
}

/** The first that is known; samples where nothing is asked for. */
function chooseResponseType(accepted: readonly number[]): ReadResponseType {
  if (accepted.length === 0) return 'samples';
  for (const type of accepted) if (RESPONSE_TYPES[type] !== undefined) return RESPONSE_TYPES[type];
  throw new BarographError({
    code: 'bad_parameter',
    status: 400,
    where: 'ReadRequest.accepted_response_types',
    got: 'none that is known',
    accepted: 'SAMPLES (0) or STREAMED_XOR_CHUNKS (1)',
  });
}

// message Query {
//   int64 start_timestamp_ms = 1;
//   int64 end_timestamp_ms = 2;
//   repeated LabelMatcher matchers = 3;
//   ReadHints hints = 4;
// }
function decodeQuery(cursor: Cursor): ReadQuery {
  let [startMs, endMs] = [0, 0];
  let hints: ReadHints | undefined;
  const matchers: Matcher[] = [];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        startMs = cursor.int64Number('start_timestamp_ms');
        break;
      case 2:
        endMs = cursor.int64Number('end_timestamp_ms');
        break;
      case 3: {
        if (matchers.length >= MAX_MATCHERS) throw tooMany('matchers', MAX_MATCHERS);
        const outer = cursor.enter('matchers', matchers.length);
        matchers.push(decodeMatcher(cursor));
        cursor.leave(outer);
        break;
      }
      case 4: {
        const outer = cursor.enter('hints');
        hints = decodeHints(cursor);
        cursor.leave(outer);
        break;
      }
      default:
        cursor.skip();
    }
  }
  return { startMs, endMs, matchers, hints };
}

// message LabelMatcher {
//   enum Type { EQ = 0; NEQ = 1; RE = 2; NRE = 3; }
//   Type type = 1;
//   string name = 2;
//   string value = 3;
// }
function decodeMatcher(cursor: Cursor): Matcher {
  let [type, name, value] = [0, '', ''];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        type = cursor.uint32('type');
        break;
      case 2:
        name = cursor.string('name');
        break;
      case 3:
        value = cursor.string('value');
        break;
      default:
        cursor.skip();
    }
  }
  const op = MATCH_OPS[type];
  if (op === undefined) throw cursor.failIn('type', `type ${type}`, '0 to 3');
  return createMatcher(name, op, value);
}

// message ReadHints {
//   int64 step_ms = 1;  string func = 2;  int64 start_ms = 3;  int64 end_ms = 4;
//   repeated string grouping = 5;  bool by = 6;  int64 range_ms = 7;
// }
function decodeHints(cursor: Cursor): ReadHints {
  let [stepMs, func, startMs, endMs, by, rangeMs] = [0, '', 0, 0, false, 0];
  const grouping: string[] = [];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        stepMs = cursor.int64Number('step_ms');
        break;
      case 2:
        func = cursor.string('func');
        break;
      case 3:
        startMs = cursor.int64Number('start_ms');
        break;
      case 4:
        endMs = cursor.int64Number('end_ms');
        break;
      case 5:
        if (grouping.length >= MAX_MATCHERS) throw tooMany('grouping labels', MAX_MATCHERS);
        grouping.push(cursor.string('grouping'));
        break;
      case 6:
        by = cursor.bool('by');
        break;
      case 7:
        rangeMs = cursor.int64Number('range_ms');
        break;
      default:
        cursor.skip();
    }
  }
  return { stepMs, func, startMs, endMs, grouping, by, rangeMs };
}

function tooMany(what: string, limit: number): BarographError {
  return tooLarge('ReadRequest', `more than ${limit} ${what}`, `at most ${limit}`, 'ask for less at once');
}
