import fs from 'node:fs/promises';
import path from 'node:path';
import { findServedModel } from './model-name.ts';

/** What `/proc` tells of a process that uses a GPU. */
export interface ProcessIdentity {
  /** The pod's name where the process is in a pod. */
  readonly pod?: string;
  /** The unit of systemd, without `.service`. */
  readonly unit?: string;
  readonly isInPod: boolean;
  readonly model?: string;
}

const MOST_BYTES = 64 * 1024;
const MOST_PARENTS = 8;
const MOST_CACHED = 4096;
const FRESH_MS = 60_000;

/**
 * Reads who a process is: its control group says the pod or unit, its command line or that of the server that started it
 * the model. Environments aren't read, they hold secrets. Without `hostPID` in a pod there is nothing to find.
 */
export class ProcReader {
  private readonly root: string;
  private readonly now: () => number;
  private readonly cache = new Map<string, { identity: ProcessIdentity; atMs: number }>();

  /** @param root `/proc`, or where it is mounted. @param now The monotonic clock, in ms. */
  constructor(root: string, now: () => number) {
    this.root = root;
    this.now = now;
  }

  /** `undefined` where the process is gone or can't be seen. */
  async identify(pid: number): Promise<ProcessIdentity | undefined> {
    const stat = await this.read(pid, 'stat');
    if (stat === undefined) return undefined;
    // A number is given to another process one day; together with the start time it is one of a kind.
    const key = `${pid} ${startTime(stat)}`;
    const cached = this.cache.get(key);
    if (cached && this.now() - cached.atMs < FRESH_MS) return cached.identity;
    const cgroup = parseCgroup((await this.read(pid, 'cgroup')) ?? '');
    const identity: ProcessIdentity = {
      isInPod: cgroup.isInPod,
      unit: cgroup.unit,
      pod: cgroup.isInPod ? await this.hostname(pid) : undefined,
      model: await this.servedModel(pid, stat),
    };
    if (this.cache.size >= MOST_CACHED) this.cache.clear();
    this.cache.set(key, { identity, atMs: this.now() });
    return identity;
  }

  /** A pod's host name is its name, unless its author set another. */
  private async hostname(pid: number): Promise<string | undefined> {
    const text = (await this.read(pid, 'root/etc/hostname'))?.trim();
    return text !== undefined && /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text) ? text : undefined;
  }

  /** Workers rename themselves (`VLLM::Worker_TP0`), so the command line may be that of a parent. */
  private async servedModel(pid: number, stat: string): Promise<string | undefined> {
    let [at, text]: [number, string | undefined] = [pid, stat];
    for (let i = 0; i < MOST_PARENTS && at > 1 && text !== undefined; i++) {
      const argv = ((await this.read(at, 'cmdline')) ?? '').split('\0').filter((arg) => arg !== '');
      const { model } = findServedModel(argv);
      if (model !== undefined) return model;
      at = parentOf(text);
      text = at > 1 ? await this.read(at, 'stat') : undefined;
    }
    return undefined;
  }

  private async read(pid: number, name: string): Promise<string | undefined> {
    let file: fs.FileHandle | undefined;
    try {
      file = await fs.open(path.join(this.root, String(pid), name), 'r');
      const { bytesRead, buffer } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } catch {
      return undefined;
    } finally {
      await file?.close();
    }
  }
}

/** Fields of `/proc/<pid>/stat` after the name, which may hold spaces and brackets. */
function statFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function parentOf(stat: string): number {
  return Number(statFields(stat)[1]);
}

function startTime(stat: string): string {
  return statFields(stat)[19] ?? '';
}

/** What a control group's path says, of cgroup v1 and v2, the systemd and the cgroupfs driver. */
export function parseCgroup(text: string): { isInPod: boolean; unit?: string } {
  if (/kubepods|\/pod[0-9a-f]{8}[-_]/.test(text)) return { isInPod: true };
  const units = [...text.matchAll(/\/([\w.@:\\-]{1,200})\.service(?=\/|$)/gm)].map(([, unit]) => unit);
  // The innermost unit; the container engine's own says nothing about what runs in it.
  const unit = units.at(-1);
  return {
    isInPod: false,
    unit: unit === undefined || /^(docker|containerd|crio|podman)$/.test(unit) ? undefined : unit,
  };
}
