import { describe, expect, test } from 'vitest';
import { contradictsFilters, readLogLine } from './log-line.ts';

const traceId = '0123456789abcdef0123456789abcdef';
const read = (line: string, labels: Record<string, string> = {}) =>
  readLogLine({ timestampNs: '1764000000123456789', line, labels }, 0);

describe('readLogLine', () => {
  test('takes a structured event apart', () => {
    const line = read('{"event":"request.finished","outcome":"ok","response_tokens":42,"level":"info"}', {
      service_name: 'gateway',
      trace_id: traceId,
    });
    expect(line).toMatchObject({
      timeMs: 1764000000123.456,
      level: 'info',
      service: 'gateway',
      text: 'request.finished',
      prose: false,
      fields: [
        ['outcome', 'ok'],
        ['response_tokens', '42'],
      ],
      traceId,
    });
  });

  test.each([
    ['WARNING 11-24 10:00:00 [scheduler.py:1] preempted', 'warning'],
    ['ERROR 11-24 10:00:00 [core.py:1] dead', 'error'],
    ['NVRM: Xid (PCI:0000:05:00): 79, pid=1', 'error'],
    ['INFO 11-24 request mentions ERROR budget later on, which is beyond the part that tells the level of it', 'info'],
    ['{broken json', 'info'],
  ])('%s is %s', (text, level) => {
    const line = read(text);
    expect([line.level, line.whole, line.prose]).toEqual([level, text, true]);
  });

  test.each([
    ['(EngineCore pid=258) ERROR 11-24 10:00:00 [core.py:871] out of memory', '[core.py:871] out of memory'],
    [
      '(APIServer pid=1) INFO:     10.42.0.17:4 - "POST /v1 HTTP/1.1" 200 OK',
      '10.42.0.17:4 - "POST /v1 HTTP/1.1" 200 OK',
    ],
    ['[2026-11-24 10:00:00,123] [WARNING] [stage3.py:2236:step] 3 flushes', '[stage3.py:2236:step] 3 flushes'],
    ['[431000.123] NVRM: Xid (PCI:0000:05:00): 79, pid=1', '[431000.123] NVRM: Xid (PCI:0000:05:00): 79, pid=1'],
    ['INFORMATION about nothing', 'INFORMATION about nothing'],
  ])('%s is shown without what stands in columns', (whole, text) => {
    expect(read(whole).text).toBe(text);
  });
});

test('a line contradicts a filter only where it says something else', () => {
  const filters = { customer_tier: ['gold'] };
  expect(contradictsFilters(read('{"event":"e","customer_tier":"free"}'), filters)).toBe(true);
  expect(contradictsFilters(read('{"event":"e","customer_tier":"gold"}'), filters)).toBe(false);
  expect(contradictsFilters(read('plain'), filters)).toBe(false);
});
