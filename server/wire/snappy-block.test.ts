import fc from 'fast-check';
import snappy from 'snappy';
import { describe, expect, it } from 'vitest';
import { inflateSnappy } from './inflate.ts';
import { SnappyBlock } from './snappy-block.ts';

describe('a snappy block', () => {
  const block = new SnappyBlock();
  const texts = fc.array(fc.constantFrom('a', 'ab', 'abc', 'label', 'model_version', '\u0000', 'x'.repeat(70)), {
    maxLength: 3000,
  });
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 5000 }),
    texts.map((parts) => new Uint8Array(Buffer.from(parts.join('')))),
  );

  it('gives back what the native library compressed', () => {
    fc.assert(
      fc.property(bodies, (body) => {
        expect(Buffer.from(inflateSnappy(block, snappy.compressSync(body))).equals(Buffer.from(body))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('that is cut short or changed is refused or decompressed as the native library does', () => {
    fc.assert(
      fc.property(bodies, fc.nat(), fc.nat({ max: 255 }), fc.boolean(), (body, place, byte, isCut) => {
        const whole = new Uint8Array(snappy.compressSync(body));
        const at = place % whole.length;
        const bad = isCut ? whole.slice(0, at) : whole.map((old, i) => (i === at ? byte : old));
        let native: Buffer | undefined;
        try {
          native = snappy.uncompressSync(bad) as Buffer;
        } catch {
          native = undefined;
        }
        let ours: Uint8Array | undefined;
        try {
          ours = inflateSnappy(block, bad);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/malformed|too_large/) });
        }
        if (native && ours) expect(Buffer.from(ours).equals(native)).toBe(true);
        else expect(ours).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});
