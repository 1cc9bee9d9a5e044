import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labelsFromPairs, labelsFromRecord, labelsToRecord } from '../model/index.ts';
import { mergeLabels, sortFlatLabels } from './sorted-labels.ts';

const name = fc.constantFrom('a', 'b', 'B', '__name__', 'le', 'zz', 'é', 'constructor');
const value = fc.constantFrom('', '1', '2');
const pairs = fc.array(fc.tuple(name, value), { maxLength: 60 });

test('sortFlatLabels builds what the model builds', () => {
  fc.assert(
    fc.property(pairs, (list) => {
      expect(sortFlatLabels(list.flat())).toEqual(labelsFromPairs(list));
    }),
  );
});

test('mergeLabels is the set of both, the second over the first', () => {
  fc.assert(
    fc.property(pairs, pairs, (list, over) => {
      const expected = labelsFromRecord({
        ...labelsToRecord(labelsFromPairs(list)),
        ...labelsToRecord(labelsFromPairs(over)),
      });
      expect(mergeLabels(labelsFromPairs(list), labelsFromPairs(over))).toEqual(expected);
    }),
  );
});
