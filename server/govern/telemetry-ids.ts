/**
 * Whether a field is a trace's or a span's ID in its own form. Such an ID may happen to be sixteen decimal digits with a
 * valid check digit, as a card number is, and a log line would lose its trace.
 */
export function isTelemetryId(name: string, value: string): boolean {
  return /^(?:trace|span|parent_span)_?id$/i.test(name) && /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/i.test(value);
}
