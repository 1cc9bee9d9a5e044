import { type ChildProcess, spawn } from 'node:child_process';
import { ExporterError } from '../../error.ts';
import { DCGM_FIELDS } from '../../generated/conventions.ts';
import type { MissingMetric, Source, SourceReport } from '../reading.ts';
import { CommandRunner } from '../run-command.ts';
import {
  DCGMI_FIELDS,
  type DcgmiField,
  type DcgmiGpus,
  isProfiling,
  readDiscovery,
  readDmonCells,
  readDmonRow,
} from './dcgmi-text.ts';

/** How DCGM's host engine is asked. */
export interface DcgmiOptions {
  /** The command or its path. */
  readonly command: string;
  /** Where `nv-hostengine` listens, such as `10.0.0.5:5555`; this machine's own without it. */
  readonly host?: string;
  /** How often the engine measures. */
  readonly intervalMs: number;
  /** The monotonic clock, in ms. */
  readonly now: () => number;
}

const MOST_LINE_CHARACTERS = 64 * 1024;
const MOST_GPUS = 128;
const NO_ENGINE = 'start nv-hostengine, or say where it is by --dcgm-host';

/**
 * DCGM's host engine as a source, through `dcgmi dmon`: one process that stays, because profiling counters are means over
 * the time between two of its rows, and setting them up anew for each reading would lose what lies between.
 */
export function createDcgmiSource(options: DcgmiOptions): Source {
  return new Dcgmi(options);
}

class Dcgmi implements Source {
  readonly name = 'dcgmi';
  private readonly options: DcgmiOptions;
  private readonly runner: CommandRunner;
  private monitor: DmonProcess | undefined;
  private gpus: DcgmiGpus = new Map();
  private fields: readonly DcgmiField[] = DCGMI_FIELDS;
  private profilingRefusal: string | undefined;

  constructor(options: DcgmiOptions) {
    this.options = options;
    this.runner = new CommandRunner(options.command);
  }

  async poll(signal: AbortSignal): Promise<SourceReport> {
    for (;;) {
      const monitor = this.monitor ?? (await this.start(signal));
      this.monitor = monitor;
      const end = await monitor.untilFresh(3 * this.options.intervalMs, signal);
      if (end === undefined) return this.report(monitor);
      this.monitor = undefined;
      monitor.close();
      if (signal.aborted) throw this.failure('timeout', 'no row in time', 'look whether nv-hostengine hangs');
      if (!this.giveUpProfiling(end)) throw this.failure('failed', JSON.stringify(end), NO_ENGINE);
    }
  }

  close(): void {
    this.monitor?.close();
    this.runner.close();
  }

  private async start(signal: AbortSignal): Promise<DmonProcess> {
    const { command, host, intervalMs, now } = this.options;
    const where = host === undefined ? [] : ['--host', host];
    const { stdout, stderr, exitCode } = await this.runner.run(['discovery', '-l', ...where], signal);
    this.gpus = readDiscovery(stdout);
    if (this.gpus.size === 0)
      throw this.failure(
        'failed',
        `exit code ${exitCode} and ${JSON.stringify(firstLine(stderr + stdout))}`,
        NO_ENGINE,
      );
    const ids = this.fields.map(({ id }) => id).join(',');
    const args = ['dmon', '-e', ids, '-d', String(intervalMs), ...where];
    return new DmonProcess(command, args, this.fields, now);
  }

  /** Whether the engine refused profiling, and asking without it makes sense. */
  private giveUpProfiling(said: string): boolean {
    if (!/module|profil|requires.*root|-33|permission/i.test(said) || !this.fields.some(isProfiling)) return false;
    this.fields = this.fields.filter((field) => !isProfiling(field));
    this.profilingRefusal = said;
    return true;
  }

  private report(monitor: DmonProcess): SourceReport {
    const devices = [...monitor.rows]
      .map(([gpu, { cells }]) => readDmonCells(gpu, cells, this.fields, this.gpus))
      .filter((device) => device !== undefined);
    const given = new Set(devices.flatMap(({ measures }) => measures.map(({ metric }) => metric as string)));
    const missing = [...new Set(DCGM_FIELDS.map(({ target }): string => target))]
      .filter((metric) => !given.has(metric))
      .map((metric): MissingMetric => this.adviceFor(metric));
    return { devices, missing };
  }

  private adviceFor(metric: string): MissingMetric {
    const fields = DCGM_FIELDS.filter(({ target }) => target === metric);
    const isOfProfiling = fields.every(({ id, field }) => isProfiling({ id, name: field }));
    if (isOfProfiling && this.profilingRefusal !== undefined)
      return {
        metric,
        why: `the host engine refuses profiling: ${JSON.stringify(this.profilingRefusal)}`,
        fix: 'run nv-hostengine as root on a data centre GPU, with no profiler beside it',
      };
    return { metric, why: 'the host engine has no value', fix: 'the GPU, driver or DCGM does not support it' };
  }

  private failure(code: 'failed' | 'timeout', got: string, fix: string): ExporterError {
    return new ExporterError({ code, where: this.options.command, got, fix });
  }
}

/** A running `dcgmi dmon` with the last row of each GPU. */
class DmonProcess {
  readonly rows = new Map<string, { cells: string[]; atMs: number }>();
  private readonly child: ChildProcess;
  private readonly fields: readonly DcgmiField[];
  private readonly now: () => number;
  private rest = '';
  private said = '';
  private end: string | undefined;
  private readonly waiting = new Set<() => void>();

  constructor(command: string, args: readonly string[], fields: readonly DcgmiField[], now: () => number) {
    this.fields = fields;
    this.now = now;
    this.child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (chunk: Buffer) => this.take(chunk.toString('latin1')));
    this.child.stderr?.on('data', (chunk: Buffer) => this.note(chunk.toString('latin1')));
    this.child.once('error', (error: { code?: string }) => this.finish(error.code ?? 'a command that does not start'));
    this.child.once('close', (code) => this.finish(firstLine(this.said) || `exit code ${code}`));
    this.child.unref();
  }

  /**
   * Waits until a row is at most so old.
   *
   * @returns `undefined` where there is one, or why there won't be; where the signal came first, that.
   */
  async untilFresh(freshMs: number, signal: AbortSignal): Promise<string | undefined> {
    for (;;) {
      const oldestMs = this.now() - freshMs;
      for (const [gpu, { atMs }] of this.rows) if (atMs < oldestMs) this.rows.delete(gpu);
      if (this.end !== undefined) return this.end;
      if (this.rows.size > 0) return undefined;
      if (signal.aborted) return 'no row in time';
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.waiting.add(wake);
        signal.addEventListener('abort', wake);
      });
    }
  }

  close(): void {
    this.child.kill('SIGKILL');
  }

  private take(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = (lines.pop() ?? '').slice(-MOST_LINE_CHARACTERS);
    for (const line of lines) {
      const row = readDmonRow(line, this.fields);
      if (!row) this.note(`${line}\n`);
      else if (this.rows.has(row.gpu) || this.rows.size < MOST_GPUS)
        this.rows.set(row.gpu, { cells: row.cells, atMs: this.now() });
    }
    this.wake();
  }

  /** Headings aren't kept: what is left is what the command says of itself. */
  private note(text: string): void {
    if (!/^(?:#\s*Entity|\s*ID\b|\s*$)/i.test(text)) this.said = (this.said + text).slice(0, 1000);
  }

  private finish(end: string): void {
    this.end ??= end;
    this.wake();
  }

  private wake(): void {
    for (const wake of [...this.waiting]) wake();
  }
}

function firstLine(text: string): string {
  return (text.split('\n').find((line) => line.trim() !== '') ?? '').trim().slice(0, 160);
}
