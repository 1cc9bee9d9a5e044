// Judges by the policy what isn't deployed yet: an exporter's metrics, an OTLP capture, rules, dashboards.
// In: texts of files and a governor. Out: what would be stored, and findings with file and line.
// Never: I/O, or a label's value that the policy removes in a finding.
export { checkFile } from './check-file.ts';
export {
  CHECK_KINDS,
  type CheckKind,
  type FileReport,
  type Finding,
  type Level,
  type MetricProjection,
} from './finding.ts';
export { FORMATS, type Format, printReports } from './print.ts';
export { collectRecorded } from './sites.ts';
