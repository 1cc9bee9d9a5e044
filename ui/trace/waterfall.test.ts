import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TraceSpan } from '../api/otlp-json.ts';
import { buildWaterfall, selfTimeNs } from './waterfall.ts';

function span(spanId: string, parentSpanId: string, name: string, startNs: number, durationNs: number): TraceSpan {
  return {
    spanId,
    parentSpanId,
    name,
    service: '',
    startNs,
    durationNs,
    failed: false,
    attributes: {},
    resource: {},
    events: [],
  };
}
const trace = (spans: TraceSpan[]) => ({ traceId: '', startMs: 0, durationNs: 100, spans });

describe('buildWaterfall', () => {
  test('walks parents before children, siblings by start, and names the bottleneck', () => {
    const { rows, stages } = buildWaterfall(
      trace([
        span('c', 'b', 'decode', 40, 50),
        span('a', '', 'gateway', 0, 100),
        span('b', 'a', 'chat llama-3', 20, 75),
        span('d', 'a', 'authenticate', 5, 5),
        span('e', 'b', 'queue', 20, 20),
      ]),
    );
    expect(rows.map((r) => [r.span.spanId, r.depth, r.stage, r.selfNs])).toEqual([
      ['a', 0, 'gateway', 20],
      ['d', 1, 'authenticate', 5],
      ['b', 1, 'model_inference', 5],
      ['e', 2, 'queue', 20],
      ['c', 2, 'decode', 50],
    ]);
    expect(stages[0]).toEqual({ stage: 'decode', selfNs: 50, share: 0.5 });
  });

  test('a span that is no stage belongs to the stage above it, and an orphan stands alone', () => {
    const { rows } = buildWaterfall(
      trace([span('a', '', 'vector-search', 0, 10), span('b', 'a', 'SELECT', 1, 5), span('x', 'gone', 'GET', 2, 3)]),
    );
    expect(rows.map((r) => [r.span.spanId, r.depth, r.stage])).toEqual([
      ['a', 0, 'vector_search'],
      ['b', 1, 'vector_search'],
      ['x', 0, 'other'],
    ]);
  });

  test('stages that vLLM states as attributes become rows, but not beside spans that say the same', () => {
    const engine = {
      ...span('a', '', 'llm_request', 0, 100),
      attributes: { 'gen_ai.latency.time_in_queue': 20e-9, 'gen_ai.latency.time_in_model_prefill': 30e-9 },
    };
    const { rows } = buildWaterfall(trace([engine, span('q', 'a', 'queue', 0, 20)]));
    expect(rows.map((r) => [r.span.name, r.derived])).toEqual([
      ['llm_request', false],
      ['queue', false],
      ['prefill', true],
    ]);
  });

  test('every span has one row, whatever points at what, and shares add up to one', () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const spans = fc.uniqueArray(
      fc.tuple(id, fc.oneof(id, fc.constant('')), fc.constantFrom('gateway', 'queue', 'GET'), fc.nat(100), fc.nat(100)),
      { selector: ([spanId]) => spanId, minLength: 1 },
    );
    fc.assert(
      fc.property(spans, (list) => {
        const { rows, stages } = buildWaterfall(trace(list.map((parts) => span(...parts))));
        expect(rows.map((r) => r.span.spanId).sort()).toEqual(list.map(([spanId]) => spanId).sort());
        for (const row of rows) expect(row.selfNs).toBeGreaterThanOrEqual(0);
        const sum = stages.reduce((a, b) => a + b.share, 0);
        expect(sum === 0 || Math.abs(sum - 1) < 1e-9).toBe(true);
      }),
    );
  });
});

test('self time takes overlapping and late children once', () => {
  const parent = span('a', '', '', 10, 100);
  const children = [span('b', 'a', '', 10, 50), span('c', 'a', '', 40, 30), span('d', 'a', '', 100, 500)];
  expect(selfTimeNs(parent, children)).toBe(30);
});
