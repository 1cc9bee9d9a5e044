import { type ChildProcess, spawn } from 'node:child_process';
import { ExporterError } from '../error.ts';

const MOST_BYTES = 8 * 1024 * 1024;

/** How a command ended by itself. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs commands one at a time and never waits for one past its signal. On a broken driver `nvidia-smi` hangs in the
 * kernel, where even SIGKILL doesn't reach it: such a process is left behind, at most one of them, and no other is
 * started while it is there.
 */
export class CommandRunner {
  private readonly command: string;
  private stuck: ChildProcess | undefined;

  constructor(command: string) {
    this.command = command;
  }

  /**
   * @throws ExporterError `unreachable` where there is no such command, `timeout`, or `too_large` past 8 MiB of output.
   */
  run(args: readonly string[], signal: AbortSignal): Promise<CommandResult> {
    const { command } = this;
    if (this.stuck)
      return Promise.reject(
        new ExporterError({
          code: 'timeout',
          where: command,
          got: `a process (${this.stuck.pid}) that hangs and can't be ended`,
          fix: 'look at the driver in the kernel log; the node probably needs a reboot',
        }),
      );
    return new Promise((resolve, reject) => {
      const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'pipe'] });
      const output: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
      let [bytes, isDone] = [0, false];
      const finish = (error?: ExporterError): void => {
        if (isDone) return;
        isDone = true;
        signal.removeEventListener('abort', onAbort);
        if (error) {
          if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) this.kill(child);
          reject(error);
        } else resolve({ exitCode: child.exitCode, stdout: text(output.stdout), stderr: text(output.stderr) });
      };
      const onAbort = (): void =>
        finish(new ExporterError({ code: 'timeout', where: command, got: 'no answer in time', fix: HANGS }));
      signal.addEventListener('abort', onAbort);
      for (const name of ['stdout', 'stderr'] as const)
        child[name].on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes <= MOST_BYTES) output[name].push(chunk);
          else finish(new ExporterError({ code: 'too_large', where: command, got: `over ${MOST_BYTES} bytes` }));
        });
      child.once('error', (cause) => {
        const got =
          (cause as { code?: string }).code === 'ENOENT' ? 'no such command' : 'a command that does not start';
        finish(
          new ExporterError({ code: 'unreachable', where: command, got, fix: 'install it or name its path', cause }),
        );
      });
      child.once('close', () => finish());
      if (signal.aborted) onAbort();
    });
  }

  /** Ends what still runs. */
  close(): void {
    this.stuck?.kill('SIGKILL');
  }

  private kill(child: ChildProcess): void {
    this.stuck = child;
    child.once('exit', () => {
      this.stuck = undefined;
    });
    child.kill('SIGKILL');
    // A child in the kernel must not keep the exporter from ending, nor its pipes.
    child.unref();
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

const HANGS = 'a driver in trouble answers slowly or not at all; look for Xid in the kernel log';

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8');
}
