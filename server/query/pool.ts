import { MessageChannel, Worker } from 'node:worker_threads';
import { BarographError } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import type { QueryAnswer, QueryRequest, WireError } from './request.ts';

/** Messages to a worker. */
export type ToWorker =
  | { readonly kind: 'query'; readonly id: number; readonly request: QueryRequest }
  | { readonly kind: 'cancel'; readonly id: number };

/** Messages from a worker. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly id: number; readonly body: QueryAnswer }
  | { readonly kind: 'error'; readonly id: number; readonly error: WireError };

/** How many threads answer queries and how many requests may wait for them. */
export interface PoolOptions {
  /** Default 2. */
  readonly threads?: number;
  /** Requests in flight or waiting, over all threads; past it `run` refuses with 429. Default 256. */
  readonly maxPending?: number;
}

/** Threads that answer queries, so that no query delays an acknowledgement. */
export interface QueryPool {
  /**
   * Answers a request with the body of its HTTP answer, or with the spans of a trace.
   * @throws BarographError of the query, `too_many_queries`, or `worker_lost` where the thread died.
   */
  run<R extends QueryRequest>(request: R, signal?: AbortSignal): Promise<QueryAnswer<R>>;
  readonly pending: number;
  close(): Promise<void>;
}

interface Pending {
  readonly thread: Thread;
  readonly resolve: (body: QueryAnswer) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  worker: Worker;
  load: number;
}

/** Starts the threads; resolves once each of them has opened the store. */
export async function startQueryPool(store: Store, options: PoolOptions = {}): Promise<QueryPool> {
  const maxPending = options.maxPending ?? 256;
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let closing = false;

  function settle(id: number): Pending | undefined {
    const entry = pending.get(id);
    if (entry) {
      pending.delete(id);
      entry.thread.load--;
    }
    return entry;
  }

  async function start(thread: Thread): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    store.serve(port1);
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { reads: port2, committed: store.committed },
      transferList: [port2],
    });
    thread.worker = worker;
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') resolve();
        else if (message.kind === 'answer') settle(message.id)?.resolve(message.body);
        else settle(message.id)?.reject(fromWireError(message.error));
      });
      worker.on('exit', () => {
        port1.close();
        for (const [id, entry] of pending) {
          if (entry.thread === thread) settle(id)?.reject(lostWorker());
        }
        // A thread that died (out of memory in one query) is replaced, so that the next query finds one.
        if (!closing) start(thread).catch(() => {});
      });
    });
  }

  const threads: Thread[] = await Promise.all(
    Array.from({ length: options.threads ?? 2 }, async () => {
      const thread = { load: 0 } as Thread;
      await start(thread);
      return thread;
    }),
  );

  return {
    get pending() {
      return pending.size;
    },
    run<R extends QueryRequest>(request: R, signal?: AbortSignal): Promise<QueryAnswer<R>> {
      if (pending.size >= maxPending) {
        return Promise.reject(
          new BarographError({
            code: 'too_many_queries',
            status: 429,
            where: 'query',
            got: `${pending.size} queries in flight`,
            accepted: `at most ${maxPending}`,
            fix: 'ask again later or raise query.max_pending',
          }),
        );
      }
      const thread = threads.reduce((a, b) => (b.load < a.load ? b : a));
      const id = nextId++;
      return new Promise((resolve, reject) => {
        thread.load++;
        pending.set(id, { thread, resolve: resolve as Pending['resolve'], reject });
        thread.worker.postMessage({ kind: 'query', id, request } satisfies ToWorker);
        signal?.addEventListener('abort', () => thread.worker.postMessage({ kind: 'cancel', id } satisfies ToWorker), {
          once: true,
        });
      });
    },
    async close() {
      closing = true;
      await Promise.all(threads.map((thread) => thread.worker.terminate()));
    },
  };
}

function fromWireError(error: WireError): BarographError {
  return new BarographError({ code: error.code, status: error.status, where: error.message });
}

function lostWorker(): BarographError {
  return new BarographError({
    code: 'worker_lost',
    status: 500,
    where: 'query',
    got: 'a query thread that ended, probably out of memory',
    fix: 'narrow the query; the thread was started anew',
  });
}
