import { BarographError, type Labels, labelValue } from '../model/index.ts';
import type { Receiver, Route } from './config.ts';

/** The label that says an alert's class, `page` or `notify`. */
const CLASS = 'class';

/**
 * The routes that an alert of class notify can end in, whatever its other labels. Never too few: a matcher on another
 * label may or may not hold, so both ways are followed; a route that nothing but the class decides about is certain.
 */
export function routesOfNotify(root: Route): Route[] {
  const reached: Route[] = [];
  for (const child of root.routes) {
    const onClass = child.matchers.filter((matcher) => matcher.name === CLASS);
    if (!onClass.every((matcher) => matcher.matches('notify'))) continue;
    for (const route of routesOfNotify(child)) reached.push(route);
    const isCertain = onClass.length === child.matchers.length;
    // What a certain child takes never falls back to this route; without `continue` its later siblings don't see it.
    if (isCertain && !child.continue) return reached;
    if (isCertain) return [...reached, ...laterThan(root, child)];
  }
  reached.push(root);
  return reached;
}

/** What the siblings after a certain child with `continue` may take as well; the parent is out of it already. */
function laterThan(parent: Route, child: Route): Route[] {
  const rest = { ...parent, routes: parent.routes.slice(parent.routes.indexOf(child) + 1) };
  return routesOfNotify(rest).filter((route) => route !== rest);
}

/**
 * The wall at the time of sending; the loader's check has looked at the routes, this one looks at the alerts.
 * @throws BarographError `notify_cannot_page` where an alert of class notify would go to a receiver that pages.
 */
export function assertMayReceive(receiver: Receiver, alerts: readonly Labels[]): void {
  if (receiver.class !== 'page') return;
  for (const alert of alerts) {
    if (labelValue(alert, CLASS) === 'notify') throw notifyCannotPage(`receiver ${JSON.stringify(receiver.name)}`);
  }
}

/** The error of the wall, at a place in the file or at a receiver. */
export function notifyCannotPage(where: string): BarographError {
  return new BarographError({
    code: 'notify_cannot_page',
    status: 400,
    where,
    got: 'a way for alerts with class="notify" to a receiver that pages',
    accepted: 'alerts of class page only',
    fix: 'put the matcher class!="notify" on the route, or before it a route for class="notify" without continue',
  });
}
