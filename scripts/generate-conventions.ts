// Generates each workspace's constants from conventions/*.yaml.
//   node scripts/generate-conventions.ts           writes the files
//   node scripts/generate-conventions.ts --check   writes nothing; exits 1 and names the files that are stale
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { contradictionsOf } from './conventions/check.ts';
import { type GeneratedFile, renderFiles } from './conventions/files.ts';
import { ConventionsError, readConventions } from './conventions/read.ts';

const ROOT = join(import.meta.dirname, '..');

/** Renders the generated files from the repository's conventions; throws ConventionsError where those are invalid. */
export function generateFiles(root = ROOT): GeneratedFile[] {
  const conventions = readConventions(join(root, 'conventions'));
  const contradictions = contradictionsOf(conventions);
  if (contradictions.length > 0)
    throw new ConventionsError(contradictions.map((line) => `conventions/${line}`).join('\n'));
  return renderFiles(conventions);
}

/** Paths of the generated files that differ from what the conventions give, or are missing. */
export function staleFiles(files: readonly GeneratedFile[], root = ROOT): string[] {
  return files.filter(({ path, text }) => readIfThere(join(root, path)) !== text).map(({ path }) => path);
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function main(options: readonly string[]): number {
  const unknown = options.find((option) => option !== '--check');
  if (unknown !== undefined) {
    process.stderr.write(`unknown option ${unknown}; accepted: --check\n`);
    return 2;
  }
  try {
    const files = generateFiles();
    const stale = staleFiles(files);
    if (options.includes('--check')) {
      for (const path of stale) process.stderr.write(`${path} is stale; run: npm run generate\n`);
      return stale.length > 0 ? 1 : 0;
    }
    for (const { path, text } of files) {
      const target = join(ROOT, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, text);
      process.stdout.write(`${path}\n`);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof ConventionsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
