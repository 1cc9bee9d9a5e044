import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { NEEDED_PACKAGES } from './setup.ts';

const IMPORT = /(?:^|\n)(?:import|export)\s[^;'"]*?from\s+'([^'.][^']*)'|import\('([^'.][^']*)'\)/g;

function importsOf(file: string): string[] {
  const text = fs.readFileSync(path.join(import.meta.dirname, file), 'utf8');
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2]);
}

/** Files that are part of the package; tests and what only they use aren't. */
const FILES = fs
  .readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('fixtures'));

it('needs no package but @opentelemetry/api', () => {
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, 'package.json'), 'utf8'));
  expect(dependencies).toBe(undefined);
  const used = FILES.filter((file) => file !== 'setup.ts').flatMap(importsOf);
  expect([...new Set(used)].sort()).toEqual(['@opentelemetry/api', 'node:async_hooks']);
});

it('names the packages that setting up needs', () => {
  const used = importsOf('setup.ts').filter((name) => name !== '@opentelemetry/api');
  expect([...new Set(used)].sort()).toEqual(NEEDED_PACKAGES.toSorted());
});

it("leaves Node's own modules to what sets up", () => {
  const users = FILES.filter((file) => importsOf(file).some((name) => name.startsWith('node:')));
  expect(users).toEqual(['async-context.ts']);
});
