import type { TokenKind } from '@barograph/sdk';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;

/** Keys whose strings differ from one piece of an answer to the next. */
const TEXT_KEYS: ReadonlySet<string> = new Set([
  'content',
  'text',
  'delta',
  'reasoning_content',
  'reasoning',
  'thinking',
  'partial_json',
  'arguments',
  'obfuscation',
]);
/** Keys whose numbers do. */
const NUMBER_KEYS: ReadonlySet<string> = new Set(['sequence_number', 'created']);
/** A shape has more literal bytes than this only if the events are odd; those are parsed. */
const MAX_LITERAL_BYTES = 4096;
const MAX_HOLES = 8;

type Hole = 'text' | 'empty text' | 'number';

/**
 * What the events of a stream have in common: all their bytes but the texts that the model wrote. An event with the same
 * literal bytes, and with any string without a bare quote in place of each text, is the same JSON but for these texts. So
 * what a parse said of one holds for the other, as long as the same texts are empty.
 */
export class EventShape {
  /** The kind of the piece that each event of this shape is. */
  readonly kind: TokenKind;
  /** One more than holes. */
  readonly #literals: readonly Buffer[];
  readonly #holes: readonly Hole[];

  constructor(kind: TokenKind, literals: readonly Buffer[], holes: readonly Hole[]) {
    this.kind = kind;
    this.#literals = literals;
    this.#holes = holes;
  }

  /** Whether the bytes from `start` to `end`, exclusive, have this shape. Costs no allocation. */
  matches(bytes: Buffer, start: number, end: number): boolean {
    const literals = this.#literals;
    let at = start;
    for (let i = 0; i < this.#holes.length; i++) {
      const literal = literals[i];
      const literalEnd = at + literal.length;
      if (literalEnd > end || bytes.compare(literal, 0, literal.length, at, literalEnd) !== 0) return false;
      at = literalEnd;
      const hole = this.#holes[i];
      if (hole === 'number') {
        while (at < end && bytes[at] >= ZERO && bytes[at] <= NINE) at++;
        if (at === literalEnd) return false;
        continue;
      }
      // Texts of pieces are some bytes long, so that a loop is faster than a call of a search.
      while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
      if (at >= end || (at === literalEnd) !== (hole === 'empty text')) return false;
    }
    const last = literals[literals.length - 1];
    return end - at === last.length && bytes.compare(last, 0, last.length, at, end) === 0;
  }
}

/**
 * The shape of an event.
 * @param json the event's data, which a parse has accepted
 * @param kind what the parse said that it is
 * @returns undefined where it has no text that could differ, or too much beside them.
 */
export function shapeOf(json: Buffer, kind: TokenKind): EventShape | undefined {
  const literals: Buffer[] = [];
  const holes: Hole[] = [];
  let from = 0;
  let i = 0;
  const cut = (start: number, end: number, hole: Hole): void => {
    literals.push(Buffer.from(json.subarray(from, start)));
    holes.push(hole);
    from = end;
  };
  while (i < json.length) {
    if (json[i] !== QUOTE) {
      i++;
      continue;
    }
    const end = stringEnd(json, i + 1);
    const colon = skipSpace(json, end + 1);
    if (json[colon] !== COLON) {
      i = end + 1;
      continue;
    }
    const key = json.toString('latin1', i + 1, end);
    const value = skipSpace(json, colon + 1);
    i = value;
    if (json[value] === QUOTE && TEXT_KEYS.has(key)) {
      const valueEnd = stringEnd(json, value + 1);
      cut(value + 1, valueEnd, valueEnd === value + 1 ? 'empty text' : 'text');
      i = valueEnd + 1;
    } else if (json[value] >= ZERO && json[value] <= NINE && NUMBER_KEYS.has(key)) {
      let numberEnd = value;
      while (json[numberEnd] >= ZERO && json[numberEnd] <= NINE) numberEnd++;
      cut(value, numberEnd, 'number');
      i = numberEnd;
    }
  }
  literals.push(Buffer.from(json.subarray(from)));
  const bytes = literals.reduce((sum, literal) => sum + literal.length, 0);
  return holes.length === 0 || holes.length > MAX_HOLES || bytes > MAX_LITERAL_BYTES
    ? undefined
    : new EventShape(kind, literals, holes);
}

/** The place of the closing quote of a string that begins at `start`. */
function stringEnd(json: Buffer, start: number): number {
  let at = start;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at;
}

function skipSpace(json: Buffer, start: number): number {
  let at = start;
  while (json[at] <= SPACE) at++;
  return at;
}
