import { type Draw, drawUnguessable, pick } from './random.ts';

// Letters whose code in hexadecimal has digits only, so that percent- and unicode-escapes are the same in either case;
// syllables, so that a marker is refused for the prose around it and not because it looks random.
const CONSONANTS = 'bcdfghprstvw';
const VOWELS = 'aeiu';
const SYLLABLES = CONSONANTS.length * VOWELS.length;
const ROOT_SYLLABLES = 8;
const CODE_SYLLABLES = 4;
const CODE_LETTERS = 2 * CODE_SYLLABLES;

/** Places that one run may have. */
export const MAX_PLACES = SYLLABLES ** CODE_SYLLABLES;

/** Ways in which a text is written before it is hidden. */
export const ENCODINGS = ['plain', 'base64', 'base64url', 'percent', 'json_escaped', 'utf16', 'hex'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** One form in which a run's markers may stand in bytes. */
export interface Needle {
  readonly encoding: Encoding;
  /** One character a byte (latin1). */
  readonly text: string;
}

/** A root of 16 letters in syllables, 44 bits, that nobody can guess and that no other run has. */
export function drawRoot(draw: Draw = drawUnguessable): string {
  return syllables(ROOT_SYLLABLES, draw);
}

function syllables(count: number, draw: Draw): string {
  return Array.from({ length: count }, () => pick(draw, [...CONSONANTS]) + pick(draw, [...VOWELS])).join('');
}

/** The marker of a place: the run's root and the place's number in syllables. One word of 24 lower-case letters. */
export function markerOf(root: string, place: number): string {
  let rest = place;
  let code = '';
  for (let i = 0; i < CODE_SYLLABLES; i++) {
    const syllable = rest % SYLLABLES;
    rest = Math.floor(rest / SYLLABLES);
    code = CONSONANTS[Math.floor(syllable / VOWELS.length)] + VOWELS[syllable % VOWELS.length] + code;
  }
  return root + code;
}

function placeOfCode(code: string): number | undefined {
  let place = 0;
  for (let i = 0; i < CODE_LETTERS; i += 2) {
    const consonant = CONSONANTS.indexOf(code[i]);
    const vowel = VOWELS.indexOf(code[i + 1]);
    if (consonant < 0 || vowel < 0) return undefined;
    place = place * SYLLABLES + consonant * VOWELS.length + vowel;
  }
  return place;
}

/** A text as an encoding writes it. */
export function encodeText(text: string, encoding: Encoding): string {
  switch (encoding) {
    case 'plain':
      return text;
    case 'base64':
      return Buffer.from(text, 'utf8').toString('base64');
    case 'base64url':
      return Buffer.from(text, 'utf8').toString('base64url');
    case 'percent':
      // Every byte, because a marker of letters would otherwise be written as it is.
      return [...Buffer.from(text, 'utf8')].map((byte) => `%${hexByte(byte)}`).join('');
    case 'json_escaped':
      return Array.from({ length: text.length }, (_, i) => `\\u${hex4(text.charCodeAt(i))}`).join('');
    case 'utf16':
      // UTF-16 of Latin letters that was read as bytes: every other character is NUL.
      return Buffer.from(text, 'utf16le').toString('latin1');
    case 'hex':
      return Buffer.from(text, 'utf8').toString('hex');
  }
}

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, '0').toUpperCase();
}

function hex4(code: number): string {
  return code.toString(16).padStart(4, '0');
}

/** The forms in which markers of a root are found, however they lie in base64 and whatever escaped them once more. */
export function needlesOf(root: string): Needle[] {
  const escaped = (backslashes: string) =>
    [...root].map((letter) => `u${hex4(letter.charCodeAt(0))}`).join(backslashes);
  return [
    { encoding: 'plain', text: root },
    ...[0, 1, 2].map((offset) => ({ encoding: 'base64' as const, text: base64Core(root, offset) })),
    { encoding: 'percent', text: [...root].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('') },
    { encoding: 'percent', text: [...root].map((letter) => `%25${letter.charCodeAt(0).toString(16)}`).join('') },
    { encoding: 'json_escaped', text: escaped('\\') },
    { encoding: 'json_escaped', text: escaped('\\\\') },
    { encoding: 'json_escaped', text: escaped('\\\\\\\\') },
    { encoding: 'utf16', text: [...root].join('\0') },
    { encoding: 'utf16', text: [...root].join('\\u0000') },
    { encoding: 'utf16', text: [...root].join('\\\\u0000') },
    { encoding: 'hex', text: Buffer.from(root).toString('hex') },
  ];
}

/**
 * The characters of base64 that only the root decides where it begins `offset` bytes after a multiple of three. Letters
 * give no `+` and `/`, so the alphabet for addresses has the same.
 */
function base64Core(root: string, offset: number): string {
  const skipped = (3 - offset) % 3;
  const whole = Math.floor((root.length - skipped) / 3) * 3;
  return Buffer.from(root.slice(skipped, skipped + whole)).toString('base64');
}

/** A marker that was found. */
export interface Sighting {
  readonly encoding: Encoding;
  /** The place's number, `undefined` where what follows the root was cut off. */
  readonly place: number | undefined;
}

/** Bytes after a needle's beginning in which the place's number must stand, in any form. */
export const WINDOW_BYTES = 320;

/** The markers in a text of one character a byte; at most 1,000. */
export function findMarkers(text: string, root: string, needles: readonly Needle[]): Sighting[] {
  const found: Sighting[] = [];
  for (const { encoding, text: needle } of needles) {
    for (let at = text.indexOf(needle); at >= 0 && found.length < 1000; at = text.indexOf(needle, at + needle.length)) {
      found.push({ encoding, place: placeAfter(text.slice(at, at + WINDOW_BYTES), root, encoding) });
    }
  }
  return found;
}

function placeAfter(window: string, root: string, encoding: Encoding): number | undefined {
  const decoded = decodeWindow(window, encoding);
  // Where base64 began within a byte, the first letters of the root are missing.
  const tail = root.slice(6);
  const at = decoded.indexOf(tail);
  return at < 0 ? undefined : placeOfCode(decoded.slice(at + tail.length, at + tail.length + CODE_LETTERS));
}

function decodeWindow(window: string, encoding: Encoding): string {
  switch (encoding) {
    case 'plain':
      return window;
    case 'base64':
    case 'base64url':
      return Buffer.from(/^[\w+/-]*/.exec(window)?.[0] ?? '', 'base64').toString('latin1');
    case 'percent':
      return window.replace(/%(?:25)?([0-9a-f]{2})/gi, (_, hex: string) => letterOf(hex));
    case 'json_escaped':
      return window.replace(/\\*u00([0-9a-f]{2})/gi, (_, hex: string) => letterOf(hex));
    case 'utf16':
      return window.replace(/\0|\\+u0000/g, '');
    case 'hex':
      return Buffer.from(/^(?:[0-9a-f]{2})*/i.exec(window)?.[0] ?? '', 'hex').toString('latin1');
  }
}

function letterOf(hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}
