import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labelsFromPairs, withLabel } from '../model/index.ts';
import { insertLabels, sortFlatLabels } from './sorted-labels.ts';

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

test('insertLabels is withLabel, once or twice', () => {
  fc.assert(
    fc.property(pairs, (list) => {
      const labels = labelsFromPairs(list);
      expect(insertLabels(labels, '__name__', 'm', undefined, '')).toEqual(withLabel(labels, '__name__', 'm'));
      const both = withLabel(withLabel(labels, '__name__', 'm'), 'le', '5');
      expect(insertLabels(labels, '__name__', 'm', 'le', '5')).toEqual(both);
    }),
  );
});
