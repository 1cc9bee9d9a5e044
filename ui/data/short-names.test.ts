import { expect, test } from 'vitest';
import { shortNames } from './short-names.ts';

test.each([
  [
    ['gpu-eu-west-chat-0', 'gpu-us-east-chat-0'],
    ['eu-west', 'us-east'],
  ],
  [
    ['a', 'b'],
    ['a', 'b'],
  ],
  [
    ['node-1', 'node-1'],
    ['1', '1'],
  ],
  [['only-one-node'], ['only-one-node']],
  [
    ['', 'n'],
    ['all', 'n'],
  ],
  [
    ['a-very-long-name-of-a-node', 'b'],
    ['a-very-lo…f-a-node', 'b'],
  ],
])('%j are short as %j', (names, short) => {
  expect(shortNames(names)).toEqual(short);
});
