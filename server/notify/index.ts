// Where an alert goes: reads Alertmanager's own configuration and decides receivers, groups and inhibition.
// In: the YAML text that `amtool check-config` accepts too; label sets of alerts. Out: a routing tree, the routes of an
// alert with their grouping and times, whether another alert inhibits it.
// Never: sends anything, keeps state, lets an alert of class notify reach a receiver that pages, shows a secret.
export { assertMayReceive, routesOfNotify } from './class-wall.ts';
export { type GroupTimes, type NotifyConfig, type Receiver, type Route, readNotifyConfig } from './config.ts';
export { type InhibitRule, isInhibited } from './inhibit.ts';
export { parseMatcher, parseMatchers } from './matcher.ts';
export { groupLabels, routesOf } from './route.ts';
