import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LogEntry, labelsFromRecord, labelsKey, labelsToRecord } from '../model/index.ts';
import type { PolicyChanges } from './default-policy.ts';
import { createGovernor, type Governor } from './governor.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';

/** What an OTLP resource of a gateway becomes on its way in, as the simulated fleet's. */
const GATEWAY = {
  cloud_region: 'eu-central-1',
  deployment_environment_name: 'production',
  k8s_deployment_name: 'chat-large',
  k8s_namespace_name: 'inference',
  k8s_pod_name: 'llm-gateway-0',
  service_instance_id: 'llm-gateway-0',
  service_name: 'llm-gateway',
};

/** The attributes of its records. */
const RECORD = {
  model_version: 'meta-llama/Llama-3.1-70B-Instruct',
  deployment: 'chat-large',
  customer_tier: 'enterprise',
  gpu_type: 'NVIDIA H100 80GB HBM3',
  region: 'eu-central-1',
  detected_level: 'info',
  severity_number: '9',
  severity_text: 'INFO',
  trace_id: TRACE_ID,
};

interface Governed {
  readonly stream: Record<string, string>;
  readonly metadata: Record<string, string>;
}

function govern(
  governor: Governor,
  stream: Record<string, string>,
  metadata: Record<string, string>,
  source: 'otlp' | 'loki_push' = 'otlp',
): Governed {
  const entry: LogEntry = {
    stream: labelsFromRecord(stream),
    timestampNs: 1n,
    line: 'INFO ready',
    metadata: labelsFromRecord(metadata),
  };
  const governed = governor.governLog(entry, source);
  if (!governed) throw new Error('the entry was refused');
  return { stream: labelsToRecord(governed.stream), metadata: labelsToRecord(governed.metadata) };
}

function counts(governor: Governor): string[] {
  return governor.decisions().map(({ rule, action, label, count }) => `${rule} ${action} ${label}: ${count}`);
}

describe('what a record says about itself', () => {
  it("becomes labels of its stream where the contract lists it, and the rest stays the record's", () => {
    const governor = createGovernor();
    expect(govern(governor, GATEWAY, RECORD)).toEqual({
      stream: {
        customer_tier: 'enterprise',
        deployment: 'chat-large',
        environment: 'production',
        gpu_type: 'NVIDIA H100 80GB HBM3',
        instance: 'llm-gateway-0',
        job: 'llm-gateway',
        model_version: 'meta-llama/Llama-3.1-70B-Instruct',
        namespace: 'inference',
        region: 'eu-central-1',
        replica: 'llm-gateway-0',
        service_name: 'llm-gateway',
      },
      metadata: { detected_level: 'info', severity_number: '9', severity_text: 'INFO', trace_id: TRACE_ID },
    });
  });

  it('is brought onto the taxonomy first, and counted as what became of it', () => {
    const governor = createGovernor();
    const metadata = {
      gen_ai_request_model: 'gpt-4o',
      gen_ai_response_model: 'gpt-4o-2024-08-06',
      openai_response_service_tier: 'default',
      outcome: 'timeout',
      prompt_class: 'chat',
    };
    const governed = govern(governor, { deployment: 'gw' }, metadata);
    expect(governed).toEqual({
      stream: { customer_tier: 'default', deployment: 'gw', model_version: 'gpt-4o-2024-08-06', outcome: 'timeout' },
      // The model that was asked for isn't the one that answered, so it isn't lost.
      metadata: { gen_ai_request_model: 'gpt-4o', prompt_class: 'chat' },
    });
    // Said again, it isn't decided again.
    govern(governor, { deployment: 'gw' }, metadata);
    expect(counts(governor)).toEqual([
      'alias renamed gen_ai_response_model: 1',
      'alias renamed openai_response_service_tier: 1',
      'stream_label moved outcome: 1',
    ]);
  });

  it('does not change a label that the sender put on the stream, and is dropped where that says the same', () => {
    const stream = { app: 'gw', model_version: 'a' };
    const governor = createGovernor();
    expect(govern(governor, stream, { model_version: 'b', region: 'eu' }, 'loki_push')).toEqual({
      stream: { app: 'gw', model_version: 'a', region: 'eu' },
      metadata: { model_version: 'b' },
    });
    expect(govern(governor, stream, { model_version: 'a' }, 'loki_push')).toEqual({ stream, metadata: {} });
  });

  it.each([
    ['a request', { request_id: 'r-1' }],
    ['an identifier in the place of a model', { model_version: '550e8400-e29b-41d4-a716-446655440000' }],
    ['a value outside a closed set', { outcome: 'wonderful', token_bucket: '7' }],
    ['a copy of a deployment', { replica: 'vllm-0', k8s_pod_name: 'vllm-0' }],
    ['a budgeted structural label', { prompt_class: 'chat', policy: 'pii', adapter: 'a' }],
  ])('stays metadata where it is %s', (_what, metadata) => {
    const governed = govern(createGovernor(), { deployment: 'gw' }, metadata, 'loki_push');
    expect(governed).toEqual({ stream: { deployment: 'gw' }, metadata });
  });

  it('goes nowhere where it is content or personal', () => {
    for (const value of ['please tell me why my cat is ill', 'bob@example.com', '{"prompt": "x"}'])
      expect(govern(createGovernor(), { deployment: 'gw' }, { region: value })).toEqual({
        stream: { deployment: 'gw' },
        metadata: {},
      });
  });

  it('folds past the budget on the stream and keeps the value with the record', () => {
    const governor = createGovernor();
    const tiers = Array.from({ length: 12 }, (_, i) => govern(governor, { job: 'a' }, { customer_tier: `t${i}` }));
    expect(new Set(tiers.map(({ stream }) => stream.customer_tier)).size).toBe(9);
    expect(tiers[11]).toMatchObject({ stream: { customer_tier: 'other' }, metadata: { customer_tier: 't11' } });
    expect(counts(governor)).toContain('budget folded customer_tier: 4');
  });
});

describe('the number of streams', () => {
  const limits = (streams: number): PolicyChanges => ({ limits: { streams } });

  it('is bounded: past it streams are joined step by step, and what they said stays with the lines', () => {
    const governor = createGovernor(limits(2));
    const stream = { deployment: 'a', replica: 'r-1' };
    govern(governor, stream, {});
    govern(governor, { deployment: 'a' }, {});
    // First the record's labels go, then those that name one of many copies, then all.
    expect(govern(governor, stream, { region: 'eu' })).toEqual({ stream, metadata: { region: 'eu' } });
    expect(govern(governor, { deployment: 'a', replica: 'r-2' }, { region: 'eu' })).toEqual({
      stream: { deployment: 'a' },
      metadata: { region: 'eu', replica: 'r-2' },
    });
    expect(govern(governor, { deployment: 'b' }, { region: 'eu' })).toEqual({
      stream: { deployment: 'other' },
      metadata: { deployment: 'b', region: 'eu' },
    });
    expect(counts(governor)).toEqual([
      'too_many_streams folded : 1',
      'too_many_streams moved : 2',
      'too_many_streams moved replica: 1',
    ]);
  });

  it('counts streams that were stored before the start', () => {
    const governor = createGovernor(limits(1));
    const stored = labelsKey(['deployment', 'a']);
    governor.knowStreams({ size: 1, has: (labels) => labelsKey(labels) === stored });
    expect(govern(governor, { deployment: 'a' }, {}).stream).toEqual({ deployment: 'a' });
    expect(govern(governor, { deployment: 'b' }, {}).stream).toEqual({ deployment: 'other' });
  });

  it('stays within the limit whatever comes, and nothing that is fit for metadata is lost', () => {
    const value = fc.constantFrom('a', 'b', 'c', 'gpt-4o', 'eu');
    const name = fc.constantFrom('region', 'model_version', 'deployment', 'app', 'replica', 'outcome', 'service_name');
    const labels = fc.dictionary(name, value, { maxKeys: 4, noNullPrototype: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(labels, labels), { maxLength: 40 }), (entries) => {
        const governor = createGovernor(limits(5));
        const streams = new Set<string>();
        for (const [stream, metadata] of entries) {
          const governed = govern(governor, stream, metadata, 'loki_push');
          streams.add(JSON.stringify(governed.stream));
          const said = { ...governed.metadata, ...governed.stream };
          for (const [key, text] of Object.entries(metadata))
            expect([said[key], governed.metadata[key], governed.stream[key]]).toContain(text);
        }
        // The sixth is the one for what found no place.
        expect(streams.size).toBeLessThanOrEqual(6);
      }),
      { numRuns: 200 },
    );
  });
});
