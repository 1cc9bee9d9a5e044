import type { RequestQueue } from './requests.ts';

/** The names of the server's tenants, sorted; none where it has one store for everybody. */
export async function tenantNames(queue: RequestQueue): Promise<readonly string[]> {
  const answer = (await queue.get('/api/barograph/v1/tenants')) as { readonly tenants?: unknown };
  return Array.isArray(answer.tenants) ? answer.tenants.filter((name) => typeof name === 'string') : [];
}
