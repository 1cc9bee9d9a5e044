/** How to get data onto a pane on which every panel is empty; `pane.css` shows it only then. */
export function FirstSteps() {
  return (
    <aside className="first-steps" aria-label="First steps">
      <strong>Nothing has come in for this range.</strong>
      <span>
        A Prometheus: <code>remote_write: [&#123;url: {location.origin}/api/v1/write&#125;]</code>
      </span>
      <span>
        An OpenTelemetry SDK: <code>OTEL_EXPORTER_OTLP_ENDPOINT={location.origin}</code>
      </span>
      <span>
        A simulated fleet: <code>barograph simulate --target {location.origin}</code>
      </span>
    </aside>
  );
}
