import type { CSSProperties } from 'react';
import { formatCount, formatValue } from '../data/format.ts';
import { useServices } from '../pane/services.ts';
import { type CostAnswer, type CostRow, costUrl, printGrowth, printMoney, type SavingRow } from './cost-answer.ts';
import { Figure } from './Figure.tsx';
import { List } from './Lists.tsx';
import { printCount, printShare } from './numbers.ts';
import { useRefreshed } from './use-refreshed.ts';

const SIGNALS = [
  { kind: 'metrics', name: 'metrics', of: (row: CostRow) => row.metricBytesPerDay },
  { kind: 'logs', name: 'logs', of: (row: CostRow) => row.logBytesPerDay },
  { kind: 'spans', name: 'spans', of: (row: CostRow) => row.spanBytesPerDay },
] as const;

/** Growth from which a row is marked: half as much again. */
const STEEP = 1.5;

/** What is stored by the values of one label, and what each label would save. */
export function Cost({ by, search }: { readonly by: string; readonly search: string }) {
  const { value, error } = useRefreshed<CostAnswer>(costUrl(by));
  if (!value) {
    return (
      <div className="page-message" role={error ? 'alert' : 'status'}>
        <strong>{error ? 'The cost can’t be shown' : 'Counting'}</strong>
        {error ? <p>{error}</p> : null}
      </div>
    );
  }
  const wanted = search.toLowerCase();
  const isWanted = (...names: string[]) => names.some((name) => name.toLowerCase().includes(wanted));
  return (
    <main className="explorer-body" aria-label="Cost">
      <CostSummary cost={value} by={by} />
      <div className="lists cost-lists">
        <CostList cost={value} rows={value.rows.filter((row) => isWanted(row.value))} />
        <SavingList savings={value.savings.filter(({ metrics, label }) => isWanted(metrics, label))} />
      </div>
    </main>
  );
}

function CostSummary({ cost, by }: { readonly cost: CostAnswer; readonly by: string }) {
  const { view } = useServices();
  const { total, price, coveredHours, bytesPerSample, isMeasured } = cost;
  const covered = coveredHours >= 24 ? 'over the last day' : `from the last ${printHours(coveredHours)}`;
  const growth = total.weekAgo
    ? `${printGrowth(total.bytesPerDay, total.weekAgo.bytesPerDay)} in a week`
    : 'no week to compare with yet';
  return (
    <section className="summary" aria-label="The whole">
      <dl className="figures">
        <Figure name="Stored a day" value={formatValue(total.bytesPerDay, 'bytes')} note={covered} />
        <Figure
          name="Growth"
          value={total.weekAgo ? growth.split(' in')[0] : '–'}
          note={total.weekAgo ? 'in a week' : growth}
        />
        <Figure
          name="Samples a minute"
          value={formatCount(total.samplesPerMinute)}
          note={`${bytesPerSample.toPrecision(2)} bytes each, ${isMeasured ? 'measured' : 'assumed so far'}`}
        />
        <Figure name="Series stored" value={printCount(total.series)} note="of all metrics, the fleet level too" />
        <Figure
          name="A month"
          value={price && total.moneyPerMonth !== null ? printMoney(total.moneyPerMonth, price.currency) : '–'}
          note={
            price ? `${price.perGibMonth} ${price.currency} a GiB, once retention is full` : 'set cost.per_gib_month'
          }
        />
      </dl>
      <div className="growth-head">
        <h2>By</h2>
        <fieldset className="segments cost-by" aria-label="Label that cost is told by">
          {cost.labels.map((label) => (
            <button
              key={label}
              type="button"
              className="segment"
              aria-pressed={label === by}
              onClick={() => view.change({ costBy: label }, true)}
            >
              {label.replace('_', ' ')}
            </button>
          ))}
        </fieldset>
        <span className="bar-space" />
        {SIGNALS.map(({ kind, name }) => (
          <span key={kind} className="cost-key" data-signal={kind}>
            {name}
          </span>
        ))}
      </div>
    </section>
  );
}

function CostList({ cost, rows }: { readonly cost: CostAnswer; readonly rows: readonly CostRow[] }) {
  const largest = Math.max(...cost.rows.map(({ bytesPerDay }) => bytesPerDay), 0);
  const money = cost.price?.currency;
  const columns = ['by bytes a day', '', 'a day', 'share', 'in a week', 'series', money ? 'a month' : 'samples/min'];
  return (
    <List
      id="cost"
      title={`Cost by ${cost.by.replace('_', ' ')}`}
      note={cost.isBounded ? 'values past 200 are (others)' : undefined}
      columns={columns}
      empty="Nothing of that name was stored."
      isEmpty={rows.length === 0}
    >
      {rows.map((row) => (
        <CostLine key={row.value} row={row} largest={largest} currency={money} />
      ))}
      {cost.rest ? (
        <CostLine
          row={{ ...cost.rest, value: `${printCount(cost.rest.values)} more` }}
          largest={largest}
          currency={money}
        />
      ) : null}
    </List>
  );
}

interface CostLineProps {
  readonly row: CostRow;
  readonly largest: number;
  readonly currency: string | undefined;
}

function CostLine({ row, largest, currency }: CostLineProps) {
  const { value, series, samplesPerMinute, bytesPerDay, share, weekAgo, moneyPerMonth } = row;
  const parts = SIGNALS.map(({ name, of }) => `${formatValue(of(row), 'bytes')} of ${name}`).join(', ');
  const isSteep = weekAgo !== null && weekAgo.bytesPerDay > 0 && bytesPerDay > STEEP * weekAgo.bytesPerDay;
  return (
    <li>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: rows of every list are gone through by the arrow keys. */}
      <div className="list-row" data-row="" tabIndex={0} title={`${value}: ${parts}`}>
        <span className="row-name" data-unowned={value.startsWith('(') ? '' : undefined}>
          {value}
        </span>
        <span className="cost-bar" aria-hidden="true">
          {SIGNALS.map(({ kind, of }) => (
            <i
              key={kind}
              data-signal={kind}
              style={{ '--part': `${largest > 0 ? (of(row) / largest) * 100 : 0}%` } as CSSProperties}
            />
          ))}
        </span>
        <b>{formatValue(bytesPerDay, 'bytes')}</b>
        <span>{printShare(share, 1)}</span>
        <span data-tone={isSteep ? 'warning' : undefined} className={weekAgo ? undefined : 'note'}>
          {weekAgo ? printGrowth(bytesPerDay, weekAgo.bytesPerDay) : '–'}
        </span>
        <span>{printCount(series)}</span>
        <span>
          {currency && moneyPerMonth !== null ? printMoney(moneyPerMonth, currency) : formatCount(samplesPerMinute)}
        </span>
      </div>
    </li>
  );
}

function SavingList({ savings }: { readonly savings: readonly SavingRow[] }) {
  const { view } = useServices();
  return (
    <List
      id="savings"
      title="Without a label"
      note="estimates; they don’t add up"
      columns={['label and metrics', 'fewer series', 'saves']}
      empty="No label makes series that would join without it."
      isEmpty={savings.length === 0}
    >
      {savings.map(({ metrics, label, saved, share }) => (
        <li key={`${metrics} ${label}`}>
          <button
            type="button"
            data-row=""
            className="list-row"
            aria-label={`Dropping ${label} from ${metrics} saves ${printShare(share, 1)} of its series`}
            onClick={() => view.change({ subject: { kind: 'label', name: label } }, true)}
          >
            <i className="row-bar" style={{ width: `${Math.min(1, share) * 100}%` }} />
            <span className="row-name">
              {label} <span className="note">from {metrics}</span>
            </span>
            <span>{printCount(saved)}</span>
            <b>{printShare(share, 1)}</b>
          </button>
        </li>
      ))}
    </List>
  );
}

function printHours(hours: number): string {
  return hours < 1 ? `${Math.max(1, Math.round(hours * 60))} min` : `${hours.toFixed(hours < 10 ? 1 : 0)} h`;
}
