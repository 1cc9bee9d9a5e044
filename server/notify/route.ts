import { type Labels, matchesAll } from '../model/index.ts';
import type { Route } from './config.ts';

/**
 * The routes that take an alert, in the file's order: the deepest that match; the first of its siblings only, unless
 * that says `continue`. The root takes what no child takes, so there is always one.
 */
export function routesOf(root: Route, alert: Labels): Route[] {
  const taken: Route[] = [];
  for (const child of root.routes) {
    if (!matchesAll(child.matchers, alert)) continue;
    for (const route of routesOf(child, alert)) taken.push(route);
    if (!child.continue) break;
  }
  return taken.length === 0 ? [root] : taken;
}

/** The labels by which a route groups this alert: those of `group_by` that it has, or all of them where it says `...`. */
export function groupLabels(route: Route, alert: Labels): Labels {
  if (route.groupBy === 'all') return alert;
  const group: string[] = [];
  for (let i = 0; i < alert.length; i += 2) {
    if (route.groupBy.includes(alert[i])) group.push(alert[i], alert[i + 1]);
  }
  return group;
}
