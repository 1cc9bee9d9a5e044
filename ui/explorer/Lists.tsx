import type { ReactNode } from 'react';
import { useServices, useView } from '../pane/services.ts';
import type { BudgetRow, LabelRow, MetricRow, RuleRow, SenderRow } from './answers.ts';
import { barShare, curvePath, printCount, printShare } from './numbers.ts';

interface ListProps {
  readonly id: string;
  readonly title: string;
  readonly note?: string;
  /** Names of the columns, the first on the left. */
  readonly columns: readonly string[];
  readonly empty: string;
  readonly isEmpty: boolean;
  readonly children: ReactNode;
}

/** A list with its heading and the names of its columns. */
export function List({ id, title, note, columns, empty, isEmpty, children }: ListProps) {
  return (
    <section className="list" data-list={id} aria-labelledby={`list-${id}`}>
      <header className="list-head">
        <h2 id={`list-${id}`}>{title}</h2>
        {note ? <span className="note">{note}</span> : null}
      </header>
      {isEmpty ? (
        <p className="list-empty">{empty}</p>
      ) : (
        <>
          <div className="list-columns" aria-hidden="true">
            {columns.map((column) => (
              <span key={column}>{column}</span>
            ))}
          </div>
          <ul className="list-rows" data-rows={id}>
            {children}
          </ul>
        </>
      )}
    </section>
  );
}

interface SubjectRowProps {
  readonly kind: 'metric' | 'label';
  readonly name: string;
  readonly share: number;
  /** What is read out; the columns are for the eye. */
  readonly label: string;
  readonly children: ReactNode;
}

/** A row that leads to a metric or a label. */
function SubjectRow({ kind, name, share, label, children }: SubjectRowProps) {
  const { view } = useServices();
  const { subject } = useView();
  const isOpen = subject?.kind === kind && subject.name === name;
  return (
    <li>
      <button
        type="button"
        data-row=""
        className="list-row"
        aria-label={label}
        aria-pressed={isOpen}
        onClick={() => view.change({ subject: isOpen ? undefined : { kind, name } }, true)}
      >
        <i className="row-bar" style={{ width: `${share * 100}%` }} />
        <span className="row-name" title={name}>
          {name}
        </span>
        {children}
      </button>
    </li>
  );
}

/** Metrics by what was offered of them. */
export function MetricList({ metrics, count }: { readonly metrics: readonly MetricRow[]; readonly count: number }) {
  const largest = Math.max(0, ...metrics.map(({ offered }) => offered));
  return (
    <List
      id="metrics"
      title="Metrics"
      note={count > metrics.length ? `${printCount(metrics.length)} of ${printCount(count)}` : printCount(count)}
      columns={['by offered series', '24 h', 'offered', 'stored']}
      empty="No metric of that name was offered."
      isEmpty={metrics.length === 0}
    >
      {metrics.map((row) => (
        <SubjectRow
          key={row.name}
          kind="metric"
          name={row.name}
          share={barShare(row.offered, largest)}
          label={`${row.name}: ${row.offered} series offered, ${row.stored} stored`}
        >
          <Spark hourly={row.hourly} />
          <b data-tone={row.offered > 10 * row.stored && row.offered > 100 ? 'warning' : undefined}>
            {printCount(row.offered)}
          </b>
          <span>{printCount(row.stored)}</span>
        </SubjectRow>
      ))}
    </List>
  );
}

function Spark({ hourly }: { readonly hourly: readonly number[] }) {
  const points = hourly.map((y, x) => ({ x, y }));
  return (
    <svg className="spark" viewBox="0 0 48 14" aria-hidden="true">
      <path d={curvePath(points, 48, 13, Math.max(...hourly, 1))} />
    </svg>
  );
}

/** Labels by their distinct values. */
export function LabelList({ labels }: { readonly labels: readonly LabelRow[] }) {
  const largest = Math.max(0, ...labels.map(({ values }) => values));
  return (
    <List
      id="labels"
      title="Labels"
      columns={['by distinct values', 'values', 'removed', 'folded']}
      empty="No label of that name was offered."
      isEmpty={labels.length === 0}
    >
      {labels.map((row) => (
        <SubjectRow
          key={row.name}
          kind="label"
          name={row.name}
          share={barShare(row.values, largest)}
          label={`${row.name}: ${row.values} values offered, removed ${row.removed} times, folded ${row.folded} times`}
        >
          <b>{printCount(row.values)}</b>
          <Amount count={row.removed} />
          <Amount count={row.folded} tone="warning" />
        </SubjectRow>
      ))}
    </List>
  );
}

function Amount({ count, tone }: { readonly count: number; readonly tone?: 'warning' | 'error' }) {
  if (count === 0) return <span className="note">–</span>;
  return <span data-tone={tone}>{printCount(count)}</span>;
}

/** What was done, by rule and label, and who sent it. */
export function RuleList({ rules }: { readonly rules: readonly RuleRow[] }) {
  return (
    <List
      id="rules"
      title="What was done"
      columns={['rule and label', 'most from', 'times', 'series']}
      empty="Nothing was removed, folded or refused."
      isEmpty={rules.length === 0}
    >
      {rules.map(({ rule, action, label, count, series, senders, metrics }) => (
        <li key={`${rule} ${label}`}>
          <div
            className="list-row"
            title={`On ${metrics.map(({ value }) => value).join(', ')}; from ${senders.map(({ value }) => value).join(', ')}`}
          >
            <span className="row-name">
              <em data-tone={action === 'refused' ? 'error' : action === 'folded' ? 'warning' : undefined}>{action}</em>{' '}
              {label === '' ? rule : label}
              {label === '' || label === rule ? null : <span className="note"> by {rule}</span>}
            </span>
            <span className="row-sender">{senders[0]?.value}</span>
            <span>{printCount(count)}</span>
            <b>{printCount(series)}</b>
          </div>
        </li>
      ))}
    </List>
  );
}

/** Who sent, those who leak first. */
export function SenderList({ senders }: { readonly senders: readonly SenderRow[] }) {
  return (
    <List
      id="senders"
      title="Senders"
      columns={['by job or service', 'way', 'offered', 'leaking', 'refused']}
      empty="Nobody has sent a series yet."
      isEmpty={senders.length === 0}
    >
      {senders.map(({ source, name, offered, leaking, refused }) => (
        <li key={`${source} ${name}`}>
          <div className="list-row">
            <span className="row-name" title={name}>
              {name}
            </span>
            <span className="note">{WAYS[source] ?? source}</span>
            <b>{printCount(offered)}</b>
            <Amount count={leaking} tone="warning" />
            <Amount count={refused} tone="error" />
          </div>
        </li>
      ))}
    </List>
  );
}

const WAYS: Readonly<Record<string, string>> = { otlp: 'OTLP', remote_write: 'remote write', scrape: 'scrape' };

/** Budgets past half of what they allow. */
export function BudgetList({ budgets }: { readonly budgets: readonly BudgetRow[] }) {
  return (
    <List
      id="budgets"
      title="Budgets"
      note="past half"
      columns={['label on metric', '', 'values']}
      empty="No budget is half used up."
      isEmpty={budgets.length === 0}
    >
      {budgets.map(({ metric, label, used, budget }) => (
        <li key={`${metric} ${label}`}>
          <div className="list-row" title={`${label} on ${metric}: ${used} of ${budget} values`}>
            <span className="row-name">
              {label} <span className="note">{metric}</span>
            </span>
            <meter
              min={0}
              max={budget}
              value={used}
              data-tone={used >= budget ? 'error' : used >= 0.8 * budget ? 'warning' : undefined}
              style={{ '--share': `${Math.min(1, used / budget) * 100}%` } as React.CSSProperties}
            >
              {printShare(used, budget)}
            </meter>
            <span data-tone={used >= budget ? 'error' : undefined}>
              {printCount(used)} of {printCount(budget)}
            </span>
          </div>
        </li>
      ))}
    </List>
  );
}
