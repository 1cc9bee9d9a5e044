import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { ExporterError, type ExporterErrorParts } from '../../error.ts';
import type { Source, SourceReport } from '../reading.ts';

/** What the child is asked. */
export interface ChildRequest {
  readonly id: number;
  readonly paths?: readonly string[];
}

/** What the child answers. */
export interface ChildAnswer {
  readonly id: number;
  readonly report?: SourceReport;
  readonly error?: { readonly code: ExporterErrorParts['code']; readonly message: string };
}

/** How NVML is reached. */
export interface NvmlOptions {
  /** The library, or `undefined` for the places where it usually is. */
  readonly library?: string;
  /** The program that reads, for tests. */
  readonly program?: string;
}

// TypeScript runs from source, and from JavaScript beside it once it is built.
const CHILD = path.join(import.meta.dirname, `child${path.extname(import.meta.filename)}`);

/** NVML as a source: read in a process of its own, because a broken driver hangs its callers. */
export function createNvmlSource(options: NvmlOptions = {}): Source {
  return new NvmlSource(options);
}

class NvmlSource implements Source {
  readonly name = 'nvml';
  private readonly options: NvmlOptions;
  private child: ChildProcess | undefined;
  private stuck: ChildProcess | undefined;
  private lastId = 0;

  constructor(options: NvmlOptions) {
    this.options = options;
  }

  poll(signal: AbortSignal): Promise<SourceReport> {
    if (this.stuck)
      return Promise.reject(
        new ExporterError({
          code: 'timeout',
          where: 'NVML',
          got: `a process (${this.stuck.pid}) that hangs in the driver`,
          fix: 'look at the kernel log for Xid and NVRM; the node probably needs a reboot',
        }),
      );
    const child = (this.child ??= this.start());
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      const settle = (done: () => void): void => {
        signal.removeEventListener('abort', onAbort);
        child.off('message', onMessage);
        child.off('exit', onExit);
        done();
      };
      const onMessage = (answer: ChildAnswer): void => {
        if (answer.id !== id) return;
        settle(() => {
          if (answer.report) resolve(answer.report);
          else reject(new ForwardedError(answer.error?.code ?? 'failed', answer.error?.message ?? 'no answer'));
        });
      };
      const onExit = (code: number | null): void =>
        settle(() =>
          reject(
            new ExporterError({ code: 'failed', where: 'NVML', got: `a reading process that ended with ${code}` }),
          ),
        );
      const onAbort = (): void =>
        settle(() => {
          this.kill(child);
          reject(
            new ExporterError({
              code: 'timeout',
              where: 'NVML',
              got: 'no answer in time',
              fix: 'a driver in trouble answers slowly or not at all; look for Xid in the kernel log',
            }),
          );
        });
      signal.addEventListener('abort', onAbort);
      child.on('message', onMessage);
      child.once('exit', onExit);
      child.send({ id, paths: this.options.library === undefined ? undefined : [this.options.library] }, (error) => {
        if (error) settle(() => reject(new ExporterError({ code: 'failed', where: 'NVML', got: error.message })));
      });
      if (signal.aborted) onAbort();
    });
  }

  close(): void {
    this.child?.kill('SIGKILL');
    this.stuck?.kill('SIGKILL');
  }

  private start(): ChildProcess {
    const child = fork(this.options.program ?? CHILD, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.once('exit', () => {
      if (this.child === child) this.child = undefined;
      if (this.stuck === child) this.stuck = undefined;
    });
    child.once('error', () => {
      if (this.child === child) this.child = undefined;
    });
    return child;
  }

  /** A process that hangs in the kernel outlives SIGKILL; no other is started while it is there. */
  private kill(child: ChildProcess): void {
    this.child = undefined;
    this.stuck = child;
    child.kill('SIGKILL');
    child.unref();
    child.channel?.unref();
  }
}

/** An error of the child, whose message is whole already. */
class ForwardedError extends ExporterError {
  constructor(code: ExporterErrorParts['code'], message: string) {
    super({ code, where: '' });
    this.message = message;
  }
}
