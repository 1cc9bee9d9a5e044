import { type CSSProperties, type KeyboardEvent, useMemo, useRef, useState } from 'react';
import type { Trace } from '../api/otlp-json.ts';
import { useSize } from '../chart/react-hooks.ts';
import { formatSeconds } from '../data/format.ts';
import { SpanDetails } from './SpanDetails.tsx';
import { StageBar } from './StageBar.tsx';
import { stageTitle } from './stages.ts';
import { buildWaterfall, type Waterfall, type WaterfallRow } from './waterfall.ts';

/** Height of a row in CSS pixels; equal heights let a trace of any length be drawn by its visible part. */
const ROW_PX = 26;
const OVERSCAN_ROWS = 8;

/** Spans as bars on one time axis. */
export function WaterfallView({ trace }: { readonly trace: Trace }) {
  const waterfall = useMemo(() => buildWaterfall(trace), [trace]);
  const [selected, setSelected] = useState(() => bottleneckRow(waterfall));
  const row = waterfall.rows[Math.min(selected, waterfall.rows.length - 1)];
  return (
    <div className="waterfall">
      <Bottleneck waterfall={waterfall} />
      <TimeRuler durationNs={trace.durationNs} />
      <Rows waterfall={waterfall} trace={trace} selected={selected} onSelect={setSelected} />
      <SpanDetails row={row} />
    </div>
  );
}

/** The row that took most of the time within the stage that did: what somebody who opens a trace wants to see first. */
function bottleneckRow({ rows, stages }: Waterfall): number {
  let best = 0;
  rows.forEach((row, i) => {
    if (row.stage === stages[0].stage && (rows[best].stage !== row.stage || row.selfNs > rows[best].selfNs)) best = i;
  });
  return best;
}

function Bottleneck({ waterfall }: { readonly waterfall: Waterfall }) {
  const [first] = waterfall.stages;
  return (
    <div className="bottleneck">
      <p>
        <b style={{ color: `var(--stage-${first.stage})` }}>{stageTitle(first.stage)}</b> took the largest part:{' '}
        {formatSeconds(first.selfNs / 1e9)}, {Math.round(first.share * 100)} %
      </p>
      <StageBar stages={waterfall.stages} />
      <ul className="stage-key">
        {waterfall.stages.map(({ stage, selfNs }) => (
          <li key={stage}>
            <i style={{ background: `var(--stage-${stage})` }} />
            {stageTitle(stage)} <span className="note">{formatSeconds(selfNs / 1e9)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Where the ruler has marks, as shares of the trace; `trace.css` draws its lines at the same. */
const RULER_PARTS = [0, 0.25, 0.5, 0.75];

function TimeRuler({ durationNs }: { readonly durationNs: number }) {
  return (
    <div className="ruler" aria-hidden="true">
      <span className="ruler-name">span</span>
      <span className="ruler-times">
        {RULER_PARTS.map((part) => (
          <span key={part}>{formatSeconds((durationNs * part) / 1e9)}</span>
        ))}
      </span>
      <span className="ruler-self">self</span>
    </div>
  );
}

interface RowsProps {
  readonly waterfall: Waterfall;
  readonly trace: Trace;
  readonly selected: number;
  readonly onSelect: (index: number) => void;
}

function Rows({ waterfall, trace, selected, onSelect }: RowsProps) {
  const { rows } = waterfall;
  const list = useRef<HTMLDivElement>(null);
  const { height } = useSize(list);
  const [scrollTop, setScrollTop] = useState(0);
  const first = Math.max(0, Math.floor(scrollTop / ROW_PX) - OVERSCAN_ROWS);
  const end = Math.min(rows.length, Math.ceil((scrollTop + Math.max(height, 200)) / ROW_PX) + OVERSCAN_ROWS);

  function onKeyDown(event: KeyboardEvent) {
    const by = {
      ArrowDown: 1,
      j: 1,
      ArrowUp: -1,
      k: -1,
      PageDown: 10,
      PageUp: -10,
      Home: -rows.length,
      End: rows.length,
    }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const next = Math.min(rows.length - 1, Math.max(0, selected + by));
    onSelect(next);
    const view = list.current;
    if (!view) return;
    if (next * ROW_PX < view.scrollTop) view.scrollTop = next * ROW_PX;
    else if ((next + 1) * ROW_PX > view.scrollTop + view.clientHeight)
      view.scrollTop = (next + 1) * ROW_PX - view.clientHeight;
  }

  return (
    <div
      ref={list}
      className="rows"
      role="listbox"
      aria-label="Spans"
      aria-activedescendant={`span-${selected}`}
      tabIndex={0}
      onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      <div style={{ height: rows.length * ROW_PX }}>
        <div style={{ transform: `translateY(${first * ROW_PX}px)` }}>
          {rows.slice(first, end).map((row, i) => (
            <Row
              key={row.span.spanId}
              row={row}
              index={first + i}
              selected={first + i === selected}
              trace={trace}
              onSelect={onSelect}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  readonly row: WaterfallRow;
  readonly index: number;
  readonly selected: boolean;
  readonly trace: Trace;
  readonly onSelect: (index: number) => void;
}

function Row({ row, index, selected, trace, onSelect }: RowProps) {
  const { span } = row;
  const whole = Math.max(1, trace.durationNs);
  const left = (100 * span.startNs) / whole;
  const width = (100 * span.durationNs) / whole;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys.
    <div
      id={`span-${index}`}
      className="span"
      role="option"
      aria-selected={selected}
      data-derived={row.derived ? '' : undefined}
      tabIndex={-1}
      onClick={() => onSelect(index)}
    >
      <span className="span-name" style={{ paddingLeft: 8 + row.depth * 14 }}>
        <i style={{ background: `var(--stage-${row.stage})` }} />
        {span.name}
        {span.failed ? <em className="failed">error</em> : null}
        <span className="note">{row.depth === 0 ? span.service : ''}</span>
      </span>
      <span className="span-track">
        <span
          className="span-bar"
          style={{ left: `${left}%`, width: `max(2px, ${width}%)`, background: `var(--stage-${row.stage})` }}
        />
        <span className="span-time" {...timePlace(left, width)}>
          {formatSeconds(span.durationNs / 1e9)}
        </span>
      </span>
      <span className="span-self">{formatSeconds(row.selfNs / 1e9)}</span>
    </div>
  );
}

/** Where a bar's duration stands, in per cent of the track: after the bar, else within its end, else before it. */
function timePlace(left: number, width: number): { style: CSSProperties; 'data-inside'?: '' } {
  if (left + width < 88) return { style: { left: `${left + width}%` } };
  if (width > 12) return { style: { right: `${Math.max(0, 100 - left - width)}%` }, 'data-inside': '' };
  return { style: { right: `${100 - left}%` } };
}
