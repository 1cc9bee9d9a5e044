import { malformed } from './malformed.ts';

/** Room that is kept from one block to the next, at most, bytes. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;
/** Bytes behind the end that may be overwritten by copies of whole words. */
const SLACK_BYTES = 16;

/**
 * Decompresses snappy blocks into memory of its own, one after the other. The native decompressor allocates its result
 * outside of the heap; at some thousand requests a second that is hundreds of megabytes a second, and the full garbage
 * collections which they cause cost more than the decompression itself.
 *
 * Source of the format: google/snappy format_description.txt.
 */
export class SnappyBlock {
  private out = new Uint8Array(0);
  private outView = new DataView(this.out.buffer);

  /**
   * The decompressed bytes, valid until the next call.
   * @param length what the block claims to hold, checked by the caller against its own limit.
   * @throws BarographError `malformed`.
   */
  decompress(block: Uint8Array, length: number): Uint8Array {
    this.reserve(length);
    const { out, outView } = this;
    const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
    const end = block.length;
    let at = 0;
    while (block[at++] >= 0x80);
    let to = 0;
    while (at < end) {
      const tag = block[at++];
      if ((tag & 3) === 0) {
        let count = (tag >>> 2) + 1;
        if (count > 60) {
          const bytes = count - 60;
          if (at + bytes > end) throw cutOff();
          count = 1;
          for (let i = 0; i < bytes; i++) count += block[at + i] * 2 ** (8 * i);
          at += bytes;
        }
        if (count > end - at || count > length - to) throw cutOff();
        if (count <= 32 && at + count + 8 <= end) {
          for (let i = 0; i < count; i += 4) outView.setUint32(to + i, view.getUint32(at + i, true), true);
        } else out.set(block.subarray(at, at + count), to);
        at += count;
        to += count;
        continue;
      }
      let count = (tag >>> 2) + 1;
      let offset = 0;
      if ((tag & 3) === 1) {
        if (at >= end) throw cutOff();
        count = 4 + ((tag >>> 2) & 7);
        offset = ((tag >>> 5) << 8) | block[at++];
      } else if ((tag & 3) === 2) {
        if (at + 2 > end) throw cutOff();
        offset = block[at] | (block[at + 1] << 8);
        at += 2;
      } else {
        if (at + 4 > end) throw cutOff();
        offset = view.getUint32(at, true);
        at += 4;
      }
      if (offset === 0 || offset > to || count > length - to) throw cutOff();
      const from = to - offset;
      // A copy may reach into what it writes; from four bytes on the words that it reads are whole already.
      if (offset >= 4) {
        for (let i = 0; i < count; i += 4) outView.setUint32(to + i, outView.getUint32(from + i, true), true);
      } else for (let i = 0; i < count; i++) out[to + i] = out[from + i];
      to += count;
    }
    if (to !== length) throw malformed('snappy body', `${to} bytes`, `the ${length} bytes that it claims`);
    const result = out.subarray(0, length);
    if (out.length > MAX_KEPT_BYTES) this.use(new Uint8Array(0));
    return result;
  }

  private reserve(length: number): void {
    const needed = length + SLACK_BYTES;
    if (this.out.length < needed) this.use(new Uint8Array(Math.max(needed, Math.min(2 * needed, MAX_KEPT_BYTES))));
  }

  private use(out: Uint8Array<ArrayBuffer>): void {
    this.out = out;
    this.outView = new DataView(out.buffer);
  }
}

function cutOff(): Error {
  return malformed('snappy body', 'an element that reaches beyond the block', 'a valid snappy block');
}
