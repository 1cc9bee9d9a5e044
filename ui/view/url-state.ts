import type { Filters } from '../../server/dashboards/index.ts';
import { RANGE_PRESETS, type RangeSpec } from './range.ts';

export type ThemeChoice = 'auto' | 'light' | 'dark';

/** A moment that was clicked, and the panel where. */
export interface Moment {
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly panelId: string;
}

/** Everything that decides what is on the screen. The URL holds it, so that a link shows the same. */
export interface ViewState {
  readonly range: RangeSpec;
  /** Whether a relative range moves on with time. */
  readonly live: boolean;
  readonly filters: Filters;
  readonly theme: ThemeChoice;
  readonly moment?: Moment;
  /** 32 lower-case hex digits. */
  readonly traceId?: string;
  /** The page beside the pane that is shown instead of it. */
  readonly page?: 'cardinality';
  /** The label by which it tells cost instead of series. */
  readonly costBy?: string;
  /** What is looked at on it. */
  readonly subject?: Subject;
  /** Whose data is shown, where the server has tenants. */
  readonly tenant?: string;
}

/** A metric or a label that the cardinality page shows in detail. */
export interface Subject {
  readonly kind: 'metric' | 'label';
  readonly name: string;
}

export const DEFAULT_VIEW: ViewState = {
  range: { kind: 'last', spanSeconds: 3600 },
  live: true,
  filters: {},
  theme: 'auto',
};

/** Filters stand in the URL as `f.label=value`, once a value, so that they can't collide with the other parameters. */
const FILTER_PREFIX = 'f.';
const LONGEST_SPAN_SECONDS = 400 * 86_400;

/**
 * Reads a view from a URL's query. What can't be read takes its default: a mangled link still opens the pane.
 */
export function parseView(search: string): ViewState {
  const params = new URLSearchParams(search);
  const view: { -readonly [K in keyof ViewState]: ViewState[K] } = {
    range: parseRange(params),
    live: params.get('live') !== 'off',
    filters: parseFilters(params),
    theme: parseTheme(params.get('theme')),
  };
  const timeMs = parseMs(params.get('at'));
  if (timeMs !== undefined) view.moment = { timeMs, panelId: params.get('panel') ?? '' };
  const traceId = params.get('trace');
  if (traceId !== null && /^[0-9a-f]{32}$/.test(traceId)) view.traceId = traceId;
  if (params.get('view') === 'cardinality') view.page = 'cardinality';
  const costBy = params.get('cost');
  if (costBy !== null && /^[a-z][a-z_]{0,63}$/.test(costBy)) view.costBy = costBy;
  const subject = parseSubject(params);
  if (subject) view.subject = subject;
  const tenant = params.get('tenant');
  if (tenant) view.tenant = tenant;
  return view;
}

/** The query of a view's URL, without `?`, with defaults left out; `parseView` reads it back to the same view. */
export function printView(view: ViewState): string {
  const params = new URLSearchParams();
  if (view.tenant) params.set('tenant', view.tenant);
  if (view.range.kind === 'fixed') {
    params.set('from', String(view.range.fromMs));
    params.set('to', String(view.range.toMs));
  } else if (view.range.spanSeconds !== DEFAULT_SPAN_SECONDS) {
    params.set('range', printSpan(view.range.spanSeconds));
  }
  if (!view.live) params.set('live', 'off');
  for (const label of Object.keys(view.filters).sort()) {
    for (const value of view.filters[label] ?? []) params.append(FILTER_PREFIX + label, value);
  }
  if (view.theme !== 'auto') params.set('theme', view.theme);
  if (view.moment) {
    params.set('at', String(view.moment.timeMs));
    if (view.moment.panelId !== '') params.set('panel', view.moment.panelId);
  }
  if (view.traceId) params.set('trace', view.traceId);
  if (view.page) params.set('view', view.page);
  if (view.costBy) params.set('cost', view.costBy);
  if (view.subject) params.set(view.subject.kind, view.subject.name);
  return params.toString();
}

const DEFAULT_SPAN_SECONDS = 3600;

function parseSubject(params: URLSearchParams): Subject | undefined {
  for (const kind of ['metric', 'label'] as const) {
    const name = params.get(kind);
    if (name) return { kind, name };
  }
  return undefined;
}

function parseRange(params: URLSearchParams): RangeSpec {
  const fromMs = parseMs(params.get('from'));
  const toMs = parseMs(params.get('to'));
  if (fromMs !== undefined && toMs !== undefined && fromMs < toMs) return { kind: 'fixed', fromMs, toMs };
  const spanSeconds = parseSpanSeconds(params.get('range') ?? '');
  return { kind: 'last', spanSeconds: spanSeconds ?? DEFAULT_SPAN_SECONDS };
}

function parseFilters(params: URLSearchParams): Filters {
  const filters: Record<string, string[]> = {};
  for (const [name, value] of params) {
    if (!name.startsWith(FILTER_PREFIX) || value === '') continue;
    const label = name.slice(FILTER_PREFIX.length);
    if (!/^[a-z][a-z0-9_]*$/.test(label)) continue;
    const values = (filters[label] ??= []);
    if (!values.includes(value)) values.push(value);
  }
  return filters;
}

function parseTheme(text: string | null): ThemeChoice {
  return text === 'light' || text === 'dark' ? text : 'auto';
}

/** Milliseconds since the epoch, whole and from 1 up to the year 5138. */
function parseMs(text: string | null): number | undefined {
  return text !== null && /^[1-9]\d{0,13}$/.test(text) ? Number(text) : undefined;
}

const SPAN_UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Seconds of a span such as `15m`, `90s` or `2d`; `undefined` for anything else, and beyond 400 days. */
export function parseSpanSeconds(text: string): number | undefined {
  const match = /^([1-9]\d{0,7})([smhd])$/.exec(text);
  if (!match) return undefined;
  const seconds = Number(match[1]) * SPAN_UNITS[match[2] as keyof typeof SPAN_UNITS];
  return seconds <= LONGEST_SPAN_SECONDS ? seconds : undefined;
}

/** A span in the largest unit that it is a multiple of. */
export function printSpan(spanSeconds: number): string {
  const preset = RANGE_PRESETS.find((p) => p.spanSeconds === spanSeconds);
  if (preset) return preset.label;
  for (const unit of ['d', 'h', 'm'] as const) {
    if (spanSeconds % SPAN_UNITS[unit] === 0) return `${spanSeconds / SPAN_UNITS[unit]}${unit}`;
  }
  return `${spanSeconds}s`;
}
