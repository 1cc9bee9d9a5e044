import { useRef } from 'react';
import { useSize } from '../chart/react-hooks.ts';
import { formatClock } from '../data/format.ts';
import type { GrowthPoint } from './answers.ts';
import { curvePath, decades, printCount } from './numbers.ts';

const HEIGHT = 96;
const DAY_MS = 86_400_000;

/** Series that were offered and that are stored, over time and on a logarithmic scale. */
export function Growth({ points }: { readonly points: readonly GrowthPoint[] }) {
  const box = useRef<HTMLDivElement>(null);
  const width = Math.max(100, (useSize(box).width || 600) - 1);
  const top = Math.max(10, ...points.map((point) => Math.max(point.offered, point.stored))) * 1.3;
  const curve = (of: (point: GrowthPoint) => number) =>
    curvePath(
      points.map((point) => ({ x: point.ms, y: of(point) })),
      width,
      HEIGHT,
      top,
    );
  const [first, last] = [points[0], points[points.length - 1]];
  const name =
    first && last
      ? `From ${printCount(first.offered)} to ${printCount(last.offered)} offered series, ${printCount(first.stored)} to ${printCount(last.stored)} stored`
      : 'No growth yet';
  return (
    <div ref={box} className="growth">
      {points.length < 2 ? (
        <p className="note">The curve begins with the second minute.</p>
      ) : (
        <>
          <svg viewBox={`0 0 ${width} ${HEIGHT}`} height={HEIGHT} role="img" aria-label={name}>
            {decades(top).map((tick) => {
              const y = HEIGHT - (Math.log10(1 + tick) / Math.log10(1 + top)) * HEIGHT;
              return (
                <g key={tick}>
                  <line x1={0} x2={width} y1={y} y2={y} className="growth-grid" />
                  <text x={2} y={y - 2}>
                    {printCount(tick)}
                  </text>
                </g>
              );
            })}
            <path d={curve((point) => point.offered)} className="growth-offered" />
            <path d={curve((point) => point.stored)} className="growth-stored" />
          </svg>
          <div className="growth-times" aria-hidden="true">
            <span>{printTime(first.ms, last.ms)}</span>
            <span>{printTime(last.ms, first.ms)}</span>
          </div>
        </>
      )}
    </div>
  );
}

function printTime(ms: number, other: number): string {
  const time = formatClock(ms);
  return Math.abs(ms - other) < DAY_MS ? time : `${new Date(ms).toLocaleDateString('en-CA')} ${time}`;
}
