import { type ReactNode, useRef } from 'react';
import type { Panel } from '../../server/dashboards/index.ts';
import { columnQuantile, columnTotal } from '../chart/heatmap-chart.ts';
import { useSize } from '../chart/react-hooks.ts';
import { type ChartTheme, stateColor } from '../chart/theme.ts';
import { formatNumber, formatTokenBound, formatValue } from '../data/format.ts';
import { type Frame, frameIndex } from '../data/frame.ts';
import type { Heatmap } from '../data/heatmap.ts';
import type { StyledSeries } from '../data/series-style.ts';
import { activeStates, dominantState, type StateRow } from '../data/states.ts';
import { useCursor } from './services.ts';

/** Height of a legend's two lines in CSS pixels, as `pane.css` cuts it. */
const LEGEND_PX = 33;

/** Two lines high; what doesn't fit is shown above the chart while the legend is pointed at or holds the focus. */
function LegendBox({ children }: { readonly children: ReactNode }) {
  const entries = useRef<HTMLDivElement>(null);
  const { height } = useSize(entries);
  return (
    <div className="legend" data-more={height > LEGEND_PX ? '' : undefined}>
      <div ref={entries} className="legend-entries">
        {children}
      </div>
    </div>
  );
}

interface LineLegendProps {
  readonly panel: Panel;
  readonly frame: Frame;
  readonly series: readonly StyledSeries[];
  readonly leftOut: number;
  readonly only: string | undefined;
  readonly onOnly: (key: string | undefined) => void;
  readonly theme: ChartTheme;
}

/** Names and values of lines: at the cursor, or the latest. A click shows one line alone. */
export function LineLegend({ panel, frame, series, leftOut, only, onOnly, theme }: LineLegendProps) {
  const { seconds } = useCursor();
  const at = seconds === undefined ? undefined : frameIndex(frame, seconds);
  return (
    <LegendBox>
      {series.map((one) => {
        const { key, values } = one.series;
        return (
          <button
            key={key}
            type="button"
            className="legend-entry"
            aria-pressed={only === key}
            data-off={only !== undefined && only !== key ? '' : undefined}
            title={`${one.name}: show alone`}
            onClick={() => onOnly(only === key ? undefined : key)}
          >
            <span
              className="swatch"
              data-dashed={one.dashed ? '' : undefined}
              style={{ color: theme.colors[one.color] }}
            />
            <span className="legend-name">{one.shortName}</span>
            <span className="legend-value">
              {valueText(at === undefined ? latest(values) : values[at], one, panel)}
            </span>
          </button>
        );
      })}
      {leftOut > 0 ? <span className="note">{leftOut} lower ones not drawn</span> : null}
    </LegendBox>
  );
}

/** A value for the legend; one at the end of what its query can tell says so. */
function valueText(value: number, styled: StyledSeries, panel: Panel): string {
  return `${value === styled.ceiling ? '≥\u202f' : ''}${formatValue(value, panel.unit)}`;
}

/** The newest value; where a series has ended, that is not its last but none. */
function latest(values: Float64Array): number {
  for (let i = values.length - 1; i >= Math.max(0, values.length - 3); i--)
    if (!Number.isNaN(values[i])) return values[i];
  return Number.NaN;
}

interface HeatmapLegendProps {
  readonly frame: Frame;
  readonly map: Heatmap;
  readonly theme: ChartTheme;
}

/** What a column of a heatmap says in words, and what its colours mean. */
export function HeatmapLegend({ frame, map, theme }: HeatmapLegendProps) {
  const { seconds } = useCursor();
  const column = seconds === undefined ? undefined : frameIndex(frame, seconds);
  const at = column ?? lastKnown(map);
  const range = (quantile: number) => {
    const row = columnQuantile(map, at, quantile);
    return row ? `${formatTokenBound(row.lower)}–${formatTokenBound(row.upper)}` : '–';
  };
  return (
    <LegendBox>
      <span className="legend-entry">
        <span className="legend-name">median</span>
        <span className="legend-value">{range(0.5)}</span>
      </span>
      <span className="legend-entry">
        <span className="legend-name">p95</span>
        <span className="legend-value">{range(0.95)}</span>
      </span>
      <span className="legend-entry">
        <span className="legend-value">{formatNumber(columnTotal(map, at))} req/s</span>
      </span>
      <span className="heat-key">
        0
        <span className="heat-bar" aria-hidden="true">
          {theme.heat.map((color) => (
            <i key={color} style={{ background: color }} />
          ))}
        </span>
        {formatNumber(map.max)} req/s
      </span>
    </LegendBox>
  );
}

function lastKnown(map: Heatmap): number {
  for (let column = map.length - 1; column > 0; column--) if (columnTotal(map, column) > 0) return column;
  return map.length - 1;
}

interface StatesLegendProps {
  readonly frame: Frame;
  readonly rows: readonly StateRow[];
  readonly theme: ChartTheme;
}

/** Which states held at all, and at the cursor, what held where. */
export function StatesLegend({ frame, rows, theme }: StatesLegendProps) {
  const { seconds } = useCursor();
  const at = seconds === undefined ? undefined : frameIndex(frame, seconds);
  if (at === undefined) {
    const active = activeStates(rows);
    if (active.length === 0) return <LegendBox>no throttling in this range</LegendBox>;
    return (
      <LegendBox>
        {active.map((state) => (
          <span key={state} className="legend-entry">
            <span className="swatch" data-block="" style={{ color: theme.colors[stateColor(state)] }} />
            <span className="legend-name">{state.replaceAll('_', ' ')}</span>
          </span>
        ))}
      </LegendBox>
    );
  }
  const held = rows.flatMap((row) => {
    const state = dominantState(row, at);
    return state ? [{ row: row.name, ...state }] : [];
  });
  return (
    <LegendBox>
      {held.length === 0 ? <span className="legend-name">no throttling</span> : null}
      {held.map(({ row, state, share }) => (
        <span key={row} className="legend-entry">
          <span className="swatch" data-block="" style={{ color: theme.colors[stateColor(state)] }} />
          <span className="legend-name">
            {row} {state.replaceAll('_', ' ')}
          </span>
          <span className="legend-value">{formatValue(share, 'ratio')}</span>
        </span>
      ))}
    </LegendBox>
  );
}
