import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { iterationCost } from './cost.ts';
import { Engine, type EngineConfig } from './engine.ts';
import type { FinishReason } from './engine-metrics.ts';
import { EventQueue } from './event-queue.ts';
import { H100, L40S, SIZE_14B, SIZE_70B } from './hardware.ts';
import { Random } from './random.ts';
import type { EngineRequest, Sequence } from './sequence.ts';

const CONFIG: EngineConfig = {
  maxNumSeqs: 64,
  maxNumBatchedTokens: 2048,
  maxModelLength: 8192,
  kvBlocks: 4096,
  maxWaiting: 10_000,
  tierCount: 1,
};

function request(id: number, overrides: Partial<EngineRequest> = {}): EngineRequest {
  return {
    id,
    promptTokens: 500,
    naturalTokens: 100,
    maxTokens: 1000,
    prefixKey: '',
    prefixTokens: 0,
    tier: 0,
    ...overrides,
  };
}

/** An engine with its own time, and what it told. */
function setUp(config: Partial<EngineConfig> = {}) {
  const events = new EventQueue(0);
  const ended: { sequence: Sequence; reason: FinishReason; at: number }[] = [];
  const engine = new Engine({ ...CONFIG, ...config }, iterationCost(L40S, SIZE_14B, 1), {
    events,
    random: new Random(1, 'engine'),
    listener: { firstToken: () => {}, ended: (sequence, reason, at) => ended.push({ sequence, reason, at }) },
  });
  return { events, engine, ended };
}

/** Sends requests at a steady random rate for some seconds, and lets all end. */
function load(perSecond: number, seconds: number, overrides: Partial<EngineRequest> = {}) {
  const { events, engine, ended } = setUp();
  const random = new Random(3, 'load');
  let sent = 0;
  let running = 0;
  let samples = 0;
  const next = (now: number): void =>
    events.at(now + random.exponential(1000 / perSecond), (at) => {
      if (at > seconds * 1000) return;
      engine.submit(request(sent++, overrides), at);
      next(at);
    });
  next(0);
  for (let at = 100; at <= seconds * 1000; at += 100) {
    events.runUntil(at);
    running += engine.running.length + engine.waiting.length;
    samples++;
  }
  events.runUntil(seconds * 1000 + 3_600_000);
  const ttft = ended.map(({ sequence }) => sequence.firstTokenMs - sequence.arrivalMs).sort((a, b) => a - b);
  const meanStayMs = ended.reduce((sum, { sequence, at }) => sum + at - sequence.arrivalMs, 0) / ended.length;
  return { engine, sent, ended, p50: ttft[ttft.length >> 1], meanStayMs, meanInside: running / samples };
}

describe('an engine', () => {
  it('ends every request once, with the tokens that it was to have', () => {
    const { engine, sent, ended } = load(1.5, 120);
    expect(ended.length).toBe(sent);
    expect(ended.every(({ reason, sequence }) => reason === 'stop' && sequence.generatedTokens === 100)).toBe(true);
    expect(engine.metrics.endToEnd.count).toBe(sent);
    expect(engine.metrics.timeToFirstToken.count).toBe(sent);
    expect(engine.metrics.generationTokens).toBe(sent * 100);
    expect(engine.metrics.interTokenLatency.count).toBe(sent * 99);
    expect(engine.metrics.gapsByTier[0].count).toBe(sent * 99);
    expect(engine.cache.usage).toBe(0);
  });

  it('says length where the caller wanted fewer tokens than the model had', () => {
    const { events, engine, ended } = setUp();
    engine.submit(request(0, { naturalTokens: 50, maxTokens: 20 }), 0);
    events.runUntil(60_000);
    expect(ended[0].reason).toBe('length');
    expect(ended[0].sequence.generatedTokens).toBe(20);
  });

  it('follows Little’s law: requests inside are arrivals a second times seconds inside', () => {
    const { meanInside, meanStayMs, sent } = load(1.2, 600);
    const little = (sent / 600) * (meanStayMs / 1000);
    expect(Math.abs(meanInside - little) / little).toBeLessThan(0.05);
  });

  it('lets the first token wait far longer near saturation than at half the load', () => {
    const half = load(3, 240, { promptTokens: 1500, naturalTokens: 60 });
    const near = load(12, 240, { promptTokens: 1500, naturalTokens: 60 });
    expect(half.p50).toBeLessThan(1000);
    expect(near.p50).toBeGreaterThan(half.p50 * 8);
  });

  it('decodes slower at lower clocks', () => {
    const stay = [1, 0.5].map((clock) => {
      const { events, engine, ended } = setUp();
      engine.clock = clock;
      engine.submit(request(0), 0);
      events.runUntil(60_000);
      return ended[0].at;
    });
    expect(stay[1] / stay[0]).toBeGreaterThan(1.2);
  });

  it('chunks a long prompt, so that others go on decoding', () => {
    const { events, engine, ended } = setUp();
    engine.submit(request(0, { naturalTokens: 400, maxTokens: 400 }), 0);
    events.runUntil(2000);
    engine.submit(request(1, { promptTokens: 8000, naturalTokens: 5 }), 2000);
    events.runUntil(120_000);
    expect(ended.length).toBe(2);
    // The long prompt takes at least four iterations of 2,048 tokens, and each of them decodes the other sequence too.
    expect(engine.metrics.iterationTokens.counts[10]).toBe(0);
    expect(engine.metrics.iterationTokens.counts[9]).toBeGreaterThanOrEqual(3);
  });

  it('preempts when blocks run out, computes again, and still ends all', () => {
    const { events, engine, ended } = setUp({ kvBlocks: 512 });
    for (let id = 0; id < 12; id++) engine.submit(request(id, { promptTokens: 600, naturalTokens: 300 }), 0);
    events.runUntil(600_000);
    expect(engine.metrics.preemptions).toBeGreaterThan(0);
    expect(ended.length).toBe(12);
    expect(ended.every(({ sequence }) => sequence.generatedTokens === 300)).toBe(true);
    expect(engine.cache.usage).toBe(0);
  });

  it('finds shared prefixes in its cache', () => {
    const { events, engine } = setUp();
    const shared = { prefixKey: 'system', prefixTokens: 320 };
    engine.submit(request(0, shared), 0);
    events.runUntil(30_000);
    engine.submit(request(1, shared), 30_000);
    events.runUntil(60_000);
    expect(engine.metrics.prefixHits).toBe(320);
    expect(engine.metrics.prefixQueries).toBe(1000);
  });

  it('loses everything in a crash and serves again after a restart', () => {
    const { events, engine, ended } = setUp();
    for (let id = 0; id < 5; id++) engine.submit(request(id), 0);
    events.runUntil(200);
    engine.crash(200);
    expect(ended.map(({ reason }) => reason)).toEqual(new Array(5).fill('error'));
    expect(engine.submit(request(5), 250).admission).toBe('not_serving');
    engine.restart(engine.cost);
    engine.submit(request(6), 300);
    events.runUntil(60_000);
    expect(ended.at(-1)).toMatchObject({ reason: 'stop' });
    expect(engine.metrics.endToEnd.count).toBe(1);
  });

  it('refuses a request that can’t fit, and to be built with too small a cache', () => {
    const { engine } = setUp();
    expect(engine.submit(request(0, { promptTokens: 8000, naturalTokens: 500 }), 0).admission).toBe('too_long');
    expect(() => setUp({ kvBlocks: 10 })).toThrow(/engine.kvBlocks: got 160 tokens/);
  });

  it('conserves requests and blocks under random loads, aborts and crashes', () => {
    const action = fc.record({
      afterMs: fc.integer({ min: 0, max: 800 }),
      kind: fc.constantFrom('submit', 'submit', 'submit', 'abort', 'crash'),
      promptTokens: fc.integer({ min: 1, max: 3000 }),
      naturalTokens: fc.integer({ min: 1, max: 400 }),
      prefix: fc.constantFrom('', 'a', 'b'),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const { events, engine, ended } = setUp({ kvBlocks: 512, maxNumSeqs: 6 });
        const sequences: Sequence[] = [];
        let now = 0;
        for (const { afterMs, kind, promptTokens, naturalTokens, prefix } of actions) {
          now += afterMs;
          events.runUntil(now);
          if (kind === 'submit') {
            const prefixTokens = Math.floor(promptTokens / 2);
            const asked = request(sequences.length, { promptTokens, naturalTokens, prefixKey: prefix, prefixTokens });
            const { sequence } = engine.submit(asked, now);
            if (sequence) sequences.push(sequence);
          } else if (kind === 'abort') {
            const sequence = sequences[promptTokens % Math.max(1, sequences.length)];
            if (sequence) engine.abort(sequence, now);
          } else {
            engine.crash(now);
            engine.restart(engine.cost);
          }
          expect(engine.cache.freeBlocks).toBeGreaterThanOrEqual(0);
        }
        events.runUntil(now + 3_600_000);
        expect(new Set(ended.map(({ sequence }) => sequence.request.id)).size).toBe(sequences.length);
        expect(ended.length).toBe(sequences.length);
        expect(engine.running.length + engine.waiting.length).toBe(0);
        expect(engine.cache.usage).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the cost of an iteration', () => {
  it('is near what such servers show: 70B on four H100 gives 40 to 80 tokens a second to one user', () => {
    const cost = iterationCost(H100, SIZE_70B, 4);
    const tokenMs = cost.overheadMs + cost.weightsMs + cost.decodeSequenceMs;
    expect(1000 / tokenMs).toBeGreaterThan(40);
    expect(1000 / tokenMs).toBeLessThan(80);
    expect(1000 / cost.prefillTokenMs).toBeGreaterThan(5000);
  });
});
