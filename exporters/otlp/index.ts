// OTLP over HTTP, in JSON: how the exporters send what others scrape.
// In: metrics with their points. Out: requests of bounded size, sent at an interval.
// Never: keeps a queue (points are totals and moments, so the next request says what a lost one did), or shows a header.
export { type KeepSending, keepSendingOtlp } from './push.ts';
export {
  type OtlpHistogramPoint,
  type OtlpMetric,
  type OtlpNumberPoint,
  type OtlpSource,
  otlpRequests,
} from './request.ts';
export { type OtlpTarget, sendOtlp } from './send.ts';
