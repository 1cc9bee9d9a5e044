import { type Matcher, parseDurationMs } from '../model/index.ts';
import { notifyCannotPage, routesOfNotify } from './class-wall.ts';
import type { InhibitRule } from './inhibit.ts';
import { parseMatcher } from './matcher.ts';
import { badConfig, readYamlPart, refuseOtherKeys, textAt, textOf, type YamlPart } from './yaml-part.ts';

/** When a group is sent, in milliseconds. */
export interface GroupTimes {
  /** From a group's first alert to its first notification. */
  readonly groupWaitMs: number;
  /** From a notification to the next where the group has changed. */
  readonly groupIntervalMs: number;
  /** From a notification to the next where nothing has changed. */
  readonly repeatIntervalMs: number;
}

/** A node of the routing tree, with everything that it inherits filled in. */
export interface Route extends GroupTimes {
  readonly receiver: string;
  readonly matchers: readonly Matcher[];
  readonly continue: boolean;
  /** Label names in the file's order, or `all` for `...`: each label set is a group by itself. */
  readonly groupBy: readonly string[] | 'all';
  readonly routes: readonly Route[];
  /** Where the route stands: `file:line`. */
  readonly where: string;
}

/** Somebody who is told. Addresses and secrets are not read here. */
export interface Receiver {
  readonly name: string;
  /** `page` where it wakes somebody up: PagerDuty and Opsgenie always, others where `barograph_class` says so. */
  readonly class: 'page' | 'notify';
  /** The keys of its integrations, such as `slack_configs`; none for a receiver that drops what it gets. */
  readonly integrations: readonly string[];
}

/** What an Alertmanager configuration says about who hears of what. */
export interface NotifyConfig {
  readonly root: Route;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly inhibitRules: readonly InhibitRule[];
}

/** Alertmanager's own defaults. */
const DEFAULTS = {
  groupWaitMs: 30_000,
  groupIntervalMs: 300_000,
  repeatIntervalMs: 14_400_000,
  receiver: '',
  groupBy: [] as readonly string[] | 'all',
};
type Inherited = typeof DEFAULTS;

const PAGING = ['pagerduty_configs', 'opsgenie_configs'];
const INTEGRATIONS = [...PAGING, 'webhook_configs', 'slack_configs', 'email_configs', 'msteamsv2_configs'];
const TIMES = ['group_wait', 'group_interval', 'repeat_interval'];
const ROUTE_KEYS = ['receiver', 'matchers', 'continue', 'group_by', ...TIMES, 'routes'];
/** Deeper trees than anybody writes would exhaust the stack. */
const MAX_DEPTH = 64;

/**
 * Reads an Alertmanager configuration: routes, receivers and inhibition. `global` and `templates` are left alone, as is
 * what stands inside an integration; any other key is refused by name and line.
 * @throws BarographError `bad_notify_config`, `notify_cannot_page`, `bad_regex`.
 */
export function readNotifyConfig(text: string, file: string): NotifyConfig {
  const whole = readYamlPart(text, file);
  refuseOtherKeys(whole, ['global', 'templates', 'route', 'receivers', 'inhibit_rules']);
  const receivers = new Map<string, Receiver>();
  for (const part of itemsAt(whole, 'receivers')) {
    const receiver = readReceiver(part);
    if (receivers.has(receiver.name)) throw badConfig(part.where, 'a name that is there twice', 'one receiver a name');
    receivers.set(receiver.name, receiver);
  }
  const rootPart = whole.parts.get('route');
  if (rootPart === undefined) throw badConfig(whole.where, 'no route', 'a key route with a receiver');
  for (const key of ['matchers', 'continue']) {
    const found = rootPart.parts.get(key);
    if (found)
      throw badConfig(found.where, `the key ${key} on the first route`, 'it on routes below, as the first takes all');
  }
  const root = readRoute(rootPart, DEFAULTS, receivers, 1);
  for (const route of routesOfNotify(root)) {
    if (receivers.get(route.receiver)?.class === 'page') throw notifyCannotPage(route.where);
  }
  return { root, receivers, inhibitRules: itemsAt(whole, 'inhibit_rules').map(readInhibitRule) };
}

function readReceiver(part: YamlPart): Receiver {
  refuseOtherKeys(part, ['name', 'barograph_class', ...INTEGRATIONS]);
  const name = textAt(part, 'name');
  if (!name) throw badConfig(part.where, 'a receiver without a name', 'a name');
  const integrations = INTEGRATIONS.filter((key) => itemsAt(part, key).length > 0);
  const pages = integrations.some((key) => PAGING.includes(key));
  const said = textAt(part, 'barograph_class');
  if (said === undefined) return { name, class: pages ? 'page' : 'notify', integrations };
  if (said !== 'page' && said !== 'notify')
    throw badConfig(whereOf(part, 'barograph_class'), 'another text', 'page or notify');
  if (pages && said === 'notify') throw notifyCannotPage(whereOf(part, 'barograph_class'));
  return { name, class: said, integrations };
}

function readRoute(part: YamlPart, parent: Inherited, receivers: NotifyConfig['receivers'], depth: number): Route {
  if (depth > MAX_DEPTH) throw badConfig(part.where, 'routes within routes too deep', `at most ${MAX_DEPTH} levels`);
  refuseOtherKeys(part, ROUTE_KEYS);
  const receiver = textAt(part, 'receiver') ?? parent.receiver;
  if (!receivers.has(receiver))
    throw badConfig(whereOf(part, 'receiver'), 'a receiver that is not there', 'a name of receivers');
  const own: Inherited = {
    receiver,
    groupBy: part.parts.has('group_by') ? readGroupBy(part) : parent.groupBy,
    groupWaitMs: durationAt(part, 'group_wait', 0) ?? parent.groupWaitMs,
    groupIntervalMs: durationAt(part, 'group_interval', 1) ?? parent.groupIntervalMs,
    repeatIntervalMs: durationAt(part, 'repeat_interval', 1) ?? parent.repeatIntervalMs,
  };
  const goesOn = part.parts.get('continue')?.value ?? false;
  if (typeof goesOn !== 'boolean') throw badConfig(whereOf(part, 'continue'), 'something else', 'true or false');
  return {
    ...own,
    matchers: matchersAt(part, 'matchers'),
    continue: goesOn,
    routes: itemsAt(part, 'routes').map((child) => readRoute(child, own, receivers, depth + 1)),
    where: part.where,
  };
}

function readGroupBy(part: YamlPart): readonly string[] | 'all' {
  const names = itemsAt(part, 'group_by').map(textOf);
  const where = whereOf(part, 'group_by');
  if (new Set(names).size < names.length) throw badConfig(where, 'a label that is there twice', 'each label once');
  if (!names.includes('...')) return names;
  if (names.length > 1) throw badConfig(where, '... beside labels', "['...'] alone");
  return 'all';
}

function readInhibitRule(part: YamlPart): InhibitRule {
  refuseOtherKeys(part, ['source_matchers', 'target_matchers', 'equal']);
  return {
    source: matchersAt(part, 'source_matchers'),
    target: matchersAt(part, 'target_matchers'),
    equal: itemsAt(part, 'equal').map(textOf),
  };
}

function matchersAt(part: YamlPart, key: string): Matcher[] {
  return itemsAt(part, key).map((item) => parseMatcher(textOf(item), item.where));
}

/** The parts of a list; none where the key is absent. */
function itemsAt(part: YamlPart, key: string): YamlPart[] {
  const found = part.parts.get(key);
  if (found === undefined) return [];
  if (found.value !== undefined || (found.parts.size > 0 && !found.parts.has('0'))) {
    throw badConfig(found.where, 'something else', 'a list');
  }
  return [...found.parts.values()];
}

function durationAt(part: YamlPart, key: string, minMs: number): number | undefined {
  const text = textAt(part, key);
  if (text === undefined) return undefined;
  let ms = -1;
  try {
    ms = parseDurationMs(text);
  } catch {
    // The error below names file and line, which the parser of durations doesn't know.
  }
  if (ms < minMs) throw badConfig(whereOf(part, key), 'no duration that fits', 'a duration such as 30s or 5m');
  return ms;
}

function whereOf(part: YamlPart, key: string): string {
  return part.parts.get(key)?.where ?? part.where;
}
