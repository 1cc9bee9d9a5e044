import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { labelsFromRecord } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

/** Rows in each request. */
const ROWS = 200;
const START_MS = Date.now() - 600_000;
const SIGNALS = ['samples', 'leaks', 'logs', 'spans'] as const;
type Signal = (typeof SIGNALS)[number];

let directory = '';
let program: Program;

beforeEach(async () => {
  directory = temporaryDirectory();
  program = await startProgram(directory);
});

afterEach(async () => {
  await program.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

const rows = <T>(make: (i: number) => T): T[] => Array.from({ length: ROWS }, (_, i) => make(i));

/** A request of one signal; the same number always makes the same bytes, as a sender's retry does. */
function request(signal: Signal, batch: number): { route: string; type: string; body: Buffer } {
  const json = (route: string, value: unknown) => ({
    route,
    type: 'application/json',
    body: Buffer.from(JSON.stringify(value)),
  });
  switch (signal) {
    case 'samples':
      return remoteWrite((i) => ({ __name__: 'crash_value', job: 'crash', batch: `b${batch}`, i: `n${i}` }));
    case 'leaks':
      // Each series appears once, and governance adds its value to the one that is left of all of them.
      return remoteWrite((i) => ({
        __name__: 'inference_requests_total',
        deployment: 'crash',
        outcome: 'ok',
        request_id: `req-${batch}-${i}`,
      }));
    case 'logs': {
      const values = rows((i) => [
        `${BigInt(START_MS) * 1_000_000n + BigInt(i)}`,
        `event=crash batch=b${batch} i=${i}`,
      ]);
      return json('/loki/api/v1/push', { streams: [{ stream: { job: 'crash' }, values }] });
    }
    case 'spans': {
      const start = BigInt(START_MS) * 1_000_000n;
      const spans = rows((i) => ({
        traceId: traceId(batch),
        spanId: (i + 1).toString(16).padStart(16, '0'),
        name: 'model_inference',
        startTimeUnixNano: `${start + BigInt(i)}`,
        endTimeUnixNano: `${start + BigInt(i) + 1_000_000n}`,
      }));
      return json('/v1/traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] });
    }
  }
}

function remoteWrite(labels: (i: number) => Record<string, string>): { route: string; type: string; body: Buffer } {
  const body = encodeWriteRequest({
    series: rows((i) => labelsFromRecord(labels(i))),
    sampleSeries: Uint32Array.from({ length: ROWS }, (_, i) => i),
    sampleTimestampMs: new Float64Array(ROWS).fill(START_MS),
    sampleValue: new Float64Array(ROWS).fill(1),
  });
  return { route: '/api/v1/write', type: 'application/x-protobuf', body: Buffer.from(snappyCompress(body)) };
}

const traceId = (batch: number): string => (batch + 1).toString(16).padStart(32, '0');

/** Whether the program acknowledged the request. */
async function send(signal: Signal, batch: number): Promise<boolean> {
  const { route, type, body } = request(signal, batch);
  const headers: Record<string, string> = { 'content-type': type };
  if (type === 'application/x-protobuf') headers['content-encoding'] = 'snappy';
  const response = await fetch(`${program.url}${route}`, { method: 'POST', headers, body: new Uint8Array(body) });
  await response.text();
  return response.ok;
}

/** How many rows of each batch a query counts; the key is the label `batch`. */
async function countByBatch(route: string, params: Record<string, string>): Promise<Map<string, number>> {
  const answer = await ask(program, route, params);
  expect(answer.status, answer.error).toBe('success');
  const result = answer.data.result as { metric: { batch: string }; value: [number, string] }[];
  return new Map(result.map(({ metric, value }) => [metric.batch, Number(value[1])]));
}

async function expectEachRowOnce(sent: Readonly<Record<Signal, ReadonlySet<number>>>): Promise<void> {
  const time = String(START_MS / 1000);
  const samples = await countByBatch('/api/v1/query', {
    query: 'sum by (batch) (count_over_time(crash_value[1m]))',
    time,
  });
  for (const batch of sent.samples) expect(samples.get(`b${batch}`), `samples of batch ${batch}`).toBe(ROWS);
  const logs = await countByBatch('/loki/api/v1/query', {
    query: 'sum by (batch) (count_over_time({job="crash"} | logfmt [1h]))',
    time: String(BigInt(START_MS + 60_000) * 1_000_000n),
  });
  for (const batch of sent.logs) expect(logs.get(`b${batch}`), `log lines of batch ${batch}`).toBe(ROWS);
  for (const batch of sent.spans) {
    const response = await fetch(`${program.url}/api/traces/${traceId(batch)}`, {
      headers: { accept: 'application/json' },
    });
    const trace = (await response.json()) as { batches: { scopeSpans: { spans: { spanId: string }[] }[] }[] };
    const ids = trace.batches.flatMap((b) => b.scopeSpans.flatMap((scope) => scope.spans.map((span) => span.spanId)));
    expect(ids.length, `spans of batch ${batch}`).toBe(ROWS);
    expect(new Set(ids).size).toBe(ROWS);
  }
}

describe('kill -9 while writing at full rate', () => {
  it('keeps every acknowledged sample, line and span, none twice, also when senders retry', async () => {
    const acknowledged: Record<Signal, Set<number>> = {
      samples: new Set(),
      leaks: new Set(),
      logs: new Set(),
      spans: new Set(),
    };
    const unanswered: { signal: Signal; batch: number }[] = [];
    let [next, stopped] = [0, false];
    const sender = async (signal: Signal): Promise<void> => {
      while (!stopped) {
        const batch = next++;
        try {
          if (await send(signal, batch)) acknowledged[signal].add(batch);
          else unanswered.push({ signal, batch });
        } catch {
          unanswered.push({ signal, batch });
          return; // The program is gone.
        }
      }
    };
    const senders = Promise.all(SIGNALS.flatMap((signal) => [sender(signal), sender(signal)]));
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await program.kill();
    stopped = true;
    await senders;

    program = await startProgram(directory);
    for (const signal of SIGNALS) expect(acknowledged[signal].size, signal).toBeGreaterThan(5);
    await expectEachRowOnce(acknowledged);

    // A sender repeats what wasn't answered, and it may have been committed all the same.
    expect(unanswered.length).toBeGreaterThan(0);
    for (const { signal, batch } of unanswered) {
      expect(await send(signal, batch)).toBe(true);
      acknowledged[signal].add(batch);
    }
    // One repeats even what was answered, where the answer was lost on the way.
    for (const signal of SIGNALS) expect(await send(signal, [...acknowledged[signal]].at(-1) as number)).toBe(true);
    await expectEachRowOnce(acknowledged);
    const total = await ask(program, '/api/v1/query', {
      query: 'sum(inference_requests_total{deployment="crash"})',
      time: String(Date.now() / 1000 - 590),
    });
    expect(Number(total.data.result[0].value[1])).toBe(acknowledged.leaks.size * ROWS);
  }, 60_000);
});
