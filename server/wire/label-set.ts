import { type BarographError, isPlainLabelName, type Labels, labelsFromPairs } from '../model/index.ts';
import { malformed } from './malformed.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/**
 * Parses a stream's labels as Loki's protobuf sends them: `{app="a", path="C:\\x", raw=\`b\`}`, values quoted as in Go.
 * Labels with an empty value are left out.
 * @param where the path of the string, for errors
 * @throws BarographError `malformed`, with the position and what was expected, never the text.
 */
export function parseLabelSet(text: string, where: string): Labels {
  const parser = new LabelSetParser(text, where);
  return parser.parse();
}

class LabelSetParser {
  readonly #text: string;
  readonly #where: string;
  #pos = 0;

  constructor(text: string, where: string) {
    this.#text = text;
    this.#where = where;
  }

  parse(): Labels {
    const pairs: [string, string][] = [];
    const seen = new Set<string>();
    this.#expect('{');
    while (!this.#accept('}')) {
      if (pairs.length > 0) {
        this.#expect(',');
        if (this.#accept('}')) break;
      }
      const name = this.#name();
      if (seen.has(name)) throw this.#fail('a label name that came before', 'each name once');
      seen.add(name);
      this.#expect('=');
      pairs.push([name, this.#value()]);
    }
    this.#space();
    if (this.#pos < this.#text.length) throw this.#fail('more text', 'the end after }');
    return labelsFromPairs(pairs);
  }

  #name(): string {
    this.#space();
    const start = this.#pos;
    while (this.#pos < this.#text.length && /[a-zA-Z0-9_]/.test(this.#text[this.#pos])) this.#pos++;
    const name = this.#text.slice(start, this.#pos);
    if (!isPlainLabelName(name)) throw this.#fail('no label name', 'a name of letters, digits and _', start);
    return name;
  }

  #value(): string {
    this.#space();
    const quote = this.#text[this.#pos];
    if (quote === '`') {
      const end = this.#text.indexOf('`', this.#pos + 1);
      if (end < 0) throw this.#fail('a value without an end', 'a closing `');
      const value = this.#text.slice(this.#pos + 1, end);
      this.#pos = end + 1;
      return value;
    }
    if (quote !== '"') throw this.#fail('no quote', 'a quoted value');
    this.#pos++;
    let value = '';
    for (;;) {
      const char = this.#text[this.#pos];
      if (char === undefined || char === '\n') throw this.#fail('a value without an end', 'a closing "');
      this.#pos++;
      if (char === '"') return value;
      value += char === '\\' ? this.#escape() : char;
    }
  }

  #escape(): string {
    const at = this.#pos - 1;
    const char = this.#text[this.#pos++] ?? '';
    if (Object.hasOwn(ESCAPES, char)) return ESCAPES[char];
    if (char === 'x' || (char >= '0' && char <= '7')) return this.#bytes(at);
    const digits = char === 'u' ? 4 : char === 'U' ? 8 : 0;
    const code = digits > 0 ? this.#hex(digits) : undefined;
    if (code === undefined || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
      throw this.#fail('an unknown escape', 'the escapes of Go strings', at);
    }
    return String.fromCodePoint(code);
  }

  /** `\xhh` and `\ooo` are bytes of UTF-8, so a run of them is decoded together. */
  #bytes(at: number): string {
    const bytes: number[] = [];
    this.#pos = at;
    while (this.#text[this.#pos] === '\\') {
      const match = /^\\(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2}))/.exec(this.#text.slice(this.#pos, this.#pos + 4));
      if (match === null) break;
      bytes.push(match[1] !== undefined ? Number.parseInt(match[1], 16) : Number.parseInt(match[2], 8));
      this.#pos += match[0].length;
    }
    if (bytes.length === 0) throw this.#fail('an unknown escape', 'the escapes of Go strings', at);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
    } catch {
      throw this.#fail('escaped bytes that are not UTF-8', 'UTF-8 text', at);
    }
  }

  #hex(digits: number): number | undefined {
    const text = this.#text.slice(this.#pos, this.#pos + digits);
    if (text.length < digits || !/^[0-9a-fA-F]+$/.test(text)) return undefined;
    this.#pos += digits;
    return Number.parseInt(text, 16);
  }

  #space(): void {
    while (this.#pos < this.#text.length && ' \t\n\r'.includes(this.#text[this.#pos])) this.#pos++;
  }

  #accept(char: string): boolean {
    this.#space();
    if (this.#text[this.#pos] !== char) return false;
    this.#pos++;
    return true;
  }

  #expect(char: string): void {
    if (!this.#accept(char)) throw this.#fail('something else', `"${char}"`);
  }

  #fail(got: string, accepted: string, at = this.#pos): BarographError {
    return malformed(`${this.#where}, character ${at}`, got, accepted, 'write labels as {name="value", …}');
  }
}
