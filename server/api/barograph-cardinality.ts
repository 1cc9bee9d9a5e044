import type { FastifyInstance } from 'fastify';
import {
  cardinalityOfLabel,
  cardinalityOfMetric,
  cardinalityOverview,
  describePolicy,
  type Governor,
} from '../govern/index.ts';
import { BarographError } from '../model/index.ts';
import { badParameter, type Params } from './params.ts';
import { addDataRoute } from './prometheus-answer.ts';

/** Where the policy in force comes from, and how its last reload went. */
export interface PolicyStatus {
  /** Files that are watched; empty where the conventions' policy is in force. */
  readonly files: readonly string[];
  /** When the policy in force was read, milliseconds since the epoch. */
  readonly loadedMs: number;
  /** Why the last reload failed; `undefined` where it didn't. */
  readonly error: { readonly ms: number; readonly message: string } | undefined;
}

/** What the routes of governance need from the program. */
export interface GovernanceApi {
  readonly governor: Governor;
  readonly policyStatus: () => PolicyStatus;
}

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;

/**
 * Adds what governance tells of itself: `/api/barograph/v1/cardinality` (the whole), `…/metric?name=`, `…/label?name=`,
 * and `/api/barograph/v1/policy`. All of it is in memory, so it is answered at once.
 */
export function addGovernanceRoutes(app: FastifyInstance, { governor, policyStatus }: GovernanceApi): void {
  const root = '/api/barograph/v1';
  addDataRoute(app, `${root}/cardinality`, (params) => {
    const overview = cardinalityOverview(governor, {
      limit: limitOf(params),
      search: params.get('search') ?? '',
      growth: growthOf(params),
      nowMs: Date.now(),
    });
    return { ...overview, policy: { generation: governor.generation, ...policyStatus() } };
  });
  addDataRoute(app, `${root}/cardinality/metric`, (params) => {
    const name = params.required('name');
    return cardinalityOfMetric(governor, name) ?? notOffered('metric', name);
  });
  addDataRoute(app, `${root}/cardinality/label`, (params) => {
    const name = params.required('name');
    return cardinalityOfLabel(governor, name, limitOf(params)) ?? notOffered('label', name);
  });
  addDataRoute(app, `${root}/policy`, () => ({
    generation: governor.generation,
    ...policyStatus(),
    policy: describePolicy(governor.policy),
  }));
}

function limitOf(params: Params): number {
  const limit = params.limit('limit') || DEFAULT_LIMIT;
  if (limit > MAX_LIMIT) throw badParameter('limit', String(limit), `1 to ${MAX_LIMIT}`);
  return limit;
}

function growthOf(params: Params): 'day' | 'month' {
  const growth = params.get('growth') ?? 'day';
  if (growth === 'day' || growth === 'month') return growth;
  throw badParameter('growth', JSON.stringify(growth.slice(0, 40)), 'day or month');
}

function notOffered(what: string, name: string): never {
  throw new BarographError({
    code: 'not_offered',
    status: 404,
    where: `parameter name`,
    got: JSON.stringify(name.slice(0, 100)),
    accepted: `a ${what} that was offered; histograms go by their name without _bucket, _sum and _count`,
  });
}
