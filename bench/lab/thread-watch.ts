// How long the threads of another process go on working, by what the kernel says of their time on a processor.
import fs from 'node:fs';

/** Milliseconds between two looks. */
const LOOK_MS = 1;
/** A thread that ran less than this between two looks has only woken up. */
const RAN_MS = 0.2;
/** Milliseconds without work after which it is over. */
const QUIET_MS = 60;

/** What happened after a moment. */
export interface WorkAfter {
  /** Milliseconds until threads that do a request's work ran for the last time. */
  readonly idleAfterMs: number;
  /** CPU milliseconds of those threads. */
  readonly workersCpuMs: number;
  /** CPU milliseconds of the main thread in the same time. */
  readonly mainCpuMs: number;
}

interface Watched {
  readonly file: number;
  readonly isMain: boolean;
}

/**
 * The threads of a Node process that do work for requests: its main thread, its workers, and those of the pool in which
 * DuckDB and compression run. The collector's and the compiler's threads are left out.
 */
export class ThreadWatch {
  readonly #threads: Watched[] = [];
  readonly #buffer = Buffer.alloc(64);
  readonly #sleep = new Int32Array(new SharedArrayBuffer(4));

  constructor(pid: number) {
    for (const id of fs.readdirSync(`/proc/${pid}/task`)) {
      const folder = `/proc/${pid}/task/${id}`;
      const name = fs.readFileSync(`${folder}/comm`, 'utf8').trim();
      const isMain = id === String(pid);
      if (!isMain && !/^(?:WorkerThread|libuv-worker|\[worker)/.test(name)) continue;
      this.#threads.push({ file: fs.openSync(`${folder}/schedstat`, 'r'), isMain });
    }
  }

  /** Does something, and watches until the threads are quiet. Blocks this thread. */
  after(act: () => void): WorkAfter {
    const first = this.#times();
    let last = first;
    const startMs = performance.now();
    act();
    let idleAfterMs = 0;
    for (let nowMs = 0; nowMs - idleAfterMs < QUIET_MS; ) {
      Atomics.wait(this.#sleep, 0, 0, LOOK_MS);
      nowMs = performance.now() - startMs;
      const times = this.#times();
      if (times.some((time, i) => !this.#threads[i].isMain && time - last[i] > RAN_MS)) idleAfterMs = nowMs;
      last = times;
    }
    const grown = (isMain: boolean): number =>
      last.reduce((sum, time, i) => sum + (this.#threads[i].isMain === isMain ? time - first[i] : 0), 0);
    return { idleAfterMs, workersCpuMs: grown(false), mainCpuMs: grown(true) };
  }

  close(): void {
    for (const { file } of this.#threads) fs.closeSync(file);
  }

  /** Milliseconds on a processor, by thread. */
  #times(): number[] {
    return this.#threads.map(({ file }) => {
      const length = fs.readSync(file, this.#buffer, 0, 64, 0);
      const text = this.#buffer.toString('latin1', 0, length);
      return Number(text.slice(0, text.indexOf(' '))) / 1e6;
    });
  }
}
