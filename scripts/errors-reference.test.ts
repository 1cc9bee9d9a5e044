import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';

const ROOT = path.join(import.meta.dirname, '..');

it('docs/reference/errors.md lists every error code, and no other', () => {
  const files = fs
    .readdirSync(path.join(ROOT, 'server'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !file.includes('node_modules'));
  const used = new Set(
    files.flatMap((file) => [...fs.readFileSync(file, 'utf8').matchAll(/\bcode: '([a-z_]+)'/g)].map((m) => m[1])),
  );
  const page = fs.readFileSync(path.join(ROOT, 'docs', 'reference', 'errors.md'), 'utf8');
  const listed = new Set([...page.matchAll(/^\| `([a-z_]+)`/gm)].map((m) => m[1]));
  expect([...used].filter((code) => !listed.has(code))).toEqual([]);
  expect([...listed].filter((code) => !used.has(code))).toEqual([]);
});
