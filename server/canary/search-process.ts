import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { BarographError } from '../model/index.ts';
import type { FileSearch, FileSearchResult } from './search-files.ts';

const ENTRY = fileURLToPath(new URL('./search-main.ts', import.meta.url));

/**
 * Searches a folder's files in a process of its own, at low priority: closing a file gives up every lock that a process
 * has on it, and DuckDB holds one on its database; and reading gigabytes must delay nobody's acknowledgement.
 * @throws BarographError `canary_failed` where it ends without an answer.
 */
export async function searchFilesApart(search: FileSearch, signal: AbortSignal): Promise<FileSearchResult> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ENTRY], {
    stdio: ['pipe', 'pipe', 'ignore'],
    signal,
  });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  const answer = text(child.stdout);
  child.stdin.on('error', () => {
    // It has ended already, which its answer shows.
  });
  child.stdin.end(JSON.stringify(search));
  try {
    return JSON.parse(await Promise.race([answer, failed])) as FileSearchResult;
  } catch (cause) {
    throw new BarographError({
      code: 'canary_failed',
      status: 500,
      where: 'content canary',
      got: signal.aborted ? 'an end of the program' : 'no answer of the process that searches files',
      fix: 'look at the memory of the machine and whether the data directory can be read, then ask for another run',
      cause,
    });
  }
}
