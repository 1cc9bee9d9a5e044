/** Larger bodies are put together in memory of their own. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

/**
 * The one place where bodies are put together that came uncompressed: a new buffer for each would make the collector run
 * more often.
 */
export class BodySpace {
  #buffer = Buffer.alloc(0);

  /** The pieces in one; valid until the next call. */
  join(chunks: readonly Buffer[], bytes: number): Buffer {
    if (chunks.length === 1) return chunks[0];
    if (bytes > MAX_KEPT_BYTES) return Buffer.concat(chunks, bytes);
    if (bytes > this.#buffer.length) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.min(MAX_KEPT_BYTES, Math.max(bytes, this.#buffer.length * 2)));
    }
    let at = 0;
    for (const chunk of chunks) {
      this.#buffer.set(chunk, at);
      at += chunk.length;
    }
    return this.#buffer.subarray(0, bytes);
  }
}
