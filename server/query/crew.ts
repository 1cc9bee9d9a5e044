import { setImmediate } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { createMatcher } from '../model/index.ts';
import type { MetricReader } from '../store/index.ts';
import { type Crew, type PartJob, type PartResult, PartWork, type SharedWork } from './promql/index.ts';
import { fromWireError, toWireError, type WireError } from './request.ts';
import type { Turns } from './sample-limits.ts';

/*
 * The query threads help each other: one that evaluates an aggregation in parts offers them to all others, and those that
 * have no query of their own take parts until none is left. Parts are taken by counting up in shared memory, so nobody
 * waits for a thread that is busy: what it doesn't take, the offering thread does itself.
 */

/** What threads say to each other. */
type Message =
  | {
      readonly kind: 'offer';
      readonly id: number;
      readonly job: PartJob;
      readonly parts: number;
      readonly taken: SharedArrayBuffer;
    }
  | { readonly kind: 'part'; readonly id: number; readonly part: number; readonly result: PartResult }
  | { readonly kind: 'failed'; readonly id: number; readonly part: number; readonly error: WireError };

/** Words of the memory that the threads of a job share: the next part, and whether to stop. */
const NEXT = 0;
const STOPPED = 1;

/** Milliseconds of help between two looks for a query of one's own. */
const LOOK_EVERY_MS = 5;

/** A job that this thread has offered. */
interface Offered {
  readonly parts: number;
  readonly results: Map<number, PartResult>;
  /** Parts that this thread took itself. */
  own: number;
  failed: WireError | undefined;
  /** Threads that ended meanwhile, with what they may have taken. */
  lost: boolean;
  wake: (() => void) | undefined;
}

/** This thread's part in the crew: offers its own jobs, and helps with those of others. */
export class CrewMember implements Crew {
  private readonly ports = new Set<MessagePort>();
  private readonly offered = new Map<number, Offered>();
  private readonly reader: MetricReader;
  private readonly turns: Turns;
  private nextId = 1;

  /** @param turns Those of this thread's own queries; it helps only while it has none. */
  constructor(reader: MetricReader, turns: Turns) {
    this.reader = reader;
    this.turns = turns;
  }

  /** Makes the acquaintance of another thread. */
  join(port: MessagePort): void {
    this.ports.add(port);
    port.on('message', (message: Message) => this.take(message, port));
    port.on('close', () => {
      this.ports.delete(port);
      for (const job of this.offered.values()) {
        job.lost = true;
        job.wake?.();
      }
    });
  }

  offer(job: PartJob, parts: number): SharedWork {
    const taken = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
    const words = new Int32Array(taken);
    const id = this.nextId++;
    const state: Offered = { parts, results: new Map(), own: 0, failed: undefined, lost: false, wake: undefined };
    this.offered.set(id, state);
    // The last part is this thread's in any case, so as many helpers as there are other parts are enough.
    let helpers = parts - 1;
    for (const port of this.ports) {
      if (helpers-- <= 0) break;
      port.postMessage({ kind: 'offer', id, job, parts, taken } satisfies Message);
    }
    return {
      take: () => {
        const part = Atomics.add(words, NEXT, 1);
        if (part >= parts) return -1;
        state.own++;
        return part;
      },
      collect: async () => {
        await this.allIn(state);
        if (state.failed) throw fromWireError(state.failed);
        return state.results;
      },
      end: () => {
        Atomics.store(words, STOPPED, 1);
        // Whoever comes late finds nothing to take.
        Atomics.store(words, NEXT, parts);
        this.offered.delete(id);
      },
    };
  }

  private async allIn(state: Offered): Promise<void> {
    while (state.own + state.results.size < state.parts && !state.failed && !state.lost) {
      await new Promise<void>((resolve) => {
        state.wake = resolve;
      });
    }
  }

  private take(message: Message, port: MessagePort): void {
    if (message.kind === 'offer') {
      if (this.turns.isIdle) void this.turns.run(() => this.help(message, port));
      return;
    }
    const state = this.offered.get(message.id);
    if (!state) return;
    if (message.kind === 'part') state.results.set(message.part, message.result);
    else state.failed ??= message.error;
    state.wake?.();
  }

  /** Takes parts of another thread's job until none is left. */
  private async help({ id, job, parts, taken }: Message & { kind: 'offer' }, port: MessagePort): Promise<void> {
    const words = new Int32Array(taken);
    if (Atomics.load(words, NEXT) >= parts) return;
    const isStopped = (): boolean => Atomics.load(words, STOPPED) !== 0;
    const stop = new AbortController();
    Object.defineProperty(stop.signal, 'aborted', { get: isStopped });
    let part = -1;
    try {
      const work = new PartWork(job, isStopped);
      const { matchers, startMs, endMs } = work.fetch;
      const request = { matchers: matchers.map((m) => createMatcher(m.name, m.op, m.value)), startMs, endMs };
      const scan = await this.reader.scan(request, stop.signal, job.ids);
      let lookedMs = performance.now();
      while (!this.turns.hasWaiting) {
        part = Atomics.add(words, NEXT, 1);
        if (part >= parts) return;
        const result = work.run(part, scan);
        port.postMessage({ kind: 'part', id, part, result } satisfies Message, memoryOf(result));
        if (performance.now() - lookedMs < LOOK_EVERY_MS) continue;
        // A query of this thread's own goes first.
        await setImmediate();
        lookedMs = performance.now();
      }
    } catch (error) {
      // Without a part of its own nothing is missing: the offering thread takes all of them.
      if (part >= 0 && part < parts)
        port.postMessage({ kind: 'failed', id, part, error: toWireError(error) } satisfies Message);
    }
  }
}

/** The memory that moves to the other thread with a result; several columns share one. */
function memoryOf({ groups }: PartResult): ArrayBuffer[] {
  const found = new Set<ArrayBufferLike>();
  for (const { values, second, counts } of groups) {
    for (const array of [values, second, counts]) if (array.length > 0) found.add(array.buffer);
  }
  return [...found] as ArrayBuffer[];
}
