const CR = 0x0d;
const LF = 0x0a;
const DIGITS = Buffer.from('0123456789abcdef');

/** Larger pieces aren't worth a copy; bytes. */
export const MAX_FRAMED_BYTES = 16 * 1024;

/**
 * A piece of a body as a chunk of HTTP/1.1 (RFC 9112 section 7.1) in one buffer. `ServerResponse.write` makes three buffers
 * of one, which leave by a system call of its own kind a tick later; an event of a stream is so small that this is most
 * of what a proxy costs.
 * @param piece from 1 byte to MAX_FRAMED_BYTES
 */
export function frameChunk(piece: Buffer): Buffer {
  const { length } = piece;
  const digits = length < 0x10 ? 1 : length < 0x100 ? 2 : length < 0x1000 ? 3 : 4;
  const frame = Buffer.allocUnsafe(digits + 4 + length);
  for (let i = 0; i < digits; i++) frame[i] = DIGITS[(length >> (4 * (digits - 1 - i))) & 0xf];
  frame[digits] = CR;
  frame[digits + 1] = LF;
  piece.copy(frame, digits + 2);
  frame[digits + 2 + length] = CR;
  frame[digits + 3 + length] = LF;
  return frame;
}
