// The stand-in for NVIDIA's library, made for a test by the machine's C compiler and called through koffi as the real one is.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { loadNvml, type NvmlLibrary } from './library.ts';

/** Why tests against the stand-in can't run here, or `undefined` where they can. */
export async function missingForStandIn(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'needs Linux';
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' });
  } catch {
    return 'needs gcc';
  }
  const koffi = 'koffi';
  return import(koffi).then(
    () => undefined,
    () => 'needs the npm package koffi',
  );
}

/** Compiles the stand-in. @returns Its path. */
export function compileStandIn(directory: string, name: string, defines: readonly string[] = []): string {
  const library = path.join(directory, `${name}.so`);
  const source = path.join(import.meta.dirname, 'testdata', 'nvml-stand-in.c');
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', ...defines.map((define) => `-D${define}`), '-o', library, source]);
  return library;
}

/**
 * Opens a copy of the stand-in, whose state no other test shares: a file is loaded into a process once only.
 *
 * @param settings What `standInSet` is told.
 */
export async function openStandIn(file: string, settings: Readonly<Record<string, string>> = {}): Promise<NvmlLibrary> {
  const copy = path.join(fs.mkdtempSync(path.join(path.dirname(file), 'copy-')), 'libnvidia-ml.so.1');
  fs.copyFileSync(file, copy);
  const library = await loadNvml([`${copy}.absent`, copy]);
  for (const [name, value] of Object.entries(settings))
    library.call('standInSet', Buffer.from(`${name}\0`), Buffer.from(`${value}\0`));
  return library;
}
