import zlib from 'node:zlib';
import type { MemoryBudget } from './memory-budget.ts';
import type { UnmeasuredReason } from './own-metrics.ts';

/** About what a decoder takes; bytes. */
const DECODER_BYTES = 128 * 1024;
/** Encoded bytes that may wait for the decoder. */
const MAX_WAITING_BYTES = 256 * 1024;
/** Decoded bytes of one answer at most; more isn't an answer. */
const MAX_DECODED_BYTES = 16 * 1024 * 1024;

/** Who gets the decoded bytes. */
export interface DecodedListener {
  bytes(chunk: Buffer): void;
  end(): void;
  /** Decoding was given up; neither bytes nor an end follow. */
  failed(reason: UnmeasuredReason): void;
}

function createDecoder(encoding: string): zlib.Gunzip | undefined {
  // Servers flush after each event, and what was flushed must come out at once.
  const options = { flush: zlib.constants.Z_SYNC_FLUSH, finishFlush: zlib.constants.Z_SYNC_FLUSH };
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip(options);
    case 'deflate':
      return zlib.createInflate(options);
    case 'br':
      return zlib.createBrotliDecompress() as unknown as zlib.Gunzip;
    case 'zstd':
      return zlib.createZstdDecompress?.() as unknown as zlib.Gunzip | undefined;
    default:
      return undefined;
  }
}

/**
 * Decodes a copy of an answer for measuring, beside the bytes that are passed on as they are. Bounded in what waits and in
 * what comes out, so that an answer that unpacks to gigabytes costs no more than another.
 */
export class DecodedCopy {
  readonly #decoder: zlib.Gunzip | undefined;
  readonly #listener: DecodedListener;
  readonly #budget: MemoryBudget;
  #decodedBytes = 0;
  #isOver = false;

  constructor(encoding: string, listener: DecodedListener, budget: MemoryBudget) {
    this.#listener = listener;
    this.#budget = budget;
    if (!budget.take(DECODER_BYTES)) {
      this.#isOver = true;
      listener.failed('memory');
      return;
    }
    this.#decoder = createDecoder(encoding);
    if (!this.#decoder) {
      this.#giveUp('unknown_encoding');
      return;
    }
    this.#decoder.on('data', (chunk: Buffer) => {
      if (this.#isOver) return;
      this.#decodedBytes += chunk.length;
      if (this.#decodedBytes > MAX_DECODED_BYTES) this.#giveUp('body_too_large');
      else listener.bytes(chunk);
    });
    this.#decoder.on('error', () => this.#giveUp('decode_error'));
    this.#decoder.on('end', () => {
      if (this.#isOver) return;
      this.#close();
      listener.end();
    });
  }

  write(chunk: Buffer): void {
    if (this.#isOver || !this.#decoder) return;
    if (this.#decoder.writableLength > MAX_WAITING_BYTES) this.#giveUp('decoder_behind');
    else this.#decoder.write(chunk);
  }

  /** The answer has ended; `end` or `failed` follows, unless it came before. */
  end(): void {
    if (!this.#isOver) this.#decoder?.end();
  }

  /** The answer came to no end of its own; nothing follows. */
  stop(): void {
    if (!this.#isOver) this.#close();
  }

  #giveUp(reason: UnmeasuredReason): void {
    if (this.#isOver) return;
    this.#close();
    this.#listener.failed(reason);
  }

  #close(): void {
    this.#isOver = true;
    this.#budget.give(DECODER_BYTES);
    this.#decoder?.destroy();
  }
}
