import { describe, expect, test } from 'vitest';
import { LOG_CLASS_RULES } from '../model/generated/conventions.ts';
import { ERROR_LINE, WARNING_LINE } from './warning-lines.ts';

const isError = (line: string): boolean => new RegExp(ERROR_LINE).test(line);
const isWarning = (line: string): boolean => new RegExp(WARNING_LINE).test(line);

describe('the lane of warnings', () => {
  test.each(LOG_CLASS_RULES.map(({ id, severity, example }) => [id, severity, example]))(
    'takes the example of %s (%s)',
    (_, severity, example) => {
      if (severity === 'critical' || severity === 'error') expect(isError(example)).toBe(true);
      else if (severity === 'warning') expect(isError(example) || isWarning(example)).toBe(true);
    },
  );

  test.each([
    ['Engine 000: Running: 24 reqs, Waiting: 0 reqs, GPU KV cache usage: 89.9%, Prefix cache hit rate: 31.0%'],
    ['Decode batch, #running-req: 6, #token: 87282, token usage: 0.94, cuda graph: True'],
    ['Available KV cache memory: 10.56 GiB'],
    ['(APIServer pid=1) INFO:     10.42.0.17:33528 - "POST /v1/chat/completions HTTP/1.1" 200 OK'],
  ])('leaves the ordinary alone: %s', (line) => {
    expect([isError(line), isWarning(line)]).toEqual([false, false]);
  });

  test.each([
    ['Engine 000: Running: 24 reqs, GPU KV cache usage: 90.0%, Prefix cache hit rate: 31.0%'],
    ['Engine 000: Running: 24 reqs, GPU KV cache usage: 100.0%, Prefix cache hit rate: 31.0%'],
    ['Available KV cache memory: -2.81 GiB'],
    ['Available KV cache memory: 0.00 GiB'],
  ])('sees a number that warns: %s', (line) => {
    expect([isError(line), isWarning(line)]).toEqual([false, true]);
  });
});
