import fs from 'node:fs';
import type { PolicyStatus } from '../api/index.ts';
import type { Governor } from '../govern/index.ts';
import type { Logger } from '../telemetry/index.ts';
import type { ReadPolicy } from './policy-source.ts';

/** A policy as it is in force for one tenant. */
type OnePolicy = Pick<ReadPolicy, 'changes' | 'files'>;

/** How often the files are looked at: by their stamps rather than by events, which mounts of Kubernetes don't send. */
const LOOK_MS = 2000;

interface ReloadParts {
  readonly governor: Governor;
  readonly log: Logger;
  /** Reads the policy anew. @throws BarographError. */
  readonly read: () => OnePolicy;
  /** What was read at the start. */
  readonly first: Pick<OnePolicy, 'files'>;
}

/** Takes the policy up again when its files change, and on SIGHUP. One that is wrong changes nothing. */
export class PolicyReloader {
  readonly reloads = { ok: 0, failed: 0 };
  private readonly parts: ReloadParts;
  private files: readonly string[];
  private stamp: string;
  private loadedMs = Date.now();
  private error: PolicyStatus['error'];
  private timer: NodeJS.Timeout | undefined;
  private readonly onSignal = (): void => this.reload('SIGHUP');

  constructor(parts: ReloadParts) {
    this.parts = parts;
    this.files = parts.first.files;
    this.stamp = stampOf(this.files);
  }

  get status(): PolicyStatus {
    return { files: this.files, loadedMs: this.loadedMs, error: this.error };
  }

  start(): void {
    // Each tenant has a reloader of its own.
    process.setMaxListeners(Math.max(process.getMaxListeners(), process.listenerCount('SIGHUP') + 2));
    process.on('SIGHUP', this.onSignal);
    this.timer = setInterval(() => {
      if (this.files.length > 0 && stampOf(this.files) !== this.stamp) this.reload('a file changed');
    }, LOOK_MS);
    this.timer.unref();
  }

  stop(): void {
    process.off('SIGHUP', this.onSignal);
    clearInterval(this.timer);
  }

  private reload(why: string): void {
    const { governor, log, read } = this.parts;
    // Taken before the files are read, so that a change in between is seen at the next look.
    this.stamp = stampOf(this.files);
    try {
      const { changes, files } = read();
      const beforeMs = governor.policy.fleetResolutionMs;
      governor.use(changes);
      const { fleetResolutionMs } = governor.policy;
      if (fleetResolutionMs !== beforeMs) {
        const settings = { beforeMs, fleetResolutionMs };
        log.warn(
          settings,
          'fleet.resolution holds for new fleet: series now, for those that exist from the next start on',
        );
      }
      if (files.join('\n') !== this.files.join('\n')) {
        this.files = files;
        this.stamp = stampOf(files);
      }
      this.reloads.ok++;
      this.loadedMs = Date.now();
      this.error = undefined;
      log.info({ why, generation: governor.generation, files }, 'the policy was read again');
    } catch (error) {
      this.reloads.failed++;
      const { message } = error as Error;
      this.error = { ms: Date.now(), message };
      log.error({ why, error: message }, 'the policy was not read again; the one before stays in force');
    }
  }
}

function stampOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stat = fs.statSync(file, { throwIfNoEntry: false });
      return stat ? `${stat.mtimeMs} ${stat.size} ${stat.ino}` : 'none';
    })
    .join('\n');
}
