import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { BarographError, type Labels } from '../model/index.ts';
import { DEFAULT_METRIC_READER_LIMITS, type MetricReaderLimits, type SharedStore, type Store } from '../store/index.ts';
import { fromWireError, type QueryAnswer, type QueryRequest, type WireError } from './request.ts';
import { StopFlags, type StopReason } from './stop-flags.ts';

/** What a worker is given at its start. */
export interface WorkerParts {
  /** The other end of the port that the store serves. */
  readonly reads: MessagePort;
  readonly shared: SharedStore;
  /** Memory of the thread's `StopFlags`. */
  readonly stops: SharedArrayBuffer;
  readonly limits: MetricReaderLimits;
  /** The labels of the series that came last, where there is one. */
  readonly newest: Labels | undefined;
}

/** Messages to a worker. A `stop` only wakes what waits: the reason is in the shared flag of the request. */
export type ToWorker =
  | { readonly kind: 'query'; readonly id: number; readonly place: number; readonly request: QueryRequest }
  | { readonly kind: 'stop'; readonly id: number }
  /** The way to another query thread. */
  | { readonly kind: 'crew'; readonly port: MessagePort };

/** Messages from a worker. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly id: number; readonly body: QueryAnswer }
  | { readonly kind: 'error'; readonly id: number; readonly error: WireError };

/** How many threads answer queries, how many requests may wait for them, and how long one may take. */
export interface PoolOptions {
  /** Default 2. */
  readonly threads?: number;
  /** Requests in flight or waiting, over all threads; past it `run` refuses with 429. Default 256. */
  readonly maxPending?: number;
  /** Milliseconds that a request may take, the time in which it waits included. Default 120,000, as in Prometheus. */
  readonly timeoutMs?: number;
  /** What one query may read; `maxSamples` holds for all its selectors together. */
  readonly limits?: Partial<MetricReaderLimits>;
  /** Pairs of a metric and a label whose values governance folded, as `metric\0label`: PromQL answers warn of them. */
  readonly folded?: () => readonly string[];
}

/** How requests ended. */
export type QueryOutcome = 'answered' | 'failed' | 'cancelled' | 'timeout' | 'lost' | 'refused';

/** Threads that answer queries, so that no query delays an acknowledgement. */
export interface QueryPool {
  /**
   * Answers a request with the body of its HTTP answer, or with the spans of a trace. The work ends soon after the
   * signal was aborted or the time is up: a request that waits never begins, one that runs notices within its loops.
   * @throws BarographError of the query, `too_many_queries`, `timeout`, `cancelled`, or `worker_lost` where the thread
   * died.
   */
  run<R extends QueryRequest>(request: R, signal?: AbortSignal): Promise<QueryAnswer<R>>;
  /** Requests that wait or run; a cancelled one counts until its thread has let go of it. */
  readonly pending: number;
  /** Requests that a thread works on. */
  readonly running: number;
  /** How many requests ended in which way since the start. */
  readonly outcomes: Readonly<Record<QueryOutcome, number>>;
  close(): Promise<void>;
}

/** Requests that one thread works on at once: while one evaluates, the store reads for the others. */
const PER_THREAD = 4;
const RESTART_DELAY_MS = 1000;

interface Thread {
  worker: Worker | undefined;
  isReady: boolean;
  readonly stops: StopFlags;
}

/** A request on its way: it waits, then has a thread and a place there, and is over once it is out of the map. */
interface Entry {
  readonly id: number;
  readonly request: QueryRequest;
  readonly resolve: (body: QueryAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly timeoutMs: number;
  readonly timer: NodeJS.Timeout;
  /** Set where the client was told already; the answer of the thread then only frees the place. */
  stopped: StopReason | undefined;
  on: { readonly thread: Thread; readonly place: number } | undefined;
}

/** Starts the threads; resolves once each of them has opened the store and answered a question of its own. */
export async function startQueryPool(store: Store, options: PoolOptions = {}): Promise<QueryPool> {
  const pool = new Pool(store, options);
  await pool.open();
  return pool;
}

class Pool implements QueryPool {
  readonly outcomes = { answered: 0, failed: 0, cancelled: 0, timeout: 0, lost: 0, refused: 0 };
  private readonly store: Store;
  private readonly maxPending: number;
  private readonly timeoutMs: number;
  private readonly limits: MetricReaderLimits;
  private readonly threads: Thread[];
  private readonly entries = new Map<number, Entry>();
  /** What no thread has yet, the oldest first. */
  private readonly waiting = new Set<Entry>();
  private nextId = 1;
  private isClosing = false;

  private readonly folded: () => readonly string[];

  constructor(store: Store, options: PoolOptions) {
    this.store = store;
    this.maxPending = options.maxPending ?? 256;
    this.timeoutMs = options.timeoutMs ?? 120_000;
    this.folded = options.folded ?? (() => []);
    this.limits = { ...DEFAULT_METRIC_READER_LIMITS, ...options.limits };
    const newThread = (): Thread => ({ worker: undefined, isReady: false, stops: new StopFlags(PER_THREAD) });
    this.threads = Array.from({ length: options.threads ?? 2 }, newThread);
  }

  async open(): Promise<void> {
    try {
      await Promise.all(this.threads.map((thread) => this.start(thread)));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get pending(): number {
    return this.entries.size;
  }

  get running(): number {
    return this.entries.size - this.waiting.size;
  }

  run<R extends QueryRequest>(request: R, signal?: AbortSignal): Promise<QueryAnswer<R>> {
    if (this.entries.size >= this.maxPending) {
      this.outcomes.refused++;
      return Promise.reject(tooMany(this.entries.size, this.maxPending));
    }
    const asked = request.kind === 'promql' ? request.timeoutMs : undefined;
    const timeoutMs = Math.min(asked ?? this.timeoutMs, this.timeoutMs);
    const id = this.nextId++;
    return new Promise<QueryAnswer>((resolve, reject) => {
      const timer = setTimeout(() => this.stop(id, 'timeout'), timeoutMs);
      const entry: Entry = { id, request, resolve, reject, timeoutMs, timer, stopped: undefined, on: undefined };
      this.entries.set(id, entry);
      this.waiting.add(entry);
      signal?.addEventListener('abort', () => this.stop(id, 'cancelled'), { once: true });
      if (signal?.aborted) this.stop(id, 'cancelled');
      this.dispatch();
    }) as Promise<QueryAnswer<R>>;
  }

  async close(): Promise<void> {
    this.isClosing = true;
    await Promise.all(this.threads.map((thread) => thread.worker?.terminate()));
    for (const entry of this.entries.values()) this.finish(entry, 'lost')?.reject(lostWorker());
  }

  /** Gives waiting requests to the threads that have room, the one with the most room first. */
  private dispatch(): void {
    for (const entry of this.waiting) {
      let best: Thread | undefined;
      for (const thread of this.threads) {
        if (!thread.isReady || thread.stops.available === 0) continue;
        if (!best || thread.stops.available > best.stops.available) best = thread;
      }
      if (!best) return;
      const place = best.stops.take();
      this.waiting.delete(entry);
      entry.on = { thread: best, place };
      const { id } = entry;
      const request = this.withFolded(entry.request);
      best.worker?.postMessage({ kind: 'query', id, place, request } satisfies ToWorker);
    }
  }

  private withFolded(request: QueryRequest): QueryRequest {
    if (request.kind !== 'promql') return request;
    const folded = this.folded();
    return folded.length === 0 ? request : { ...request, folded };
  }

  /** The client need not wait for the thread to notice; the place stays taken until it has. */
  private stop(id: number, reason: StopReason): void {
    const entry = this.entries.get(id);
    if (!entry || entry.stopped) return;
    entry.stopped = reason;
    const { on } = entry;
    entry.reject(reason === 'timeout' ? timedOut(entry.timeoutMs, on !== undefined) : cancelled());
    if (!on) {
      this.finish(entry, reason);
      return;
    }
    on.thread.stops.stop(on.place, reason);
    on.thread.worker?.postMessage({ kind: 'stop', id } satisfies ToWorker);
  }

  /** Forgets a request and counts how it ended; a promise that was settled when it was stopped stays as it is. */
  private finish(entry: Entry | undefined, outcome: QueryOutcome): Entry | undefined {
    if (!entry || !this.entries.delete(entry.id)) return undefined;
    clearTimeout(entry.timer);
    this.waiting.delete(entry);
    this.outcomes[entry.stopped ?? outcome]++;
    if (entry.on) entry.on.thread.stops.release(entry.on.place);
    return entry;
  }

  private async start(thread: Thread): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    this.store.serve(port1);
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: {
        reads: port2,
        shared: this.store.shared,
        stops: thread.stops.memory,
        limits: this.limits,
        newest: this.store.series.labels(this.store.series.size - 1),
      } satisfies WorkerParts,
      transferList: [port2],
    });
    thread.worker = worker;
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') {
          thread.isReady = true;
          this.introduce(thread);
          resolve();
        } else if (message.kind === 'answer') {
          this.finish(this.entries.get(message.id), 'answered')?.resolve(message.body);
        } else {
          this.finish(this.entries.get(message.id), 'failed')?.reject(fromWireError(message.error));
        }
        this.dispatch();
      });
      worker.on('exit', () => {
        port1.close();
        // One that worked until now is replaced at once; one that can't even start is tried again slowly.
        const delayMs = thread.isReady ? 0 : RESTART_DELAY_MS;
        thread.isReady = false;
        for (const entry of this.entries.values()) {
          if (entry.on?.thread === thread) this.finish(entry, 'lost')?.reject(lostWorker());
        }
        reject(lostWorker());
        this.restart(thread, delayMs);
      });
    });
  }

  /** Connects a thread with the others, so that they can help each other. */
  private introduce(thread: Thread): void {
    for (const other of this.threads) {
      if (other === thread || !other.isReady) continue;
      const { port1, port2 } = new MessageChannel();
      thread.worker?.postMessage({ kind: 'crew', port: port1 } satisfies ToWorker, [port1]);
      other.worker?.postMessage({ kind: 'crew', port: port2 } satisfies ToWorker, [port2]);
    }
  }

  /** A thread that died (out of memory in one query) is replaced, so that the next query finds one. */
  private restart(thread: Thread, delayMs: number): void {
    if (this.isClosing) return;
    setTimeout(() => {
      // Where it dies again before it is ready, its exit brings it back here.
      if (!this.isClosing) this.start(thread).catch(() => {});
    }, delayMs).unref();
  }
}

function tooMany(pending: number, limit: number): BarographError {
  return new BarographError({
    code: 'too_many_queries',
    status: 429,
    where: 'query',
    got: `${pending} queries in flight`,
    accepted: `at most ${limit}`,
    fix: 'ask again later or raise query.max_pending',
  });
}

/** The words before the colon are Prometheus's. */
function timedOut(limitMs: number, began: boolean): BarographError {
  return new BarographError({
    code: 'timeout',
    status: 503,
    where: `query timed out in ${began ? 'expression evaluation' : 'query queue'}`,
    got: `more than ${limitMs} ms`,
    fix: 'narrow the query, or raise its timeout or query.timeout_ms',
  });
}

function cancelled(): BarographError {
  return new BarographError({ code: 'cancelled', status: 499, where: 'query was canceled', got: 'a client that left' });
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
