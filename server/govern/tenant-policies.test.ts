import { expect, test } from 'vitest';
import { createPolicy } from './default-policy.ts';
import { parsePolicy } from './policy-file.ts';
import { parseTenantPolicies } from './tenant-policies.ts';

const WRITTEN = {
  labels: { team: { class: 'structural', budget: 20 } },
  limits: { series: 1000, streams: 50 },
  profiles: [{ match: 'router_*', other_labels: 'drop' }],
  relabel_configs: [{ source_labels: ['__name__'], regex: 'go_.*', action: 'drop' }],
  tenants: {
    gold: {
      labels: { team: { budget: 500 }, squad: { class: 'structural' } },
      limits: { series: 9000 },
      profiles: [{ match: 'router_*', other_labels: 'keep' }],
      relabel_configs: [{ regex: 'pod', action: 'labeldrop' }],
    },
    silver: {},
  },
};

test('a tenant has everybody’s policy with its own changes', () => {
  const policies = parseTenantPolicies(WRITTEN);
  expect([...policies.keys()]).toEqual(['gold', 'silver']);
  const gold = createPolicy(policies.get('gold'));
  expect(gold.labels.team).toMatchObject({ class: 'structural', budget: 500 });
  expect(gold.labels.squad).toMatchObject({ class: 'structural' });
  expect(gold.limits).toMatchObject({ series: 9000, streams: 50 });
  expect(gold.profiles.slice(0, 2).map(({ otherLabels }) => otherLabels)).toEqual(['keep', 'drop']);
  expect(gold.relabelConfigs.map(({ action }) => action)).toEqual(['drop', 'labeldrop']);
});

test('a tenant without changes has everybody’s policy', () => {
  expect(parseTenantPolicies(WRITTEN).get('silver')).toEqual(parsePolicy(WRITTEN));
});

test.each([
  [{ tenants: { gold: { limits: { serie: 1 } } } }, 'file:tenants/gold/limits/serie › limits.serie'],
  [{ tenants: { gold: { tenants: {} } } }, 'file:tenants/gold/tenants › tenants'],
])('what is wrong is named where it stands: %j', (written, where) => {
  const placeOf = (path: readonly PropertyKey[]) => `file:${path.map(String).join('/')}`;
  expect(() => parseTenantPolicies(written, placeOf)).toThrow(where);
});
