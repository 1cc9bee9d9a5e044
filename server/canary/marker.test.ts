import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawRoot, ENCODINGS, encodeText, findMarkers, MAX_PLACES, markerOf, needlesOf } from './marker.ts';

describe('markers', () => {
  it('are found with their place in every encoding, wherever they lie, escaped once more or not', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ENCODINGS),
        fc.nat(MAX_PLACES - 1),
        fc.string({ maxLength: 12 }),
        fc.string({ maxLength: 12 }),
        fc.boolean(),
        (encoding, place, before, after, isJson) => {
          const root = drawRoot();
          const text = encodeText(`${before} ${markerOf(root, place)} ${after}`, encoding);
          const stored = Buffer.from(isJson ? JSON.stringify({ text }) : text, 'utf8').toString('latin1');
          const found = findMarkers(stored, root, needlesOf(root));
          expect(found.map((sighting) => sighting.place)).toContain(place);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('are not found where another run left its own', () => {
    const [mine, other] = [drawRoot(), drawRoot()];
    for (const encoding of ENCODINGS)
      expect(findMarkers(encodeText(`my ${markerOf(other, 7)} here`, encoding), mine, needlesOf(mine))).toEqual([]);
  });

  it('have a number of their own for every place', () => {
    const root = drawRoot();
    const markers = new Set(Array.from({ length: 5000 }, (_, place) => markerOf(root, place)));
    expect(markers.size).toBe(5000);
  });
});
