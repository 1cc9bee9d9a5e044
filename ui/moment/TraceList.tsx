import { fetchTrace, type TraceSummary } from '../api/tempo.ts';
import { formatClock, formatSeconds } from '../data/format.ts';
import { useLoaded, useServices } from '../pane/services.ts';
import { StageBar } from '../trace/StageBar.tsx';
import { stageTitle } from '../trace/stages.ts';
import { traceFacts } from '../trace/trace-facts.ts';
import { buildWaterfall } from '../trace/waterfall.ts';

/** The slowest traces, no more than `most`, each with what its time went into. */
export function TraceList({ traces, most }: { readonly traces: readonly TraceSummary[]; readonly most: number }) {
  const slowest = [...traces].sort((a, b) => b.durationMs - a.durationMs).slice(0, most);
  const longestMs = Math.max(1, slowest[0]?.durationMs ?? 1);
  return (
    <ol className="trace-list">
      {slowest.map((trace) => (
        <TraceItem key={trace.traceId} trace={trace} longestMs={longestMs} />
      ))}
    </ol>
  );
}

interface TraceItemProps {
  readonly trace: TraceSummary;
  readonly longestMs: number;
}

function TraceItem({ trace, longestMs }: TraceItemProps) {
  const { queue, view } = useServices();
  const loaded = useLoaded(trace.traceId, (signal) => fetchTrace(queue, trace.traceId, signal));
  const stages = loaded.kind === 'ready' && loaded.value ? buildWaterfall(loaded.value).stages : [];
  const facts = loaded.kind === 'ready' && loaded.value ? traceFacts(loaded.value) : undefined;
  const width = `${Math.max(2, (100 * trace.durationMs) / longestMs)}%`;
  return (
    <li>
      <button type="button" className="trace-item" onClick={() => view.change({ traceId: trace.traceId }, true)}>
        <time>{formatClock(trace.startMs)}</time>
        <span className="trace-name">
          {facts?.failure ? <em className="failed">{facts.failure}</em> : null}
          {facts?.where[0] ?? trace.rootName} <span className="note">{facts?.where.slice(1).join(', ')}</span>
        </span>
        <span className="trace-duration">{formatSeconds(trace.durationMs / 1000)}</span>
        <span className="trace-bar">
          <span style={{ width }}>
            <StageBar stages={stages} />
          </span>
        </span>
        <span className="trace-bottleneck">
          {stages.length > 0 ? `${stageTitle(stages[0].stage)} ${Math.round(stages[0].share * 100)} %` : ''}
        </span>
      </button>
    </li>
  );
}
