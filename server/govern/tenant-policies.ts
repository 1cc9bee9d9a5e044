import type { PolicyChanges } from './default-policy.ts';
import { type PlaceOf, parsePolicy, policyError } from './policy-file.ts';

type Written = Readonly<Record<string, unknown>>;

/**
 * The policies of tenants that have one of their own, by tenant: the policy's key `tenants` holds, by name, the keys that
 * are other than everybody's. Maps are merged key by key; lists are joined: the tenant's own profiles and aliases come
 * before everybody's, its relabelling rules after them.
 * @param written A policy that `parsePolicy` accepts.
 * @throws BarographError `bad_policy`, which names what is wrong in a tenant's part.
 */
export function parseTenantPolicies(written: unknown, placeOf?: PlaceOf): ReadonlyMap<string, PolicyChanges> {
  const { tenants, ...everybody } = (written ?? {}) as Written;
  const found = new Map<string, PolicyChanges>();
  for (const [name, own] of Object.entries((tenants ?? {}) as Written)) {
    const placeOfOwn: PlaceOf = (path) => placeOf?.(['tenants', name, ...path]);
    if (!isMapping(own)) throw policyError([], 'no mapping', 'the keys of a policy', placeOfOwn);
    if (Object.hasOwn(own, 'tenants')) {
      throw policyError(['tenants'], 'tenants of a tenant', 'the other keys of a policy', placeOfOwn);
    }
    found.set(name, parsePolicy(merged(everybody, own), placeOfOwn));
  }
  return found;
}

function merged(base: Written, own: Written): Written {
  const out: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const before = out[key];
    if (Array.isArray(value) && Array.isArray(before)) {
      out[key] = key === 'relabel_configs' ? [...before, ...value] : [...value, ...before];
    } else if (isMapping(value) && isMapping(before)) out[key] = merged(before, value);
    else out[key] = value;
  }
  return out;
}

function isMapping(value: unknown): value is Written {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
