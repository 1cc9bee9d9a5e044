import { BarographError, type Labels } from '../../model/index.ts';

/** Bytes of an answer at most, as for query results: what clients can still take. */
const MAX_BYTES = 512 * 1024 * 1024;
/** Characters that are collected before they are written. */
const FLUSH_CHARACTERS = 32_768;

/**
 * Writes label sets as JSON objects, one after the other, in UTF-8. Sets that follow each other mostly share names and
 * values (an index holds each text once, and answers are sorted), so what stays the same at a place is not quoted again.
 */
export class LabelJson {
  private bytes: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(65_536);
  private length = 0;
  private pending = '';
  private before: Labels = [];
  private readonly fragments: string[] = [];

  /** Appends text as it is. */
  text(text: string): void {
    this.pending += text;
    if (this.pending.length >= FLUSH_CHARACTERS) this.flush();
  }

  /** Appends a label set as an object. */
  labels(labels: Labels): void {
    const { before, fragments } = this;
    let out = '{';
    for (let i = 0; i < labels.length; i += 2) {
      if (labels[i] !== before[i] || labels[i + 1] !== before[i + 1]) {
        fragments[i] = `${JSON.stringify(labels[i])}:${JSON.stringify(labels[i + 1])}`;
      }
      out += i === 0 ? fragments[i] : `,${fragments[i]}`;
    }
    this.before = labels;
    this.text(`${out}}`);
  }

  /** Everything that was appended; nothing may be appended after. */
  finish(): Uint8Array<ArrayBuffer> {
    this.flush();
    return new Uint8Array(this.bytes.buffer.slice(0, this.length));
  }

  private flush(): void {
    // A UTF-16 code unit becomes three bytes at most.
    const needed = this.length + this.pending.length * 3;
    if (needed > MAX_BYTES) {
      throw new BarographError({
        code: 'query_limit',
        status: 422,
        where: 'answer',
        got: `more than ${MAX_BYTES} bytes of labels`,
        fix: 'add matchers, shorten the time range, or set limit',
      });
    }
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.length += this.bytes.write(this.pending, this.length);
    this.pending = '';
  }
}
