import { parseArgs } from 'node:util';
import { createPolicy } from '../govern/index.ts';
import { BarographError } from '../model/index.ts';
import { printPolicy, readPolicy } from './policy-source.ts';

/** `barograph policy print|check`. @returns The exit code. */
export async function policyCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { policy: { type: 'string' }, config: { type: 'string' } },
    allowPositionals: true,
  });
  const [what = '', ...rest] = positionals;
  if ((what !== 'print' && what !== 'check') || rest.length > 0) {
    throw new BarographError({
      code: 'usage',
      status: 400,
      where: 'policy',
      got: JSON.stringify(positionals.join(' ').slice(0, 80)),
      accepted: 'print or check; see barograph policy --help',
    });
  }
  const { changes, files } = readPolicy({ policy: values.policy, config: values.config });
  const policy = createPolicy(changes);
  const from = files.length === 0 ? 'the conventions' : files.join(', ');
  if (what === 'print') process.stdout.write(`# The policy of ${from}, complete.\n${await printPolicy(policy)}`);
  else console.log(`The policy of ${from} is right.`);
  return 0;
}
