// The entry of a query worker thread: holds its own readers on the store and answers one request at a time or several
// that wait for the store together.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { createReaders, remoteChunkSource } from '../store/index.ts';
import type { FromWorker, ToWorker } from './pool.ts';
import { answer, toWireError } from './request.ts';

if (!parentPort) throw new Error('BUG: query/worker.ts is the entry of a worker thread');
const port = parentPort;
const { reads, committed } = workerData as { reads: MessagePort; committed: SharedArrayBuffer };
const readers = createReaders(remoteChunkSource(reads), committed);
const running = new Map<number, AbortController>();
const post = (message: FromWorker): void => port.postMessage(message);

port.on('message', (message: ToWorker) => {
  if (message.kind === 'cancel') {
    running.get(message.id)?.abort();
    return;
  }
  const controller = new AbortController();
  running.set(message.id, controller);
  answer(message.request, readers, controller.signal)
    .then(
      (body) => post({ kind: 'answer', id: message.id, body }),
      (error: unknown) => post({ kind: 'error', id: message.id, error: toWireError(error) }),
    )
    .finally(() => running.delete(message.id));
});
post({ kind: 'ready' });
