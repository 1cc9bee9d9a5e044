/** The colours and fonts of charts, by the keys that `data/` gives; read from the tokens, which know the theme. */
export interface ChartTheme {
  /** Changes when the theme does. */
  readonly name: 'light' | 'dark';
  readonly font: string;
  /** CSS colours by key: `series-0`…`series-7`, `ordinal-0`…`ordinal-5`, `quantile-…`, `error`, `warning`, `muted`. */
  readonly colors: Readonly<Record<string, string>>;
  readonly axis: string;
  readonly grid: string;
  readonly surface: string;
  readonly marker: string;
  /** Colours of a heatmap from nothing to most, for interpolation. */
  readonly heat: readonly string[];
}

const KEYS = [
  ...Array.from({ length: 8 }, (_, i) => `series-${i}`),
  ...Array.from({ length: 6 }, (_, i) => `ordinal-${i}`),
  'quantile-low',
  'quantile-mid',
  'quantile-high',
  'error',
  'warning',
  'muted',
  'state-thermal',
  'state-power',
  'state-hardware',
  'state-other',
];
const HEAT_STOPS = 7;

/** Reads the theme from the computed style of the document's root. */
export function readTheme(name: 'light' | 'dark', root: Element = document.documentElement): ChartTheme {
  const style = getComputedStyle(root);
  const token = (key: string) => style.getPropertyValue(`--${key}`).trim();
  return {
    name,
    font: `11px ${token('font-text')}`,
    colors: Object.fromEntries(KEYS.map((key) => [key, token(key)])),
    axis: token('text-faint'),
    grid: token('grid'),
    surface: token('surface'),
    marker: token('focus'),
    heat: Array.from({ length: HEAT_STOPS }, (_, i) => token(`heat-${i}`)),
  };
}

/** 256 colours between the stops, as CSS colours; stops are `#rrggbb` and lie evenly between 0 and 1. */
export function heatScale(stops: readonly string[]): string[] {
  const rgb = stops.map(parseHex);
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (rgb.length - 1);
    const lower = Math.min(Math.floor(at), rgb.length - 2);
    const share = at - lower;
    const mixed = rgb[lower].map((from, channel) => Math.round(from + (rgb[lower + 1][channel] - from) * share));
    return `rgb(${mixed.join(' ')})`;
  });
}

function parseHex(color: string): [number, number, number] {
  const n = Number.parseInt(color.slice(1), 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

/** The key of a throttling state's colour: what kind of cause it has. */
export function stateColor(state: string): string {
  if (/thermal/.test(state)) return 'state-thermal';
  if (/power/.test(state)) return 'state-power';
  if (/hw|board|reliab|hardware/.test(state)) return 'state-hardware';
  return 'state-other';
}
