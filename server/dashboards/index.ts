// The pane: which panels stand on it, what they ask and how they are read, as data.
// In: nothing. Out: `PANE`, the types of panels, and `expandQuery`, which puts filters and windows into a query.
// Never: I/O, a chart library, or a web framework; a browser and the generator of Grafana files read the same data.
export type { QueryContext } from './expand.ts';
export {
  expandQuery,
  filterLabelsOf,
  quantileWindowSeconds,
  rateWindowSeconds,
  unreachedFilters,
} from './expand.ts';
export { ERROR_OUTCOMES } from './outcomes.ts';
export { PANE } from './pane.ts';
export type {
  Filters,
  Pane,
  Panel,
  PanelKind,
  PanelLink,
  PanelQuery,
  PanelSource,
  PanelThreshold,
  PanelUnit,
  PaneRow,
  QueryLanguage,
  Tone,
} from './panel.ts';
