import { isAscii } from 'node:buffer';
import type { SharedBytes, SharedWords } from './shared-column.ts';

/** Bytes of text that are turned into one string, of which symbols are parts. */
const PAGE_BYTES = 64 * 1024;
/** Pages that are kept: 16 MiB. */
const MAX_PAGES = 256;
/** Strings of symbols that are kept. */
const MAX_KEPT = 262_144;

/** Some of the text, as far as it was there. */
interface Page {
  /** `undefined` where it isn't ASCII, so that places in it aren't those of its bytes. */
  readonly text: string | undefined;
  readonly bytes: number;
}

/**
 * The texts of symbols as strings. A call into the platform for each of them is what reading labels would spend most of
 * its time on, so whole pages become strings, and symbols parts of these.
 */
export class SymbolTexts {
  private readonly text: SharedBytes;
  private readonly ends: SharedWords;
  private pages: (Page | undefined)[] = [];
  private keptPages = 0;
  private kept: (string | undefined)[] = [];
  private keptCount = 0;
  /** Bytes that may be looked at. */
  private readable = 0;

  constructor(text: SharedBytes, ends: SharedWords) {
    this.text = text;
    this.ends = ends;
  }

  /** Takes note of how many symbols may be looked at. */
  refresh(symbols: number): void {
    this.readable = symbols === 0 ? 0 : this.ends.view[symbols - 1];
    while (this.kept.length < symbols) this.kept.push(undefined);
  }

  /** The text of a symbol, which is kept for the next time. */
  keep(symbol: number): string {
    const known = this.kept[symbol];
    if (known !== undefined) return known;
    if (this.keptCount >= MAX_KEPT) {
      this.kept.fill(undefined);
      this.keptCount = 0;
    }
    this.keptCount++;
    const text = this.read(symbol);
    this.kept[symbol] = text;
    return text;
  }

  /** The text of a symbol, for a look at it. */
  look(symbol: number): string {
    return this.kept[symbol] ?? this.read(symbol);
  }

  /** Whether the text of a symbol begins with some bytes. */
  startsWith(symbol: number, prefix: Uint8Array): boolean {
    const start = this.start(symbol);
    if (this.ends.view[symbol] - start < prefix.length) return false;
    const bytes = this.text.view;
    for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false;
    return true;
  }

  /** Bytes of the text of a symbol. */
  byteLength(symbol: number): number {
    return this.ends.view[symbol] - this.start(symbol);
  }

  private start(symbol: number): number {
    return symbol === 0 ? 0 : this.ends.view[symbol - 1];
  }

  private read(symbol: number): string {
    const start = this.start(symbol);
    const end = this.ends.view[symbol];
    const number = Math.floor(start / PAGE_BYTES);
    const from = number * PAGE_BYTES;
    if (end - from <= PAGE_BYTES) {
      let page = this.pages[number];
      if (!page || page.bytes < end - from) page = this.readPage(number, page);
      if (page.text !== undefined) return page.text.substring(start - from, end - from);
    }
    return this.text.view.toString('utf8', start, end);
  }

  private readPage(number: number, old: Page | undefined): Page {
    if (!old && ++this.keptPages > MAX_PAGES) {
      this.pages = [];
      this.keptPages = 1;
    }
    const from = number * PAGE_BYTES;
    // Copied, since the check doesn't take shared memory.
    const bytes = Buffer.from(this.text.view.subarray(from, Math.min(this.readable, from + PAGE_BYTES)));
    const page = { text: isAscii(bytes) ? bytes.toString('latin1') : undefined, bytes: bytes.length };
    this.pages[number] = page;
    return page;
  }
}
