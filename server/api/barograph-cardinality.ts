import type { FastifyInstance } from 'fastify';
import {
  COST_LABELS,
  type CostTerms,
  cardinalityOfLabel,
  cardinalityOfMetric,
  cardinalityOverview,
  costBy,
  describePolicy,
  type Governor,
  isCostLabel,
  printCostCsv,
} from '../govern/index.ts';
import { BarographError } from '../model/index.ts';
import { badParameter, type Params, paramsOf } from './params.ts';
import { addDataRoute, addRoute, sendPrometheusError } from './prometheus-answer.ts';

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
  /** What bytes and money are reckoned with, as of now. */
  readonly costTerms: () => CostTerms;
}

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;

/**
 * Adds what governance tells of itself: `/api/barograph/v1/cardinality` (the whole), `…/metric?name=`, `…/label?name=`,
 * `/api/barograph/v1/cost`, and `/api/barograph/v1/policy`. All of it is in memory, so it is answered at once.
 */
export function addGovernanceRoutes(app: FastifyInstance, { governor, policyStatus, costTerms }: GovernanceApi): void {
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
  addRoute(app, ['GET'], `${root}/cost`, (request, reply) => {
    try {
      const params = paramsOf(request);
      const options = { by: costLabelOf(params), limit: limitOf(params), nowMs: Date.now(), terms: costTerms() };
      const view = costBy(governor.census, options);
      reply.header('vary', 'accept');
      if (!asksForCsv(request.headers.accept)) return reply.send({ status: 'success', data: view });
      return reply.type('text/csv; charset=utf-8; header=present').send(printCostCsv(view));
    } catch (error) {
      return sendPrometheusError(request, reply, error);
    }
  });
}

function costLabelOf(params: Params): (typeof COST_LABELS)[number] {
  const by = params.get('by') ?? 'team';
  if (isCostLabel(by)) return by;
  throw badParameter('by', JSON.stringify(by.slice(0, 40)), COST_LABELS.join(', '));
}

/** Whether CSV is accepted by its name, and JSON isn't. */
function asksForCsv(accept = ''): boolean {
  const types = accept.split(',').map((type) => type.split(';')[0].trim().toLowerCase());
  return types.includes('text/csv') && !types.includes('application/json');
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
