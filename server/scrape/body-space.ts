import { freeBody } from '../wire/index.ts';

/** Larger bodies are put together in memory of their own. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

/** The one place where bodies are put together that came uncompressed, one after the other. */
export class BodySpace {
  #buffer = Buffer.alloc(0);

  /** The pieces in one, valid until the next call; the pieces themselves are freed. */
  join(chunks: readonly Buffer[], bytes: number): Buffer {
    if (bytes > this.#buffer.length && bytes <= MAX_KEPT_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.min(MAX_KEPT_BYTES, Math.max(bytes, this.#buffer.length * 2)));
    }
    const space = bytes <= this.#buffer.length ? this.#buffer : Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    for (const chunk of chunks) {
      space.set(chunk, at);
      at += chunk.length;
    }
    for (const chunk of chunks) freeBody(chunk);
    return space.subarray(0, bytes);
  }
}
