import { useState } from 'react';
import { Brand, ThemeButton } from '../bar/Brand.tsx';
import { HelpDialog } from '../bar/HelpDialog.tsx';
import { formatClock } from '../data/format.ts';
import { useLost, useServices, useView } from '../pane/services.ts';
import type { Overview } from './answers.ts';
import { overviewUrl } from './answers.ts';
import { Cost } from './Cost.tsx';
import { Details } from './Details.tsx';
import { Figure } from './Figure.tsx';
import { Growth } from './Growth.tsx';
import { BudgetList, LabelList, MetricList, RuleList, SenderList } from './Lists.tsx';
import { printCount, printShare } from './numbers.ts';
import { EXPLORER_SHORTCUTS, FIRST_COST, useExplorerKeys } from './use-explorer-keys.ts';
import { useRefreshed } from './use-refreshed.ts';

const MOUSE = 'Click a metric or a label for what is known of it.';

/** What was offered, what is stored of it, and what governance did with the rest. */
export function ExplorerPage() {
  const view = useView();
  const [search, setSearch] = useState('');
  const help = useExplorerKeys();
  const lostMs = useLost();
  return (
    <div className="page explorer">
      <header className="bar">
        <Brand page="cardinality" />
        <Views />
        <input
          className="input explorer-search"
          type="search"
          data-search=""
          placeholder={view.costBy ? 'Search values and labels  /' : 'Search metrics and labels  /'}
          aria-label={view.costBy ? 'Search values and labels' : 'Search metrics and labels'}
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <span className="bar-space" />
        {lostMs !== undefined ? (
          <span className="lost" role="alert">
            No answer since {formatClock(lostMs)}
          </span>
        ) : null}
        <ThemeButton />
        <button
          type="button"
          className="button quiet icon"
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts (?)"
          onClick={() => help.set(true)}
        >
          ?
        </button>
      </header>
      {view.costBy ? <Cost by={view.costBy} search={search} /> : <Series search={search} />}
      {view.subject ? <Details subject={view.subject} /> : null}
      {help.open ? <HelpDialog shortcuts={EXPLORER_SHORTCUTS} mouse={MOUSE} onClose={() => help.set(false)} /> : null}
    </div>
  );
}

/** Whether the page tells series or cost. */
function Views() {
  const { view } = useServices();
  const { costBy } = useView();
  return (
    <fieldset className="segments explorer-views" aria-label="What is told">
      <button
        type="button"
        className="segment"
        aria-pressed={costBy === undefined}
        onClick={() => view.change({ costBy: undefined }, true)}
      >
        Series
      </button>
      <button
        type="button"
        className="segment"
        title="Bytes by team, service and so on, and what each label would save (S)"
        aria-pressed={costBy !== undefined}
        onClick={() => view.change({ costBy: costBy ?? FIRST_COST }, true)}
      >
        Cost
      </button>
    </fieldset>
  );
}

function Series({ search }: { readonly search: string }) {
  const [growth, setGrowth] = useState<'day' | 'month'>('day');
  const { value, error } = useRefreshed<Overview>(overviewUrl(search, growth));
  if (value) return <Explorer overview={value} growth={growth} setGrowth={setGrowth} />;
  return (
    <div className="page-message" role={error ? 'alert' : 'status'}>
      <strong>{error ? 'The counts can’t be shown' : 'Counting'}</strong>
      {error ? <p>{error}</p> : null}
    </div>
  );
}

interface ExplorerProps {
  readonly overview: Overview;
  readonly growth: 'day' | 'month';
  readonly setGrowth: (growth: 'day' | 'month') => void;
}

function Explorer({ overview, growth, setGrowth }: ExplorerProps) {
  const { offered, stored, metricCount, metrics, labels, rules, senders, budgets } = overview;
  return (
    <main className="explorer-body" aria-label="Cardinality">
      <section className="summary" aria-label="The whole">
        <dl className="figures">
          <Figure
            name="Series offered"
            value={printCount(offered)}
            note={`since ${sinceText(overview.sinceMs)}, about 1 % off`}
          />
          <Figure
            name="Series stored"
            value={printCount(stored)}
            note={`${printShare(stored, offered)} of those offered`}
          />
          <Figure name="Removed or folded" value={printCount(overview.leaking)} note="times; the series are added up" />
          <Figure
            name="Refused"
            value={printCount(overview.refused)}
            tone={overview.refused > 0 ? 'error' : undefined}
            note="times; the sender was told"
          />
          <PolicyFigure policy={overview.policy} />
        </dl>
        <div className="growth-head">
          <h2>Growth</h2>
          <span className="growth-key" data-series="offered">
            offered
          </span>
          <span className="growth-key" data-series="stored">
            stored
          </span>
          <fieldset className="segments" aria-label="Time of the growth">
            {(['day', 'month'] as const).map((span) => (
              <button
                key={span}
                type="button"
                className="segment"
                aria-pressed={growth === span}
                onClick={() => setGrowth(span)}
              >
                {span === 'day' ? '24h' : '30d'}
              </button>
            ))}
          </fieldset>
        </div>
        <Growth points={overview.growth} />
      </section>
      <div className="lists">
        <MetricList metrics={metrics} count={metricCount} />
        <LabelList labels={labels} />
        <div className="lists-column">
          <RuleList rules={rules} />
          <SenderList senders={senders} />
          <BudgetList budgets={budgets} />
        </div>
      </div>
    </main>
  );
}

function PolicyFigure({ policy }: { readonly policy: Overview['policy'] }) {
  const { files, generation, loadedMs, error } = policy;
  const from = files.length === 0 ? 'the conventions' : (files[files.length - 1].split('/').pop() ?? '');
  const note = error
    ? `not read again at ${formatClock(error.ms)}: ${error.message}`
    : `${generation > 1 ? `number ${generation}, ` : ''}read at ${formatClock(loadedMs)}`;
  return (
    <div className="figure figure-policy" title={error ? error.message : files.join(', ')}>
      <dt>Policy</dt>
      <dd>
        <strong data-tone={error ? 'error' : undefined}>{from}</strong>
        <span className={error ? 'figure-error' : 'note'}>{note}</span>
      </dd>
    </div>
  );
}

function sinceText(ms: number): string {
  const isToday = new Date(ms).toDateString() === new Date().toDateString();
  return isToday ? formatClock(ms) : new Date(ms).toLocaleDateString('en-CA');
}
