import type { Panel, PanelQuery, Tone } from '../../server/dashboards/index.ts';
import type { Frame, FrameSeries } from './frame.ts';
import { shortNames } from './short-names.ts';

/** How one series of a panel looks; colours are names of tokens, so that nothing here knows a theme. */
export interface StyledSeries {
  readonly series: FrameSeries;
  readonly name: string;
  /** The name without what says nothing here: what all nodes share, the maker that all GPUs have. */
  readonly shortName: string;
  /** A key of the theme's colours. */
  readonly color: string;
  readonly dashed: boolean;
  readonly emphasis: boolean;
  readonly scale: 'left' | 'right';
  /** A value that means "at least that". */
  readonly ceiling: number | undefined;
}

/** Slots of the categorical palette in `tokens.css`. */
export const SERIES_COLORS = 8;
/** Slots of the ordered palette in `tokens.css`. */
export const ORDINAL_COLORS = 6;

/** A legend with its `{{label}}` filled; what is left without a value is cleaned of its spaces. */
export function legendText(legend: string, labels: Readonly<Record<string, string>>): string {
  return legend
    .replace(/\{\{\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}/g, (_, name: string) => labels[name] ?? '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Colours that are fixed by meaning. */
const TONE_COLORS: Readonly<Record<Tone, string>> = {
  'quantile-low': 'quantile-low',
  'quantile-mid': 'quantile-mid',
  'quantile-high': 'quantile-high',
  input: 'series-0',
  output: 'series-1',
  gpu: 'series-6',
  cpu: 'series-5',
  memory: 'series-2',
  cache: 'series-1',
  error: 'error',
  warning: 'warning',
  muted: 'muted',
};

const OUTCOME_COLORS: Readonly<Record<string, string>> = { error: 'series-3', timeout: 'series-1', empty: 'series-6' };

/**
 * Gives each value of a label a slot of the palette and keeps it: the same model has the same colour in every panel and
 * in every answer. A value starts at the slot of its hash and moves on to a free one, so that a colour depends on few
 * others and two values share one only when there are more values than colours.
 */
export class ColorRegistry {
  readonly #slots = new Map<string, Map<string, number>>();

  /** Makes sure that the values have slots; those that come together are placed in sorted order. */
  assign(label: string, values: Iterable<string>): void {
    const slots = this.#slots.get(label) ?? new Map<string, number>();
    this.#slots.set(label, slots);
    for (const value of [...new Set(values)].sort()) {
      if (slots.has(value)) continue;
      const taken = new Map<number, number>();
      for (const slot of slots.values()) taken.set(slot, (taken.get(slot) ?? 0) + 1);
      const least = Math.floor(slots.size / SERIES_COLORS);
      // The last slot is red, which reads as trouble; it is given only where the others are taken.
      let slot = hash(value) % (SERIES_COLORS - 1);
      while ((taken.get(slot) ?? 0) > least) slot = (slot + 1) % SERIES_COLORS;
      slots.set(value, slot);
    }
  }

  /** The colour of a value, as a key of the theme. */
  color(label: string, value: string): string {
    if (!this.#slots.get(label)?.has(value)) this.assign(label, [value]);
    return `series-${this.#slots.get(label)?.get(value)}`;
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** The most series that one panel draws; the rest are counted in the legend. */
export const MOST_SERIES = 24;

/** The series of a panel in the order of its legend, with names and colours, and how many were left out. */
export function styleSeries(
  panel: Panel,
  frame: Frame,
  registry: ColorRegistry,
): { shown: StyledSeries[]; leftOut: number } {
  for (const [query, { colorBy, order }] of panel.queries.entries()) {
    if (!colorBy || order || colorBy === 'outcome') continue;
    registry.assign(
      colorBy,
      frame.series.filter((s) => s.query === query).map((s) => s.labels[colorBy] ?? ''),
    );
  }
  const present = frame.series.filter((series) => series.values.some((v) => Number.isFinite(v)));
  const short = shortNodes(panel, present);
  const styled = present
    .map((series) => styleOne(panel.queries[series.query], series, registry, short))
    .sort((a, b) => compareStyled(panel, a, b));
  if (styled.length <= MOST_SERIES) return { shown: styled, leftOut: 0 };
  // Of too many lines those that reach highest stay: they are what somebody looks for at three in the morning.
  const tallest = [...styled].sort((a, b) => peak(b) - peak(a)).slice(0, MOST_SERIES);
  const keep = new Set(tallest);
  return { shown: styled.filter((s) => keep.has(s)), leftOut: styled.length - MOST_SERIES };
}

/** Short names of nodes, which carry the name of their cluster and pool with them. */
function shortNodes(panel: Panel, series: readonly FrameSeries[]): ReadonlyMap<FrameSeries, string> {
  const byNode = series.filter(({ query }) => panel.queries[query].legend === '{{node}}');
  const names = shortNames(byNode.map(({ labels }) => labels.node ?? ''));
  return new Map(byNode.map((one, i) => [one, names[i]]));
}

function styleOne(
  query: PanelQuery,
  series: FrameSeries,
  registry: ColorRegistry,
  short: ReadonlyMap<FrameSeries, string>,
): StyledSeries {
  return {
    series,
    name: legendText(query.legend, series.labels) || 'all',
    shortName: short.get(series) ?? (legendText(query.legend, series.labels).replace(/^NVIDIA /, '') || 'all'),
    color: colorOf(query, series, registry),
    dashed: query.dashed ?? false,
    emphasis: query.tone === 'quantile-high' || query.tone === 'error' || query.tone === 'cache',
    scale: query.scale ?? 'left',
    ceiling: query.ceiling,
  };
}

function colorOf(query: PanelQuery, series: FrameSeries, registry: ColorRegistry): string {
  if (query.tone) return TONE_COLORS[query.tone];
  if (!query.colorBy) return 'series-0';
  const value = series.labels[query.colorBy] ?? '';
  if (query.colorBy === 'outcome') return OUTCOME_COLORS[value] ?? 'muted';
  if (query.order) {
    const at = query.order.indexOf(value);
    return at === -1
      ? 'muted'
      : `ordinal-${Math.round((at * (ORDINAL_COLORS - 1)) / Math.max(1, query.order.length - 1))}`;
  }
  return registry.color(query.colorBy, value);
}

function compareStyled(panel: Panel, a: StyledSeries, b: StyledSeries): number {
  if (a.series.query !== b.series.query) return a.series.query - b.series.query;
  const { order, colorBy } = panel.queries[a.series.query];
  if (order && colorBy) return order.indexOf(a.series.labels[colorBy]) - order.indexOf(b.series.labels[colorBy]);
  // Where there may be many, the highest stands first: a legend that is cut short has still said what matters.
  return (colorBy ? peak(b) - peak(a) : 0) || a.name.localeCompare(b.name, 'en', { numeric: true });
}

function peak(styled: StyledSeries): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (const value of styled.series.values) if (value > highest) highest = value;
  return highest;
}
