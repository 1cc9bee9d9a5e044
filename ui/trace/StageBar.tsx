import { formatSeconds } from '../data/format.ts';
import { SPAN_STAGES } from '../generated/conventions.ts';
import { stageTitle } from './stages.ts';
import type { StageShare } from './waterfall.ts';

const ORDER = SPAN_STAGES.map((stage) => stage.name as string);

/** Where the time of a trace went: one stretch a stage, in the order of the semantic path. */
export function StageBar({ stages }: { readonly stages: readonly StageShare[] }) {
  const inOrder = [...stages].sort((a, b) => ORDER.indexOf(a.stage) - ORDER.indexOf(b.stage));
  return (
    <span className="stage-bar">
      {inOrder.map(({ stage, share, selfNs }) => (
        <i
          key={stage}
          title={`${stageTitle(stage)} ${formatSeconds(selfNs / 1e9)}`}
          style={{ width: `${share * 100}%`, background: `var(--stage-${stage})` }}
        />
      ))}
    </span>
  );
}
