import fs from 'node:fs/promises';
import path from 'node:path';
import { WINDOW_BYTES } from './marker.ts';

/** What is to be searched; the process reads it from its input. */
export interface FileSearch {
  readonly directory: string;
  /** One character a byte. */
  readonly needles: readonly string[];
  /** Files that were last changed before, milliseconds since the epoch, can't hold what is looked for. */
  readonly sinceMs: number;
}

/** What it says at its end, as JSON. */
export interface FileSearchResult {
  readonly files: number;
  readonly bytes: number;
  /** The surroundings of what was found, from a needle's first byte on; at most 100. */
  readonly matches: readonly { readonly file: string; readonly text: string }[];
}

const CHUNK_BYTES = 4 * 1024 * 1024;
const MAX_MATCHES = 100;

/** Searches the files of a folder and its subfolders. Files that go away meanwhile are passed over. */
export async function searchFiles({ directory, needles, sinceMs }: FileSearch): Promise<FileSearchResult> {
  const wanted = needles.map((needle) => Buffer.from(needle, 'latin1'));
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES + WINDOW_BYTES);
  const matches: { file: string; text: string }[] = [];
  let [files, bytes] = [0, 0];
  for (const entry of await fs.readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    try {
      if ((await fs.stat(file)).mtimeMs < sinceMs) continue;
      bytes += await searchFile(file, chunk, wanted, (found) => {
        if (matches.length < MAX_MATCHES) matches.push({ file: path.relative(directory, file), text: found });
      });
      files++;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return { files, bytes, matches };
}

/** Reads a file in pieces that overlap by a window, so that nothing is cut in two. @returns Bytes read. */
async function searchFile(
  file: string,
  chunk: Buffer,
  needles: readonly Buffer[],
  onFound: (text: string) => void,
): Promise<number> {
  const handle = await fs.open(file, 'r');
  try {
    let position = 0;
    while (true) {
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, position);
      const isLast = bytesRead < chunk.length;
      const piece = chunk.subarray(0, bytesRead);
      for (const needle of needles) {
        for (let at = piece.indexOf(needle); at >= 0; at = piece.indexOf(needle, at + 1)) {
          // What begins in the overlap is found in the next piece.
          if (!isLast && at >= CHUNK_BYTES) break;
          onFound(piece.subarray(at, at + WINDOW_BYTES).toString('latin1'));
        }
      }
      position += isLast ? bytesRead : CHUNK_BYTES;
      if (isLast) return position;
    }
  } finally {
    await handle.close();
  }
}
