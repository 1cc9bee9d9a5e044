import { expect, it } from 'vitest';
import { createGovernor } from './index.ts';

it('keeps a span ID that looks like a card number, in metadata and when it comes as a stream label', () => {
  const governor = createGovernor();
  const spanId = '4111111111111111';
  const entry = { stream: ['deployment', 'chat'], timestampNs: 1n, line: 'INFO ready', metadata: ['span_id', spanId] };
  expect(governor.governLog(entry, 'otlp')?.metadata).toEqual(['span_id', spanId]);
  const label = { ...entry, stream: ['deployment', 'chat', 'span_id', spanId], metadata: [] };
  expect(governor.governLog(label, 'loki_push')).toMatchObject({
    stream: ['deployment', 'chat'],
    metadata: ['span_id', spanId],
  });
  // The same digits anywhere else are what they look like.
  const card = { ...entry, metadata: ['payment', spanId] };
  expect(JSON.stringify(governor.governLog(card, 'otlp')?.metadata)).not.toContain(spanId);
});
