import fs from 'node:fs/promises';
import path from 'node:path';

/** How long a file is taken to be what it was, milliseconds. */
const TRUST_MS = 5000;

/** A file whose content is read again when it changed: a password or a certificate that is rotated. */
export class WatchedFile {
  readonly #path: string;
  #text = '';
  #stamp = '';
  #checkedMs = Number.NEGATIVE_INFINITY;

  constructor(directory: string, file: string) {
    this.#path = path.resolve(directory, file);
  }

  /** What the file holds. @throws The error of the file system where it can't be read. */
  async read(): Promise<string> {
    const now = performance.now();
    if (now - this.#checkedMs < TRUST_MS) return this.#text;
    const { mtimeMs, size, ino } = await fs.stat(this.#path);
    const stamp = `${mtimeMs} ${size} ${ino}`;
    if (stamp !== this.#stamp) {
      this.#text = await fs.readFile(this.#path, 'utf8');
      this.#stamp = stamp;
    }
    this.#checkedMs = now;
    return this.#text;
  }
}
