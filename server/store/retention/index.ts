// How long and how much is kept: settings, the plan, the removal, and a guard over the disk's free space.
// In: sizes and times of what is stored. Out: floors below which queries see nothing, and space.
// Never: decides by what telemetry says; removes anything that is newer than an hour because of a size.
export { DiskGuard, type DiskSpace, diskSpace } from './disk-guard.ts';
export { Retention, type RetentionStatus } from './retention.ts';
export {
  describeRetention,
  KEEP_EVERYTHING,
  type RetentionSettings,
  retentionSchema,
  shownRetention,
} from './settings.ts';
export { TableRetention } from './table-retention.ts';
