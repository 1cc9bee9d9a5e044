import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { BarographError } from '../model/index.ts';
import {
  printObjectives,
  printOpenSlo,
  printRules,
  type ReadObjectives,
  readSloFile,
  type SloWarning,
  sloRules,
} from '../slo/index.ts';

const FLAGS = {
  format: { type: 'string' },
  owner: { type: 'string' },
  'runbook-url': { type: 'string' },
  impact: { type: 'string' },
} as const;

/** `barograph slo generate|check|import FILE...`. @returns The exit code: 1 where a file is wrong. */
export function sloCommand(args: readonly string[]): number {
  const { values, positionals } = parseArgs({ args: [...args], options: FLAGS, allowPositionals: true });
  const [action, ...files] = positionals;
  if (action !== 'generate' && action !== 'check' && action !== 'import')
    throw usage(
      'slo',
      action === undefined ? 'nothing' : JSON.stringify(action.slice(0, 40)),
      'generate, check or import',
    );
  if (files.length === 0) throw usage(`slo ${action}`, 'no file', 'files of objectives; - is standard input');
  const format = values.format ?? 'rules';
  if (format !== 'rules' && format !== 'openslo')
    throw usage('slo › --format', JSON.stringify(format.slice(0, 40)), 'rules or openslo');
  const fallbacks = { owner: values.owner, runbookUrl: values['runbook-url'], impact: values.impact };
  const read = files.map((file) => readSloFile(textOf(file), file, fallbacks));
  const objectives = read.flatMap((one) => one.objectives);
  const made = objectives.map(sloRules);
  warn(
    read,
    made.flatMap(({ warnings }) => warnings),
  );
  switch (action) {
    case 'check': {
      const rules = made.flatMap(({ groups }) => groups).reduce((sum, group) => sum + group.rules.length, 0);
      console.log(`${objectives.length} objectives are right and become ${rules} rules`);
      return 0;
    }
    case 'import':
      process.stdout.write(printObjectives(objectives));
      return 0;
    case 'generate': {
      const text = format === 'openslo' ? printOpenSlo(objectives) : printRules(made.flatMap(({ groups }) => groups));
      process.stdout.write(text);
      return 0;
    }
  }
}

/** On standard error, since rules go to standard output. */
function warn(read: readonly ReadObjectives[], more: readonly SloWarning[]): void {
  for (const { place, text } of [...read.flatMap(({ warnings }) => warnings), ...more])
    console.error(`${place.file}:${place.line}: warning: ${text}`);
}

function textOf(file: string): string {
  try {
    return fs.readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw usage(
      file,
      `a file that can't be read (${(cause as { code?: string }).code ?? 'unknown'})`,
      'a file of objectives',
    );
  }
}

function usage(where: string, got: string, accepted: string): BarographError {
  return new BarographError({ code: 'usage', status: 400, where, got, accepted });
}
