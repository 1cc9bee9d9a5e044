// The entry of a query worker thread: holds its own readers on the store and answers one request at a time or several
// that wait for the store together.
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { printLabels } from '../model/index.ts';
import { createReaders, remoteChunkSource } from '../store/index.ts';
import { CrewMember } from './crew.ts';
import type { FromWorker, ToWorker, WorkerParts } from './pool.ts';
import { transferOf } from './prometheus/index.ts';
import { answer, type QueryAnswer, type QueryRequest, toWireError } from './request.ts';
import { boundedReader, Turns } from './sample-limits.ts';
import { type StopSignal, stopSignal } from './stop-flags.ts';

if (!parentPort) throw new Error('BUG: query/worker.ts is the entry of a worker thread');
const port = parentPort;
const { reads, shared, stops, limits, newest } = workerData as WorkerParts;
const readers = createReaders(remoteChunkSource(reads), shared, limits);
const turns = new Turns();
const crew = new CrewMember(readers.metrics, turns);
const running = new Map<number, StopSignal>();

/** Posts a message; the memory of an answer's bytes moves to the other thread instead of being copied. */
function post(message: FromWorker): void {
  port.postMessage(message, message.kind === 'answer' ? movable(message.body) : []);
}

function movable(body: QueryAnswer): ArrayBuffer[] {
  if (typeof body === 'string' || Array.isArray(body)) return [];
  if (!(body instanceof Uint8Array)) return transferOf(body);
  return body.byteLength === body.buffer.byteLength ? [body.buffer as ArrayBuffer] : [];
}

/** Answers a request; those that hold samples wait for their turn. */
function begin(request: QueryRequest, signal: AbortSignal): Promise<QueryAnswer> {
  switch (request.kind) {
    case 'promql':
    case 'samples':
    case 'last_samples':
      return turns.run(async () => {
        // The answer before has been encoded, and nothing of its samples is left in it.
        readers.metrics.reuse();
        const metrics = boundedReader(readers.metrics, limits.maxSamples);
        return answer(request, { ...readers, metrics }, signal, crew);
      });
    default:
      return answer(request, readers, signal);
  }
}

port.on('message', (message: ToWorker) => {
  if (message.kind === 'stop') {
    running.get(message.id)?.wake();
    return;
  }
  if (message.kind === 'crew') {
    crew.join(message.port);
    return;
  }
  const { id, place, request } = message;
  const stop = stopSignal(stops, place);
  running.set(id, stop);
  begin(request, stop.signal)
    .then(
      (body) => post({ kind: 'answer', id, body }),
      (error: unknown) => post({ kind: 'error', id, error: toWireError(error) }),
    )
    .finally(() => running.delete(id));
});

/** Milliseconds after which a thread is ready although its own question isn't answered yet. */
const WARM_UP_MS = 1000;

/**
 * Asks a small question about one series, so that files are open and the engine's code is compiled before somebody waits
 * for an answer. Its answer is thrown away, and so is an error: the first real query would say the same.
 */
async function warmUp(): Promise<void> {
  const endMs = Date.now();
  const series = newest ? printLabels(newest) : 'up';
  const query = `sum by (job) (rate(${series}[5m])) > 0 or topk(1, avg_over_time(${series}[5m]))`;
  const range = { startMs: endMs - 60_000, endMs, stepMs: 15_000 };
  const request = { kind: 'promql', query, ...range, lookbackMs: undefined, timeoutMs: undefined, limit: 0 } as const;
  const answered = begin({ ...request, statsSinceMs: undefined }, new AbortController().signal).catch(() => {});
  await Promise.race([answered, sleep(WARM_UP_MS, undefined, { ref: false })]);
}

await warmUp();
post({ kind: 'ready' });
