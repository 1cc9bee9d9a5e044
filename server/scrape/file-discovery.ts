import fs from 'node:fs';
import path from 'node:path';
import type { FileDiscoveryConfig } from './config-parts.ts';
import { type Discovery, type DiscoveryLog, parseTargetGroups } from './discovery.ts';
import { addressesOf, type DiscoveredAddress } from './target.ts';

/** How long changes of files are gathered before they are read, milliseconds: editors write in several steps. */
const SETTLE_MS = 100;
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/**
 * `file_sd_configs`: target groups from files, read when their folders change and at every refresh. A file that can't be
 * read or parsed keeps its last good content; one that is gone has no targets.
 */
export class FileDiscovery implements Discovery {
  readonly kind = 'file';
  readonly #config: FileDiscoveryConfig;
  readonly #directory: string;
  readonly #log: DiscoveryLog;
  readonly #watchers = new Map<string, fs.FSWatcher>();
  readonly #good = new Map<string, readonly DiscoveredAddress[]>();
  #onAddresses: (addresses: readonly DiscoveredAddress[]) => void = () => {};
  #refresh: NodeJS.Timeout | undefined;
  #settle: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #isClosed = false;

  /** @param directory what the patterns are relative to */
  constructor(config: FileDiscoveryConfig, directory: string, log: DiscoveryLog) {
    this.#config = config;
    this.#directory = directory;
    this.#log = log;
  }

  start(onAddresses: (addresses: readonly DiscoveredAddress[]) => void): void {
    this.#onAddresses = onAddresses;
    this.#readSoon(0);
    if (this.#config.refresh_interval > 0) {
      this.#refresh = setInterval(() => this.#readSoon(0), this.#config.refresh_interval);
    }
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#refresh);
    clearTimeout(this.#settle);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #readSoon(delayMs: number): void {
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => {
      this.#reading = this.#reading.then(() => this.#readAll());
    }, delayMs);
  }

  async #readAll(): Promise<void> {
    if (this.#isClosed) return;
    this.#watchFolders();
    const files = await this.#list();
    for (const known of this.#good.keys()) if (!files.includes(known)) this.#good.delete(known);
    for (const file of files) {
      try {
        this.#good.set(file, await this.#readFile(file));
      } catch (error) {
        this.#log.failed('file', `${file}: ${(error as Error).message}`);
      }
    }
    if (!this.#isClosed) this.#onAddresses([...this.#good.values()].flat());
  }

  /** The files that match the patterns, in order, each once. */
  async #list(): Promise<string[]> {
    const files = new Set<string>();
    for (const pattern of this.#config.files) {
      const full = path.resolve(this.#directory, pattern);
      const [before, after] = path.basename(full).split('*');
      if (after === undefined) {
        if (fs.existsSync(full)) files.add(full);
        else this.#log.failed('file', `${full} is not there`);
        continue;
      }
      const folder = path.dirname(full);
      const names = await fs.promises.readdir(folder).catch(() => [] as string[]);
      const fits = (name: string): boolean =>
        name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after);
      // A star doesn't stand for a dot at the beginning, as in a shell.
      for (const name of names.sort()) {
        if (fits(name) && (before !== '' || !name.startsWith('.'))) files.add(path.join(folder, name));
      }
    }
    return [...files];
  }

  async #readFile(file: string): Promise<DiscoveredAddress[]> {
    const { size } = await fs.promises.stat(file);
    if (size > MAX_FILE_BYTES) throw new Error(`${size} bytes, more than ${MAX_FILE_BYTES}`);
    const format = file.toLowerCase().endsWith('.json') ? 'json' : 'yaml';
    const groups = parseTargetGroups(await fs.promises.readFile(file, 'utf8'), format, file);
    return groups.flatMap((group) => addressesOf(group, { __meta_filepath: file }));
  }

  /** Watches the folders, not the files: a file that is replaced by another one is no longer the one that was watched. */
  #watchFolders(): void {
    for (const pattern of this.#config.files) {
      const folder = path.dirname(path.resolve(this.#directory, pattern));
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = fs.watch(folder, { persistent: false }, () => this.#readSoon(SETTLE_MS));
        // Where watching ends or can't begin, the refresh goes on and tries again.
        watcher.on('error', () => {
          watcher.close();
          this.#watchers.delete(folder);
        });
        this.#watchers.set(folder, watcher);
      } catch (error) {
        this.#log.failed('file', `${folder} can't be watched (${(error as { code?: string }).code ?? 'unknown'})`);
      }
    }
  }
}
