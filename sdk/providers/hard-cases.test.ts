import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect, histogramOf, type Point } from '../fixtures/collected.ts';
import { CANARY, HARD_CASES, type HardCase, type Way } from '../fixtures/hard-cases.ts';
import { type ProviderServer, startProvider } from '../fixtures/provider-server.ts';
import { StainlessClient, type Stream } from '../fixtures/stainless-client.ts';
import { observeAnthropic, observeOpenAI } from '../index.ts';

let server: ProviderServer;

beforeAll(async () => {
  server = await startProvider();
});

afterAll(() => server.close());

/** Asks as the case does and reads what comes; what the caller sees must be what it would see without the SDK. */
async function play(hardCase: HardCase, client: StainlessClient): Promise<unknown[]> {
  const { way, streamed = true, reads = 'all' } = hardCase;
  const body = { model: 'some-model', stream: streamed, messages: [{ role: 'user', content: CANARY }] };
  const resources: Record<Way, { create(body: object): Promise<unknown> }> = {
    chat: client.chat.completions,
    completions: client.completions,
    responses: client.responses,
    messages: client.messages,
  };
  const seen: unknown[] = [];
  try {
    const answer = await resources[way].create(body);
    if (!streamed) return [answer];
    const stream = answer as Stream<unknown>;
    for await (const item of stream) {
      seen.push(item);
      if (seen.length === 3 && reads === 'leave') break;
      if (seen.length === 3 && reads === 'abort') stream.controller.abort();
    }
  } catch (error) {
    seen.push((error as Error).constructor.name);
  }
  return seen;
}

function sumOf(points: Point[] | undefined, labels: Record<string, unknown>): number {
  const matching = (points ?? []).filter((point) =>
    Object.entries(labels).every(([name, value]) => point.labels[name] === value),
  );
  return matching.reduce((sum, { value }) => sum + (typeof value === 'number' ? value : value.count), 0);
}

describe.each(HARD_CASES.map((hardCase) => [hardCase.name, hardCase] as const))('%s', (_name, hardCase) => {
  it('is told as the contract says, and the caller sees what it would see alone', async () => {
    server.answer(hardCase.answer);
    const alone = await play(hardCase, new StainlessClient(server.url, 0));
    const collected = collect();
    const client = new StainlessClient(server.url, 0);
    const observe = hardCase.way === 'messages' ? observeAnthropic : observeOpenAI;
    expect(
      (observe as typeof observeOpenAI)(client, {
        instrumentation: collected.instrumentation,
        labels: { deployment: 'chat' },
      }),
    ).toBe(client);
    expect(await play(hardCase, client)).toEqual(alone);
    await expect.poll(() => collected.spans().length).toBe(1);

    const { expected } = hardCase;
    const metrics = await collected.metrics();
    const requests = metrics.inference_requests_total;
    expect(requests.map(({ labels, value }) => [labels.outcome, value])).toEqual([[expected.outcome, 1]]);
    expect(requests[0].labels.deployment).toBe('chat');
    const firsts = metrics.inference_ttft_seconds ?? [];
    expect(firsts.map(({ labels }) => labels.first)).toEqual(expected.firsts ?? []);
    const [ttft] = firsts;
    if (expected.ttftMs) {
      const [atLeast, below] = expected.ttftMs;
      expect(histogramOf(ttft).sum * 1000).toBeGreaterThanOrEqual(atLeast);
      expect(histogramOf(ttft).sum * 1000).toBeLessThan(below);
      if (firsts.length > 1) expect(histogramOf(firsts[1]).sum).toBeGreaterThanOrEqual(histogramOf(ttft).sum + 0.025);
    }
    if (expected.tokens) {
      const told = (metrics.inference_tokens_total ?? []).map(({ labels, value }) => [labels.token_type, value]);
      expect(Object.fromEntries(told)).toEqual(expected.tokens);
    }
    if (expected.gaps !== undefined)
      expect(sumOf(metrics.inference_inter_token_latency_seconds, {})).toBe(expected.gaps);
    if (expected.perToken !== undefined) {
      expect(sumOf(metrics.inference_time_per_output_token_seconds, {})).toBe(expected.perToken ? 1 : 0);
    }
    const [span] = collected.spans();
    expect(span.name).toBe('model_inference');
    expect(span.attributes.outcome).toBe(expected.outcome);
    expect(collected.events().map(({ event, outcome }) => [event, outcome])).toEqual([
      ['request.finished', expected.outcome],
    ]);
    expect(collected.events()[0].trace_id).toBe(span.spanContext().traceId);
    expect(await collected.text()).not.toContain(CANARY);
    expect([...collected.instrumentation.tally.dropped]).toEqual([]);
  });
});

it('has every case in the table of the guide, and no other', () => {
  const guide = fs.readFileSync(path.join(import.meta.dirname, '..', '..', 'docs', 'guide', 'sdk.md'), 'utf8');
  const table = guide.slice(guide.indexOf('## Hard cases'));
  const rows = [...table.matchAll(/^\| ([A-Z][^|]*?) +\|/gm)].map((match) => match[1]).filter((row) => row !== 'Case');
  expect(rows).toEqual(HARD_CASES.map(({ name }) => name));
});
