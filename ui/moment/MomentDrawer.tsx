import { expandQuery, type Filters, type Pane, type Panel, type PanelLink } from '../../server/dashboards/index.ts';
import { queryLogs } from '../api/loki.ts';
import { filterTraces, searchTraces } from '../api/tempo.ts';
import { formatClock, formatSeconds } from '../data/format.ts';
import { type Loaded, useLoaded, useServices, useView } from '../pane/services.ts';
import type { Moment } from '../view/url-state.ts';
import { Drawer } from './Drawer.tsx';
import { LogList } from './LogList.tsx';
import { contradictsFilters, readLogLine, type ShownLine } from './log-line.ts';
import { TraceList } from './TraceList.tsx';

interface MomentDrawerProps {
  readonly pane: Pane;
  readonly moment: Moment;
  readonly stepSeconds: number;
  readonly onClose: () => void;
}

const MOST_LINES = 200;
/** A search gives the newest; the slowest are picked of these. */
const MOST_TRACES = 100;
const SHOWN_TRACES = 20;

/** The logs and traces around a moment, under the same filters; what the clicked panel looks for first stands first. */
export function MomentDrawer({ pane, moment, stepSeconds, onClose }: MomentDrawerProps) {
  const panel = findPanel(pane, moment.panelId);
  const halfSeconds = Math.max(30, stepSeconds);
  const at = moment.timeMs / 1000;
  // A point of a step speaks of the step before it, so the window reaches further back than forward.
  const range = { startS: at - stepSeconds - halfSeconds, endS: at + halfSeconds };
  const links = panel.links.length > 0 ? panel.links : pane.lane.links;
  return (
    <Drawer
      title={formatClock(moment.timeMs)}
      subtitle={`${panel.title} · ${formatSeconds(range.endS - range.startS)} around it`}
      label={`Logs and traces at ${formatClock(moment.timeMs)}`}
      onClose={onClose}
    >
      {links.map((link) => (
        <LinkSection key={`${link.kind} ${link.expr}`} link={link} range={range} pane={pane} />
      ))}
    </Drawer>
  );
}

function findPanel(pane: Pane, id: string): Panel {
  return pane.rows.flatMap((row) => row.panels).find((panel) => panel.id === id) ?? pane.lane;
}

interface LinkSectionProps {
  readonly link: PanelLink;
  readonly range: { startS: number; endS: number };
  readonly pane: Pane;
}

function LinkSection({ link, range, pane }: LinkSectionProps) {
  const { filters } = useView();
  switch (link.kind) {
    case 'traces':
      return <Traces link={link} range={range} filters={filters} />;
    case 'logs':
      return <Logs link={link} range={range} filters={filters} pane={pane} />;
  }
}

function Traces({ link, range, filters }: Omit<LinkSectionProps, 'pane'> & { readonly filters: Filters }) {
  const { queue } = useServices();
  const expr = filterTraces(link.expr, filters);
  const loaded = useLoaded(`${expr} ${range.startS}`, (signal) =>
    searchTraces(queue, expr, { ...range, limit: MOST_TRACES }, signal),
  );
  const count = loaded.kind === 'ready' ? traceCount(loaded.value.length) : '';
  return (
    <Section title={link.title} count={count} loaded={loaded} empty="No trace matches in these seconds." query={expr}>
      {(traces) => <TraceList traces={traces} most={SHOWN_TRACES} />}
    </Section>
  );
}

function Logs({ link, range, filters, pane }: LinkSectionProps & { readonly filters: Filters }) {
  const { queue } = useServices();
  const expr = expandQuery(link.expr, 'logql', {
    filters,
    labels: pane.filterLabels,
    stepSeconds: pane.sampleIntervalSeconds,
    sampleIntervalSeconds: pane.sampleIntervalSeconds,
  });
  const loaded = useLoaded<ShownLine[]>(`${expr} ${range.startS}`, async (signal) => {
    const lines = await queryLogs(queue, expr, { ...range, limit: MOST_LINES }, signal);
    return lines.map(readLogLine).filter((line) => !contradictsFilters(line, filters));
  });
  const count = loaded.kind === 'ready' ? countText(loaded.value.length, MOST_LINES) : '';
  return (
    <Section title={link.title} count={count} loaded={loaded} empty="Nothing was logged in these seconds." query={expr}>
      {(lines) => <LogList lines={lines} />}
    </Section>
  );
}

function traceCount(found: number): string {
  if (found <= SHOWN_TRACES) return String(found);
  return `${SHOWN_TRACES} of ${found >= MOST_TRACES ? `the newest ${MOST_TRACES}` : found}`;
}

function countText(count: number, most: number): string {
  return count >= most ? `newest ${most}` : String(count);
}

interface SectionProps<T> {
  readonly title: string;
  readonly count: string;
  readonly loaded: Loaded<readonly T[]>;
  readonly empty: string;
  readonly query: string;
  readonly children: (value: readonly T[]) => React.ReactNode;
}

function Section<T>({ title, count, loaded, empty, query, children }: SectionProps<T>) {
  return (
    <section className="moment-section" aria-label={title}>
      <h3 title={query}>
        {title} <span className="note">{count}</span>
      </h3>
      {loaded.kind === 'loading' ? <p className="drawer-note">Loading…</p> : null}
      {loaded.kind === 'failed' ? (
        <p className="drawer-note" role="alert">
          {loaded.message}{' '}
          <button type="button" className="button" onClick={loaded.retry}>
            Try again
          </button>
        </p>
      ) : null}
      {loaded.kind === 'ready' && loaded.value.length === 0 ? <p className="drawer-note">{empty}</p> : null}
      {loaded.kind === 'ready' && loaded.value.length > 0 ? children(loaded.value) : null}
    </section>
  );
}
