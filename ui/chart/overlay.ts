import uPlot from 'uplot';
import type { Overlay } from './spec.ts';
import type { ChartTheme } from './theme.ts';

/**
 * Draws the chosen moment as a line through the chart, and the lane's marks as ticks under its time axis, so that a
 * warning can be held against any curve.
 */
export function drawOverlay(u: uPlot, overlay: Overlay, theme: ChartTheme): void {
  const { ctx, bbox } = u;
  const ratio = uPlot.pxRatio;
  const inside = (seconds: number) => seconds >= (u.scales.x.min ?? 0) && seconds <= (u.scales.x.max ?? 0);
  ctx.save();
  // The last series may have left its dashes behind.
  ctx.setLineDash([]);
  for (const mark of overlay.marks) {
    if (!inside(mark.seconds)) continue;
    const x = Math.round(u.valToPos(mark.seconds, 'x', true));
    ctx.fillStyle = theme.colors[mark.color];
    // Taller for errors, which must be told from warnings without their colour.
    ctx.fillRect(x - ratio, bbox.top + bbox.height + ratio, 2 * ratio, (mark.color === 'error' ? 8 : 4) * ratio);
  }
  if (overlay.momentSeconds !== undefined && inside(overlay.momentSeconds)) {
    const x = Math.round(u.valToPos(overlay.momentSeconds, 'x', true)) + 0.5;
    ctx.strokeStyle = theme.marker;
    ctx.lineWidth = 1.5 * ratio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top - 4 * ratio);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
