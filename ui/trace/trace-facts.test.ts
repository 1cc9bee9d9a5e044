import { expect, test } from 'vitest';
import type { Trace, TraceSpan } from '../api/otlp-json.ts';
import { traceFacts } from './trace-facts.ts';

const span = (parts: Partial<TraceSpan>): TraceSpan => ({
  spanId: 'a',
  parentSpanId: '',
  name: 'gateway',
  service: 'llm-gateway',
  startNs: 0,
  durationNs: 1,
  failed: false,
  attributes: {},
  resource: {},
  events: [],
  ...parts,
});
const trace = (...spans: TraceSpan[]): Trace => ({ traceId: 'a', startMs: 0, durationNs: 1, spans });

test('the model comes from the answer, the region from the resource', () => {
  const asked = span({ attributes: { 'gen_ai.request.model': 'm' }, resource: { 'cloud.region': 'eu' } });
  expect(traceFacts(trace(asked))).toEqual({ where: ['m', 'eu'], failure: undefined });
  const answered = span({ attributes: { 'gen_ai.response.model': 'm-v2' } });
  expect(traceFacts(trace(asked, answered)).where).toEqual(['m-v2', 'eu']);
});

test('a failure is named by its type where a span tells it', () => {
  expect(traceFacts(trace(span({ failed: true }))).failure).toBe('error');
  const typed = span({ failed: true, attributes: { 'error.type': 'timeout' } });
  expect(traceFacts(trace(span({ failed: true }), typed)).failure).toBe('timeout');
});
