import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { IMPORT_TABLE, UI_MAY_IMPORT, WORKSPACE_FORBIDDEN } from './import-table.ts';

const ROOT = path.join(import.meta.dirname, '..');
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s+'([^']+)'|import\(\s*'([^']+)'\s*\)|(?:^|\n)\s*import\s+'([^']+)'/g;

function sources(folder: string): string[] {
  const found = fs.readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !/\.test\.tsx?$/.test(entry.name))
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.includes('node_modules'));
}

function importsOf(file: string): string[] {
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3]);
}

const rooms = fs
  .readdirSync(path.join(ROOT, 'server'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
  .map((entry) => entry.name);

/** What is wrong with one import of a file of a room, or `undefined`. */
function problemOf(room: string, file: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const target = path.relative(path.join(ROOT, 'server'), path.resolve(ROOT, path.dirname(file), specifier));
  if (target.startsWith('..')) return `${file} imports ${specifier}, outside server/`;
  const [other, ...rest] = target.split(path.sep);
  if (other === room) return undefined;
  if (!IMPORT_TABLE[room].includes(other)) return `${file}: ${room} may not import ${other}`;
  // The constants that are generated from the conventions lie in model/ and are too many for its index.
  const isPublic = rest.join('/') === 'index.ts' || target.startsWith(path.join('model', 'generated'));
  return isPublic ? undefined : `${file} imports ${specifier}; other rooms are imported through their index.ts`;
}

describe('the import table', () => {
  it('names every room, and every room has an index.ts with a header', () => {
    expect(rooms.filter((room) => !(room in IMPORT_TABLE))).toEqual([]);
    for (const room of rooms.filter((name) => name !== 'cmd')) {
      const index = fs.readFileSync(path.join(ROOT, 'server', room, 'index.ts'), 'utf8');
      const header = index.split('\n').findIndex((line) => !line.startsWith('//') && !/^ ?\*|^\/\*/.test(line));
      expect(header, `${room}/index.ts starts with a comment of 1–10 lines`).toBeGreaterThan(0);
      expect(header).toBeLessThanOrEqual(10);
    }
  });

  it.each(rooms)('holds for %s', (room) => {
    const problems = sources(path.join('server', room)).flatMap((file) =>
      importsOf(file).flatMap((specifier) => problemOf(room, file, specifier) ?? []),
    );
    expect(problems).toEqual([]);
  });

  it('has no cycle', () => {
    const visit = (room: string, trail: readonly string[]): void => {
      expect(trail, `${[...trail, room].join(' → ')}`).not.toContain(room);
      for (const next of IMPORT_TABLE[room]) visit(next, [...trail, room]);
    };
    for (const room of Object.keys(IMPORT_TABLE)) visit(room, []);
  });

  it.each(Object.keys(WORKSPACE_FORBIDDEN))('keeps %s apart', (workspace) => {
    const problems = sources(workspace).flatMap((file) =>
      importsOf(file)
        .filter((specifier) => {
          if (!specifier.startsWith('.')) return WORKSPACE_FORBIDDEN[workspace].includes(specifier);
          const target = path.relative(ROOT, path.resolve(ROOT, path.dirname(file), specifier));
          if (workspace === 'ui' && UI_MAY_IMPORT.includes(target)) return false;
          return WORKSPACE_FORBIDDEN[workspace].includes(target.split(path.sep)[0]);
        })
        .map((specifier) => `${file} imports ${specifier}`),
    );
    expect(problems).toEqual([]);
  });
});
