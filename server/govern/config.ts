import { BarographError } from '../model/index.ts';
import type { PolicyChanges } from './default-policy.ts';
import { type PlaceOf, parsePolicy } from './policy-file.ts';
import { parseTenantPolicies } from './tenant-policies.ts';

/** The part `govern` of the configuration. */
export interface GovernConfig {
  /** The file that holds the policy, as it was written; `undefined` where it stands in the configuration itself. */
  readonly policyFile: string | undefined;
  /** What the policy in the configuration itself changes. */
  readonly changes: PolicyChanges;
  /** What it changes for tenants that have a policy of their own. */
  readonly tenants: ReadonlyMap<string, PolicyChanges>;
  /** As it was written, for users to see. */
  readonly shown: unknown;
}

/**
 * Reads the part `govern`: the keys of a policy, or `policy_file`.
 * @throws BarographError `bad_policy`.
 */
export function parseGovern(written: unknown, placeOf: PlaceOf): GovernConfig {
  const shown = written ?? {};
  if (typeof shown !== 'object' || !Object.hasOwn(shown, 'policy_file'))
    return {
      policyFile: undefined,
      changes: parsePolicy(shown, placeOf),
      tenants: parseTenantPolicies(shown, placeOf),
      shown,
    };
  const { policy_file: policyFile, ...rest } = shown as Record<string, unknown>;
  const others = Object.keys(rest);
  if (others.length > 0) {
    throw new BarographError({
      code: 'bad_policy',
      status: 400,
      where: `${placeOf([others[0]]) ?? 'configuration'} › ${others[0]}`,
      got: 'a policy beside policy_file',
      accepted: 'one of both',
    });
  }
  if (typeof policyFile !== 'string' || policyFile === '') {
    throw new BarographError({
      code: 'bad_policy',
      status: 400,
      where: `${placeOf(['policy_file']) ?? 'configuration'} › policy_file`,
      got: JSON.stringify(policyFile)?.slice(0, 80),
      accepted: 'the path of a file',
    });
  }
  return { policyFile, changes: {}, tenants: new Map(), shown };
}
