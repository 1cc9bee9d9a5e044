import { expect, it } from 'vitest';
import { frameChunk, MAX_FRAMED_BYTES } from './chunk-frame.ts';

it.each([1, 15, 16, 255, 256, 4095, 4096, MAX_FRAMED_BYTES])('says the length of %i bytes in hexadecimal', (length) => {
  const piece = Buffer.alloc(length, 'x');
  expect(frameChunk(piece).toString()).toBe(`${length.toString(16)}\r\n${piece.toString()}\r\n`);
});
