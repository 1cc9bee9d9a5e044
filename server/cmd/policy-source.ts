import path from 'node:path';
import { readYaml, type YamlSource } from '../config/index.ts';
import {
  describePolicy,
  type Policy,
  type PolicyChanges,
  parseGovern,
  parsePolicy,
  parseTenantPolicies,
} from '../govern/index.ts';
import { BarographError } from '../model/index.ts';
import { readYamlFile } from './read-file.ts';

/** A policy as its files say it now. */
export interface ReadPolicy {
  readonly changes: PolicyChanges;
  /** What it changes for tenants that have a policy of their own. */
  readonly tenants: ReadonlyMap<string, PolicyChanges>;
  /** The files that it comes from; the configuration is among them, because it may name another one. */
  readonly files: readonly string[];
}

/** Where the policy stands: a file of its own, or the configuration. */
export interface PolicyPlace {
  readonly policy: string | undefined;
  readonly config: string | undefined;
}

/**
 * Reads the policy anew.
 * @throws BarographError `bad_policy`, `bad_config` with file and line.
 */
export function readPolicy({ policy, config }: PolicyPlace): ReadPolicy {
  if (policy !== undefined) return { ...policiesOf(readYamlFile(policy)), files: [policy] };
  if (config === undefined) return { changes: {}, tenants: new Map(), files: [] };
  const source = readYamlFile(config);
  const { govern } = source.value as { readonly govern?: unknown };
  const read = parseGovern(govern, (at) => `${source.file}:${source.lineOf(['govern', ...at])}`);
  if (read.policyFile === undefined) return { changes: read.changes, tenants: read.tenants, files: [config] };
  const file = path.resolve(path.dirname(config), read.policyFile);
  return { ...policiesOf(readYamlFile(file)), files: [config, file] };
}

/** The policy that a text holds. @throws BarographError `bad_policy`, `bad_config`. */
export function policyOfText(text: string, file: string): PolicyChanges {
  return policiesOf(readYaml(text, file)).changes;
}

function policiesOf({ file, value, lineOf }: YamlSource): Pick<ReadPolicy, 'changes' | 'tenants'> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const where = `${file}:1`;
    throw new BarographError({
      code: 'bad_policy',
      status: 400,
      where,
      got: 'no mapping',
      accepted: 'keys and values',
    });
  }
  const placeOf = (at: readonly PropertyKey[]): string => `${file}:${lineOf(at)}`;
  return { changes: parsePolicy(value, placeOf), tenants: parseTenantPolicies(value, placeOf) };
}

/** The policy as YAML that reads back to the same one. */
export async function printPolicy(policy: Policy): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(describePolicy(policy), { lineWidth: 120, aliasDuplicateObjects: false });
}
