import { expect, test } from 'vitest';
import { printGrowth, printMoney } from './cost-answer.ts';

const plain = (text: string) => text.replaceAll('\u202f', ' ');

test.each([
  [0, 0, '–'],
  [5, 0, 'new'],
  [100, 100, '±0 %'],
  [138, 100, '+38 %'],
  [50, 100, '−50 %'],
  [0, 100, '−100 %'],
  [5000, 100, '× 50'],
])('%d after %d is %s', (now, before, text) => {
  expect(plain(printGrowth(now, before))).toBe(text);
});

test.each([
  [0, '0.00 EUR'],
  [0.001, '< 0.01 EUR'],
  [12.345, '12.35 EUR'],
  [1234.6, '1235 EUR'],
])('%d of money is %s', (amount, text) => {
  expect(plain(printMoney(amount, 'EUR'))).toBe(text);
});
