import type { Trace } from '../api/otlp-json.ts';
import { fetchTrace } from '../api/tempo.ts';
import { formatDay, formatSeconds } from '../data/format.ts';
import { Drawer } from '../moment/Drawer.tsx';
import { useLoaded, useServices } from '../pane/services.ts';
import { traceFacts } from './trace-facts.ts';
import { WaterfallView } from './WaterfallView.tsx';

interface TraceDrawerProps {
  readonly traceId: string;
  /** Whether there is a moment to go back to. */
  readonly back: boolean;
}

/** A trace over the pane. */
export function TraceDrawer({ traceId, back }: TraceDrawerProps) {
  const { queue, view } = useServices();
  const loaded = useLoaded(traceId, (signal) => fetchTrace(queue, traceId, signal));
  const trace = loaded.kind === 'ready' ? loaded.value : undefined;
  return (
    <Drawer
      wide
      title={trace ? formatSeconds(trace.durationNs / 1e9) : 'Trace'}
      subtitle={trace ? subtitleOf(trace) : traceId}
      label={`Trace ${traceId}`}
      back={back ? () => view.change({ traceId: undefined }) : undefined}
      onClose={() => view.change({ traceId: undefined, moment: undefined })}
    >
      {loaded.kind === 'loading' ? <p className="drawer-note">Loading…</p> : null}
      {loaded.kind === 'failed' ? (
        <p className="drawer-note" role="alert">
          {loaded.message}{' '}
          <button type="button" className="button" onClick={loaded.retry}>
            Try again
          </button>
        </p>
      ) : null}
      {loaded.kind === 'ready' && !trace ? (
        <p className="drawer-note">No trace has this ID. It may have been sampled away, or its retention is over.</p>
      ) : null}
      {trace ? <WaterfallView trace={trace} /> : null}
    </Drawer>
  );
}

function subtitleOf(trace: Trace): string {
  const { where, failure } = traceFacts(trace);
  return [...(failure ? [failure] : []), ...where, formatDay(trace.startMs), `trace ${trace.traceId}`].join(' · ');
}
