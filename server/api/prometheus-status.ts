import os from 'node:os';
import type { FastifyInstance } from 'fastify';
import { stringify } from 'yaml';
import { EXPERIMENTAL_AGGREGATIONS, EXPERIMENTAL_FUNCTIONS, parseSelector, SIGNATURES } from '../query/index.ts';
import type { Params } from './params.ts';
import { addDataRoute, addRoute } from './prometheus-answer.ts';
import { invalidParameter, parseBoolean, parseInteger } from './prometheus-params.ts';
import { listScrapePools, listTargetMetadata, listTargets, type TargetsApi } from './prometheus-targets.ts';
import { programInfo } from './readiness.ts';

/** What the status routes tell about. */
export interface StatusApi {
  readonly version: string;
  readonly startedMs: number;
  /** Number of series that are stored. */
  readonly seriesCount: () => number;
  /** The configuration as it is in force, without secrets. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly scraping: TargetsApi;
  /** What is kept, in one line. */
  readonly storageRetention: string;
}

/**
 * Adds what Prometheus tells about itself, its rules and its targets. There are no rules, alerts and Alertmanagers here
 * yet, so those lists are empty; their parameters are checked all the same.
 */
export function addStatusRoutes(app: FastifyInstance, api: StatusApi): void {
  const data = (path: string, read: (p: Params) => unknown): void => addDataRoute(app, `/api/v1/${path}`, read);
  data('status/buildinfo', () => buildInfo(api));
  data('status/runtimeinfo', () => runtimeInfo(api));
  data('status/config', () => ({ yaml: stringify(api.settings) }));
  data('status/flags', () => flags(api));
  // What was written before the start is read before the server listens.
  data('status/walreplay', () => ({ min: 0, max: 0, current: 0 }));
  data('features', features);
  data('rules', rules);
  data('alerts', () => ({ alerts: [] }));
  data('targets', (p) => listTargets(api.scraping, p));
  data('targets/metadata', (p) => listTargetMetadata(api.scraping, p));
  data('scrape_pools', () => listScrapePools(api.scraping));
  data('alertmanagers', () => ({ activeAlertmanagers: [], droppedAlertmanagers: [] }));
  // Prometheus's page asks for what it is to show at its top; nothing here is worth that.
  data('notifications', () => []);
  // It reads 204 as "no more listeners", and doesn't ask again.
  addRoute(app, ['GET'], '/api/v1/notifications/live', (_request, reply) => reply.code(204).send());
  for (const path of ['/-/reload', '/-/quit']) {
    // As Prometheus without `--web.enable-lifecycle`: signals end the program, and files are read again as they change.
    addRoute(app, ['POST', 'PUT'], path, (_request, reply) =>
      reply.code(403).type('text/plain; charset=utf-8').send('Lifecycle API is not enabled.'),
    );
  }
}

function buildInfo(api: StatusApi) {
  return {
    ...programInfo(api.version),
    application: 'Barograph',
    // Grafana takes a server that names features for a Mimir, with its rulers' API.
    features: {},
  };
}

function runtimeInfo({ startedMs, seriesCount, storageRetention }: StatusApi) {
  const started = new Date(startedMs).toISOString();
  return {
    startTime: started,
    CWD: process.cwd(),
    hostname: os.hostname(),
    serverTime: new Date().toISOString(),
    reloadConfigSuccess: true,
    lastConfigTime: started,
    corruptionCount: 0,
    // There are none of Go's: zero and empty are what Prometheus's clients can read.
    goroutineCount: 0,
    GOMAXPROCS: os.availableParallelism(),
    GOMEMLIMIT: 0,
    GOGC: '',
    GODEBUG: '',
    storageRetention,
    timeSeriesCount: seriesCount(),
  };
}

/** Every key of the configuration, and what clients of Prometheus look up by its names. */
function flags({ settings }: StatusApi): Record<string, string> {
  const all: Record<string, string> = {
    'query.lookback-delta': '5m',
    'web.enable-admin-api': 'true',
    'web.enable-lifecycle': 'false',
    'web.enable-otlp-receiver': 'true',
    'web.enable-remote-write-receiver': 'true',
  };
  const add = (prefix: string, value: unknown): void => {
    if (typeof value !== 'object' || value === null) {
      if (value !== undefined) all[prefix] = String(value);
      return;
    }
    for (const [key, inner] of Object.entries(value)) add(prefix === '' ? key : `${prefix}.${key}`, inner);
  };
  add('', settings);
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const OPERATORS = '!= !~ % * + - / < <= == =~ > >= @ ^ and or unless atan2'.split(' ');
const AGGREGATIONS = 'sum avg count min max group stddev stdvar topk bottomk quantile count_values'.split(' ');
const MODIFIERS = [
  'anchored at_modifier bool by delayed_name_removal duration_expr fill fill_left fill_right group_left group_right',
  'ignoring negative_offset offset on per_query_lookback_delta smoothed subqueries without',
].flatMap((names) => names.split(' '));

/** What the server can do, in the categories and names of Prometheus's `features`. */
function features() {
  const yes = (names: Iterable<string>): Record<string, boolean> =>
    Object.fromEntries([...new Set(names)].sort().map((name) => [name, true]));
  return {
    api: {
      admin: true,
      exclude_alerts: true,
      label_values_match: true,
      lifecycle: false,
      otlp_write_receiver: true,
      query_stats: true,
      query_warnings: true,
      remote_write_receiver: true,
      search: true,
      time_range_labels: true,
      time_range_series: true,
    },
    promql: { ...yes(MODIFIERS), per_step_stats: true, type_and_unit_labels: false },
    promql_functions: yes([...SIGNATURES.keys(), ...EXPERIMENTAL_FUNCTIONS]),
    promql_operators: yes([...OPERATORS, ...AGGREGATIONS, ...EXPERIMENTAL_AGGREGATIONS]),
    tsdb: { exemplar_storage: true, native_histograms: true },
  };
}

function rules(p: Params) {
  const type = p.get('type') ?? '';
  if (type !== '' && type !== 'alert' && type !== 'record') {
    throw invalidParameter('type', `not supported value ${JSON.stringify(type.slice(0, 100))}`);
  }
  const exclude = p.get('exclude_alerts') ?? '';
  if (exclude !== '' && parseBoolean(exclude) === undefined) {
    const reason = `strconv.ParseBool: parsing ${JSON.stringify(exclude.slice(0, 100))}: invalid syntax`;
    throw invalidParameter('exclude_alerts', `error converting exclude_alerts: ${reason}`);
  }
  for (const text of p.all('match[]')) parseSelector(text);
  const limit = p.get('group_limit') ?? '';
  const token = p.get('group_next_token') ?? '';
  if (limit !== '') {
    const value = parseInteger(limit);
    if (value === undefined) {
      const reason = `strconv.ParseInt: parsing ${JSON.stringify(limit.slice(0, 100))}: invalid syntax`;
      throw invalidParameter('group_limit', `group_limit needs to be a valid number: ${reason}`);
    }
    if (value <= 0) throw invalidParameter('group_limit', 'group_limit needs to be greater than 0');
  } else if (token !== '') {
    throw invalidParameter('group_next_token', 'group_limit needs to be present in order to paginate over the groups');
  }
  if (token !== '') {
    // A token names a group to go on from, and there is none.
    const got = token.slice(0, 100);
    throw invalidParameter('group_next_token', `invalid group_next_token '${got}'. were rule groups changed?`);
  }
  return { groups: [] };
}
