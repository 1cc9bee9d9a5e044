import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Span } from '../model/index.ts';
import { openStore, type Store } from './store.ts';

const LIMITS = { spansPerTrace: 10_000, textPerTrace: 10_000_000 };
const START_NS = 1_700_000_000_000_000_000n;

let directory: string;
let store: Store;

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-traces-'));
  store = await openStore({ directory });
});

afterEach(async () => {
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

function spanOf(traceId: string, id: number, over: Partial<Span> = {}): Span {
  return {
    traceId,
    spanId: id.toString(16).padStart(16, '0'),
    parentSpanId: id === 1 ? '' : '1'.padStart(16, '0'),
    traceState: '',
    name: 'decode',
    kind: 'internal',
    startNs: START_NS + BigInt(id),
    durationNs: 5n,
    status: 'unset',
    statusMessage: 'x',
    serviceName: 'engine',
    resource: { 'service.name': 'engine' },
    scopeName: 'scope',
    scopeVersion: '',
    attributes: { tokens: id },
    events: [{ timeNs: START_NS, name: 'first_token', attributes: {} }],
    links: [],
    ...over,
  };
}

async function write(spans: readonly Span[]): Promise<void> {
  for (const span of spans) store.writer.buffer.pushSpan(span);
  await store.writer.commit();
}

async function gather(batches: AsyncIterable<Span[]>): Promise<Span[][]> {
  const out: Span[][] = [];
  for await (const batch of batches) out.push(batch);
  return out;
}

const [A, B] = ['a'.repeat(16), 'b'.repeat(16)];

describe('whole traces', () => {
  it('come one by one with their spans by start, and no other trace that shares the halves of their IDs', async () => {
    await write([
      spanOf(A + A, 3),
      spanOf(B + B, 2),
      spanOf(A + B, 1),
      spanOf(A + A, 2, { name: 'earlier' }),
      spanOf(A + A, 2),
      spanOf(A + A, 1),
      spanOf(B + A, 1),
    ]);
    const traces = await gather(
      store.readers().traces.traces({ traceIds: [A + A, B + B, 'f'.repeat(32)], limits: LIMITS }),
    );
    traces.sort((x, y) => y.length - x.length);
    expect(traces).toEqual([[spanOf(A + A, 1), spanOf(A + A, 2), spanOf(A + A, 3)], [spanOf(B + B, 2)]]);
    expect(await gather(store.readers().traces.traces({ traceIds: [], limits: LIMITS }))).toEqual([]);
    expect(await store.readers().traces.trace('f'.repeat(32), LIMITS)).toEqual([]);
  });

  it('past a limit fail and name it', async () => {
    await write([1, 2, 3].map((id) => spanOf(A + A, id)));
    const { traces } = store.readers();
    for (const [limits, message] of [
      [{ ...LIMITS, spansPerTrace: 2 }, 'got more than 2 spans, accepted is at most 2 (spansPerTrace)'],
      [{ ...LIMITS, textPerTrace: 20 }, 'at most 20 (textPerTrace)'],
    ] as const) {
      await expect(traces.trace(A + A, limits)).rejects.toMatchObject({ code: 'query_limit', status: 422 });
      await expect(traces.trace(A + A, limits)).rejects.toThrow(message);
    }
  });
});

describe('single spans', () => {
  const range = { startNs: START_NS, endNs: START_NS + 1_000_000n, conditions: [] };

  it('have the parts that are asked for', async () => {
    await write([spanOf(A + A, 1)]);
    const { traces } = store.readers();
    const bare = { attributes: {}, resource: {}, events: [], scopeName: '', statusMessage: '' };
    expect(await gather(traces.spans({ ...range, parts: [] }))).toEqual([[spanOf(A + A, 1, bare)]]);
    const detailed = spanOf(A + A, 1, { attributes: {}, resource: {} });
    expect(await gather(traces.spans({ ...range, parts: ['details'] }))).toEqual([[detailed]]);
    const swapped = spanOf(A + A, 1, { events: [], scopeName: '', statusMessage: '' });
    expect(await gather(traces.spans({ ...range, parts: ['resource', 'attributes'] }))).toEqual([[swapped]]);
  });

  it('come once, the newest first, also where copies lie on both sides of a batch', async () => {
    const many = Array.from({ length: 9000 }, (_, i) => spanOf(A + A, i + 1));
    await write(many);
    await write(many);
    const batches = await gather(store.readers().traces.spans({ ...range, parts: [] }));
    const ids = batches.flat().map(({ startNs }) => startNs);
    expect(ids).toEqual(many.map(({ startNs }) => startNs).reverse());
    expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(4096);
  });

  it('are narrowed down to roots, and to a trace', async () => {
    await write([spanOf(A + A, 1), spanOf(A + A, 2)]);
    const ofTrace = (equals: string) =>
      gather(store.readers().traces.spans({ ...range, conditions: [{ kind: 'trace', equals }] }));
    expect(await ofTrace(A + A)).toEqual([[spanOf(A + A, 2), spanOf(A + A, 1)]]);
    expect(await ofTrace(A + B)).toEqual([]);
    const found = await gather(store.readers().traces.spans({ ...range, conditions: [{ kind: 'root' }] }));
    expect(found).toEqual([[spanOf(A + A, 1)]]);
  });
});
