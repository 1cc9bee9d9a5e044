import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AsyncContextManager } from './async-context.ts';
import { collect, histogramOf, type Point } from './fixtures/collected.ts';
import { type EventFields, SemanticPath } from './index.ts';
import type { Labels } from './labels.ts';

const PROSE = 'please tell me why my zanzibarcanary does not work';

beforeAll(() => {
  context.setGlobalContextManager(new AsyncContextManager());
});

afterAll(() => {
  context.disable();
});

/** A clock that a test moves, in milliseconds since the epoch. */
function testClock() {
  const clock = { nowMs: 1_764_000_000_000, read: () => clock.nowMs };
  return clock;
}

function valuesOf(points: Point[] | undefined, label: string): Record<string, unknown> {
  return Object.fromEntries((points ?? []).map(({ labels, value }) => [labels[label], value]));
}

describe('an inference', () => {
  it.each(['own', 'api'] as const)('tells the figures of the contract, in histograms of kind %s', async (keeps) => {
    const clock = testClock();
    const options = { clock: clock.read, labels: { deployment: 'chat', region: 'eu' }, stage: 'gateway' } as const;
    const collected = collect(options, keeps);
    const inference = collected.instrumentation.inference({
      model: 'llama-3.3-70b',
      customer_tier: 'pro',
      prompt_class: 'rag',
      streamed: true,
    });
    clock.nowMs += 250;
    inference.firstToken();
    for (let i = 0; i < 10; i++) {
      clock.nowMs += 20;
      inference.token();
    }
    clock.nowMs += 5;
    inference.end({ finishReasons: ['stop'], usage: { inputTokens: 300, outputTokens: 11, cachedTokens: 128 } });
    inference.end({ errorType: 'second_end' });
    inference.token();

    const metrics = await collected.metrics();
    const labels = { deployment: 'chat', region: 'eu', customer_tier: 'pro', model_version: 'llama-3.3-70b' };
    expect(metrics.inference_ttft_seconds).toMatchObject([
      {
        labels: { ...labels, prompt_class: 'rag', token_bucket: '≤512', stage: 'gateway', first: 'visible' },
        value: { sum: 0.25, count: 1 },
      },
    ]);
    expect(histogramOf(metrics.inference_time_per_output_token_seconds[0]).sum).toBeCloseTo(0.02, 9);
    expect(histogramOf(metrics.inference_tokens_per_second[0]).sum).toBeCloseTo(55, 6);
    expect(histogramOf(metrics.inference_total_latency_seconds[0]).sum).toBeCloseTo(0.455, 9);
    expect(metrics.inference_total_latency_seconds[0].labels).toEqual({
      ...labels,
      outcome: 'ok',
      token_bucket: '≤512',
    });
    const gaps = metrics.inference_inter_token_latency_seconds[0];
    expect([histogramOf(gaps).count, gaps.labels]).toEqual([10, labels]);
    expect(histogramOf(gaps).sum).toBeCloseTo(0.2, 9);
    expect(valuesOf(metrics.inference_tokens_total, 'token_type')).toEqual({ input: 300, output: 11, cached: 128 });
    expect(metrics.inference_requests_total).toEqual([{ labels: { ...labels, outcome: 'ok' }, value: 1 }]);

    const [span] = collected.spans();
    expect(span.attributes).toMatchObject({
      ...labels,
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'llama-3.3-70b',
      'gen_ai.usage.input_tokens': 300,
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.response.time_to_first_chunk': 0.25,
    });
    expect(collected.events()).toMatchObject([
      {
        event: 'request.finished',
        level: 'info',
        outcome: 'ok',
        response_tokens: 11,
        total_ms: 455,
        ttft_ms: 250,
        ...labels,
      },
    ]);
  });

  it('marks counts as estimated where only the caller counted', async () => {
    const collected = collect();
    const inference = collected.instrumentation.inference({ model: 'm', streamed: true });
    inference.token(3);
    inference.end();
    const { inference_tokens_total } = await collected.metrics();
    expect(inference_tokens_total).toEqual([
      { labels: { model_version: 'm', token_type: 'output', estimated: 'true' }, value: 3 },
    ]);
  });

  it('has as many gaps as tokens less one, and their sum is the time of the stream', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 5000 })), {
          minLength: 1,
          maxLength: 50,
        }),
        (pieces) => {
          const clock = testClock();
          const { instrumentation } = collect({ clock: clock.read });
          const inference = instrumentation.inference({ streamed: true });
          let tokens = 0;
          for (const [count, waitMs] of pieces) {
            clock.nowMs += waitMs;
            inference.token(count);
            tokens += count;
          }
          const elapsed = pieces.slice(1).reduce((sum, [, waitMs]) => sum + waitMs, 0) / 1000;
          expect(inference.gaps?.count ?? 0).toBe(tokens - 1);
          expect(inference.gaps?.sum ?? 0).toBeCloseTo(elapsed, 6);
        },
      ),
    );
  });

  it('counts retries with their reasons, by their own labels', async () => {
    const collected = collect();
    const inference = collected.instrumentation.inference({ model: 'm' });
    inference.attemptFailed('rate_limited');
    inference.retry();
    inference.retry('server_error');
    inference.end({ finishReasons: ['stop'] });
    const metrics = await collected.metrics();
    expect(valuesOf(metrics.inference_retries_total, 'reason')).toEqual({ rate_limited: 1, server_error: 1 });
    expect(collected.events().map(({ event, retry_reason }) => [event, retry_reason])).toEqual([
      ['request.retried', 'rate_limited'],
      ['request.retried', 'server_error'],
      ['request.finished', undefined],
    ]);
    expect(collected.spans()[0].attributes.attempts).toBe(3);
  });

  it('keeps the messages of failures to nobody', async () => {
    const collected = collect();
    const failures: unknown[] = [
      new Error(PROSE),
      Object.assign(new Error(PROSE), { code: PROSE, type: PROSE, name: PROSE }),
      Object.assign(new Error(PROSE), { code: 'rate_limit_exceeded', status: 429 }),
      PROSE,
      undefined,
      new DOMException(PROSE, 'AbortError'),
    ];
    for (const failure of failures) collected.instrumentation.inference({ model: 'm' }).fail(failure);
    const { inference_requests_total } = await collected.metrics();
    expect(valuesOf(inference_requests_total, 'outcome')).toEqual({ error: 5, cancelled: 1 });
    expect(await collected.text()).not.toContain('zanzibar');
    expect(collected.spans()[2].attributes['error.type']).toBe('rate_limit_exceeded');
  });
});

describe('what slips by the types', () => {
  it('is refused in events and counted by rule', async () => {
    const collected = collect();
    collected.instrumentation.event('note', { prompt: PROSE, messages: [{ content: PROSE }] } as EventFields);
    collected.instrumentation.event('note', {
      policy: PROSE,
      retry_reason: 'mail@zanzibar.example',
      error_type: 'x'.repeat(65),
    });
    collected.instrumentation.event('note', {
      numbers: { tokens: PROSE as unknown as number, [PROSE]: 1, entries: 5 },
    });
    collected.instrumentation.event(PROSE);
    expect(collected.events()).toEqual([
      { level: 'info', event: 'note' },
      { level: 'info', event: 'note' },
      { level: 'info', event: 'note', entries: 5 },
    ]);
    const { barograph_sdk_refused_total } = await collected.metrics();
    expect(valuesOf(barograph_sdk_refused_total, 'reason')).toEqual({
      unknown_field: 3,
      not_a_code: 2,
      email: 1,
      too_long: 1,
      not_a_number: 1,
    });
    expect(await collected.text()).not.toContain('zanzibar');
  });

  it('is refused in labels, and a label past its budget becomes other', async () => {
    const collected = collect();
    const { instrumentation } = collected;
    const bad: Labels[] = [
      { model_version: `${PROSE}?` },
      { deployment: 'somebody@zanzibar.example' },
      { region: '0191b2c4-7d7e-7d3a-9f1e-1c2d3e4f5a6b' },
      { customer_tier: { name: PROSE } as unknown as string },
    ];
    for (const labels of bad) instrumentation.inference(labels).end();
    for (let i = 0; i < 12; i++) instrumentation.inference({ customer_tier: `tier-${i}` }).end();
    const { inference_requests_total } = await collected.metrics();
    const tiers = valuesOf(inference_requests_total, 'customer_tier');
    expect(tiers).toMatchObject({ 'tier-0': 1, 'tier-7': 1, other: 4 });
    expect(tiers['tier-8']).toBe(undefined);
    expect(await collected.text()).not.toContain('zanzibar');
  });

  it('is refused in requests and their ends', async () => {
    const collected = collect();
    const prose = PROSE as never;
    const requests = [
      'operation',
      'provider',
      'model',
      'prompt_class',
      'streamed',
      'maxTokens',
      'outputType',
      'serverAddress',
    ];
    for (const name of requests) collected.instrumentation.inference({ [name]: prose }).end();
    const ends = ['usage', 'responseModel', 'responseId', 'errorType', 'finishReasons', 'httpStatus', 'hasOutput'];
    for (const name of ends) collected.instrumentation.inference({ model: 'm' }).end({ [name]: prose });
    collected.instrumentation.inference({ model: 'm' }).end({ usage: { inputTokens: prose, outputTokens: prose } });
    collected.instrumentation.inference({ model: 'm' }).end({ finishReasons: [prose, 'stop'] });
    collected.instrumentation.inference(null as never).end(null as never);
    new SemanticPath(collected.instrumentation).vectorSearch({ collection: PROSE, dataSource: PROSE }, () => undefined);
    expect(collected.spans().length).toBe(requests.length + ends.length + 3);
    expect(await collected.text()).not.toContain('zanzibar');
  });

  it('bounds the sets of labels', async () => {
    const collected = collect();
    for (let i = 0; i < 64; i++)
      for (let j = 0; j < 40; j++)
        collected.instrumentation.guardrail('pii', { model_version: `m${i}`, deployment: `d${j}` });
    const points = (await collected.metrics()).inference_guardrail_triggers_total;
    expect(points.length).toBe(241);
    expect(points.reduce((sum, { value }) => sum + (value as number), 0)).toBe(64 * 40);
  });

  it('drops and counts events that come too fast', async () => {
    const clock = testClock();
    const collected = collect({ clock: clock.read, maxEventsPerSecond: 10 });
    for (let i = 0; i < 50; i++) collected.instrumentation.event('tick');
    clock.nowMs += 500;
    for (let i = 0; i < 50; i++) collected.instrumentation.event('tick');
    expect(collected.events().length).toBe(25);
    const { barograph_sdk_dropped_total } = await collected.metrics();
    expect(valuesOf(barograph_sdk_dropped_total, 'reason')).toEqual({ event_rate: 75 });
  });
});

describe('the semantic path', () => {
  it('makes spans of each step, whose context is kept across awaits', async () => {
    const collected = collect();
    const path = new SemanticPath(collected.instrumentation);
    const wait = () => new Promise((resolve) => setTimeout(resolve, 5));
    const answer = await path.gateway(async () => {
      path.authenticate(() => undefined);
      await wait();
      const found = await path.vectorSearch({ system: 'qdrant', collection: 'docs', topK: 8 }, async (step) => {
        await wait();
        step.number('documents', 3);
        return 3;
      });
      const prompt = path.promptBuild({ prompt_class: 'rag', template: 'support' }, () => `prompt ${found}`);
      const text = await path.modelInference({ model: 'm' }, async (inference) => {
        await wait();
        expect(trace.getActiveSpan()).toBe(inference.span);
        expect(collected.instrumentation.activeInference()).toBe(inference);
        inference.end({ finishReasons: ['stop'], hasOutput: true });
        return prompt;
      });
      return path.outputFiltering((step) => {
        step.triggered('pii');
        return text;
      });
    });
    expect(answer).toBe('prompt 3');
    const spans = Object.fromEntries(collected.spans().map((span) => [span.name, span]));
    expect(Object.keys(spans)).toEqual([
      'authenticate',
      'vector_search',
      'prompt_build',
      'model_inference',
      'output_filtering',
      'gateway',
    ]);
    const root = spans.gateway.spanContext();
    for (const [name, span] of Object.entries(spans)) {
      expect(span.spanContext().traceId).toBe(root.traceId);
      expect(span.parentSpanContext?.spanId, name).toBe(name === 'gateway' ? undefined : root.spanId);
    }
    expect(spans.vector_search.attributes).toMatchObject({
      'db.system.name': 'qdrant',
      'gen_ai.retrieval.top_k': 8,
      documents: 3,
    });
    expect(spans.output_filtering.attributes.policy).toBe('pii');
    const guardrail = collected.events().find(({ event }) => event === 'guardrail.triggered');
    expect(guardrail).toMatchObject({ policy: 'pii', span_id: spans.output_filtering.spanContext().spanId });
  });

  it('throws what the code throws, and says only its class', async () => {
    const collected = collect();
    const path = new SemanticPath(collected.instrumentation);
    const error = new TypeError(PROSE);
    const fails = () => {
      throw error;
    };
    expect(() => path.promptBuild({}, fails)).toThrow(error);
    await expect(path.vectorSearch({}, async () => fails())).rejects.toBe(error);
    await expect(path.modelInference({ model: 'm' }, fails)).rejects.toBe(error);
    expect(collected.spans().map(({ name, attributes, status }) => [name, attributes['error.type'], status])).toEqual(
      ['prompt_build', 'vector_search', 'model_inference'].map((name) => [name, 'TypeError', { code: 2 }]),
    );
    expect(await collected.text()).not.toContain('zanzibar');
  });
});

it('tells signals of quality, and refuses what is none', async () => {
  const collected = collect({ labels: { model_version: 'm' } });
  const { instrumentation } = collected;
  instrumentation.quality('groundedness', 0.9);
  instrumentation.quality('groundedness', 1.1);
  instrumentation.quality(PROSE, 0.5);
  instrumentation.confidence(0.8);
  instrumentation.confidence(Number.NaN);
  instrumentation.cost(0.5);
  instrumentation.cost(-1);
  const metrics = await collected.metrics();
  expect(metrics.inference_quality_score).toMatchObject([
    { labels: { model_version: 'm', evaluation: 'groundedness' }, value: { count: 1, sum: 0.9 } },
  ]);
  expect(metrics.inference_confidence).toMatchObject([{ labels: { model_version: 'm' }, value: { count: 1 } }]);
  expect(metrics.inference_cost_dollars_total).toEqual([{ labels: { model_version: 'm' }, value: 0.5 }]);
  expect(await collected.text()).not.toContain('zanzibar');
});

it('never throws, whatever telemetry does', () => {
  const broken = {
    getMeter: () => {
      throw new Error(PROSE);
    },
    getTracer: () => ({
      startSpan: () => {
        throw new Error(PROSE);
      },
    }),
    getLogger: () => ({
      emit: () => {
        throw new Error(PROSE);
      },
    }),
  };
  const { instrumentation } = collect({
    meterProvider: broken as never,
    tracerProvider: broken as never,
    loggerProvider: broken,
  });
  const inference = instrumentation.inference({ model: 'm' }, ROOT_CONTEXT);
  inference.token();
  inference.end();
  instrumentation.event('note');
  instrumentation.guardrail('pii');
  expect(new SemanticPath(instrumentation).promptBuild({}, () => 7)).toBe(7);
  expect(instrumentation.tally.dropped.get('internal_error')).toBeGreaterThan(3);
});
