import { describe, expect, it } from 'vitest';
import type { Span } from '../model/index.ts';
import { createGovernor, type Governor } from './governor.ts';

/** All decisions as `rule action label: count`, sorted. */
function counts(governor: Governor): string[] {
  return governor
    .decisions()
    .map(({ rule, action, label, count }) => `${rule} ${action} ${label}: ${count}`)
    .sort();
}

const PROSE = 'please tell me why my cat does not sleep';

const SPAN: Span = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentSpanId: '',
  traceState: 'ot=th:8,vendor=x',
  name: PROSE,
  kind: 'client',
  startNs: 1n,
  durationNs: 2n,
  status: 'error',
  statusMessage: `ValueError: ${PROSE}`,
  serviceName: 'gateway',
  resource: { 'service.name': 'gateway', note: PROSE },
  scopeName: 'gateway',
  scopeVersion: '1',
  attributes: {
    'gen_ai.system': 'openai',
    'gen_ai.prompt': 'x',
    'llm.provider': PROSE,
    'url.full': 'https://shop.example/search?q=x',
    'app.map': Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`k${i}`, i])),
    'user.email': 'bob@example.com',
    'error.message': 'it broke',
  },
  events: [
    { timeNs: 1n, name: 'gen_ai.user.message', attributes: { content: 'x' } },
    { timeNs: 1n, name: 'exception', attributes: { 'exception.message': 'x', 'exception.type': 'ValueError' } },
  ],
  links: [],
};

describe('each decision is counted once, by its rule', () => {
  it('on a span', () => {
    const governor = createGovernor();
    governor.governSpan(SPAN, 'otlp');
    expect(counts(governor)).toEqual([
      'attribute_rename renamed gen_ai.system: 1',
      'content removed error.message: 1',
      'content removed exception.message: 1',
      'content removed gen_ai.prompt: 1',
      'content_event removed : 1',
      'email removed user.email: 1',
      'name removed : 1',
      'status_message truncated : 1',
      'too_many_attributes truncated app.map: 1',
      'trace_state truncated : 1',
      'url_query truncated url.full: 1',
      'value_prose removed llm.provider: 1',
      'value_prose removed note: 1',
    ]);
  });

  it('of the spans of one resource the resource only once', () => {
    const governor = createGovernor();
    const quiet = { ...SPAN, traceState: '', name: 'chat', statusMessage: '', attributes: {}, events: [] };
    for (let i = 0; i < 3; i++) governor.governSpan({ ...quiet }, 'otlp');
    expect(counts(governor)).toEqual(['value_prose removed note: 1']);
  });

  it('on log entries: the stream once, the line and its metadata each time', () => {
    const governor = createGovernor();
    const stream = ['app', 'gw', 'pod', 'gw-0', 'request_id', 'r-1', 'user_id', 'u'];
    for (const timestampNs of [1n, 2n])
      governor.governLog(
        {
          stream,
          timestampNs,
          line: '{"event":"x","prompt":"y","email":"bob@example.com"}',
          metadata: ['cloud_region', 'eu', 'gen_ai_prompt', 'y', 'trace_id', SPAN.traceId],
        },
        'loki_push',
      );
    expect(counts(governor)).toEqual([
      'alias renamed cloud_region: 1',
      'alias renamed pod: 1',
      'content removed gen_ai_prompt: 2',
      'content removed prompt: 2',
      'email removed email: 2',
      'request_id moved request_id: 1',
      'user removed user_id: 1',
    ]);
  });

  it('on exemplars and metadata', () => {
    const governor = createGovernor();
    const labels = ['colour', 'red', 'prompt', 'x', 'region', '{"prompt":"x"}', 'trace_id', SPAN.traceId];
    governor.governExemplar(labels, 'remote_write');
    governor.governMetadata({ metric: 'app_total', type: 'counter', help: PROSE, unit: PROSE }, 'remote_write');
    expect(counts(governor)).toEqual([
      'content_in_value removed region: 1',
      'exemplar_label removed colour: 1',
      'help removed : 1',
      'prompt removed prompt: 1',
      'unit removed : 1',
    ]);
  });

  it('and nothing where nothing was done', () => {
    const governor = createGovernor();
    governor.governMetadata({ metric: 'app_total', type: 'counter', help: 'Requests.', unit: '' }, 'otlp');
    governor.governExemplar(['trace_id', SPAN.traceId], 'otlp');
    governor.governLog({ stream: ['app', 'gw'], timestampNs: 1n, line: 'INFO ready', metadata: [] }, 'otlp');
    expect(governor.decisions()).toEqual([]);
  });
});
