import { useMemo } from 'react';
import type { ChartActions } from '../chart/Chart.tsx';
import { zoomedRange } from '../view/range.ts';
import { useServices } from './services.ts';

/** What every chart of the pane does with a drag, a double click and a click. */
export function useChartActions(panelId: string): ChartActions {
  const { view } = useServices();
  return useMemo(
    () => ({
      onZoom: (fromSeconds, toSeconds) => view.zoom(zoomedRange(fromSeconds, toSeconds)),
      onZoomBack: () => view.zoomBack(),
      onPick: (seconds) =>
        view.change({ moment: { timeMs: Math.round(seconds * 1000), panelId }, traceId: undefined }, true),
    }),
    [view, panelId],
  );
}
