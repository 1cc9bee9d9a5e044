import fs from 'node:fs';
import path from 'node:path';
import { ExporterError } from '../../error.ts';
import { type Discovery, MAX_LIST_BYTES, readTargetGroups } from './discovery.ts';

/** How long changes are gathered before the files are read, milliseconds: editors write in several steps. */
const SETTLE_MS = 100;

/**
 * Targets from files in JSON, read again when they change.
 * @param pattern a path; a `*` in the file's name stands for any rest
 */
export function fileDiscovery(pattern: string): Discovery {
  const folder = path.dirname(path.resolve(pattern));
  const [before, after] = path.basename(pattern).split('*');
  if (!pattern.endsWith('.json')) {
    throw new ExporterError({
      code: 'usage',
      where: '--targets-file',
      got: JSON.stringify(pattern),
      accepted: 'a path that ends in .json, with one * in the file name at most',
    });
  }
  const fits = (name: string): boolean =>
    after === undefined
      ? name === before
      : name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after);
  return {
    kind: 'file',
    find: async () => {
      const names = (await fs.promises.readdir(folder).catch(() => [])).filter(fits).sort();
      if (names.length === 0 && after === undefined)
        throw new ExporterError({ code: 'no_file', where: path.resolve(pattern), got: 'no such file' });
      const lists = await Promise.all(names.map((name) => readFile(path.join(folder, name))));
      return lists.flat();
    },
    watch: (onChange) => watchFolder(folder, fits, onChange),
  };
}

async function readFile(file: string) {
  const { size } = await fs.promises.stat(file);
  if (size > MAX_LIST_BYTES)
    throw new ExporterError({
      code: 'too_large',
      where: file,
      got: `${size} bytes`,
      accepted: `at most ${MAX_LIST_BYTES}`,
    });
  return readTargetGroups(await fs.promises.readFile(file, 'utf8'), file);
}

// The folder is watched and not the file: one that is replaced by another is no longer the one that was watched.
function watchFolder(folder: string, fits: (name: string) => boolean, onChange: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  try {
    const watcher = fs.watch(folder, { persistent: false }, (_event, name) => {
      if (name !== null && !fits(name)) return;
      clearTimeout(timer);
      timer = setTimeout(onChange, SETTLE_MS);
    });
    // Where watching ends or can't begin, the interval goes on finding.
    watcher.on('error', () => watcher.close());
    return () => {
      clearTimeout(timer);
      watcher.close();
    };
  } catch {
    return () => {};
  }
}
