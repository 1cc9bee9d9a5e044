import { Drawer } from '../moment/Drawer.tsx';
import { useServices } from '../pane/services.ts';
import type { Subject } from '../view/url-state.ts';
import { detailUrl, type LabelDetail, type MetricDetail } from './answers.ts';
import { List, RuleList } from './Lists.tsx';
import { barShare, printCount } from './numbers.ts';
import { useRefreshed } from './use-refreshed.ts';

/** A metric or a label in detail. */
export function Details({ subject }: { readonly subject: Subject }) {
  const { view } = useServices();
  const { value, error } = useRefreshed<MetricDetail | LabelDetail>(detailUrl(subject.kind, subject.name));
  // What came before the subject changed is about another one.
  const shown = value?.name === subject.name ? value : undefined;
  return (
    <Drawer
      title={subject.name}
      subtitle={subject.kind}
      label={`The ${subject.kind} ${subject.name}`}
      onClose={() => view.change({ subject: undefined }, true)}
    >
      {error && !shown ? (
        <p className="drawer-note" role="alert">
          {error}
        </p>
      ) : null}
      {!shown && !error ? <p className="drawer-note">Loading…</p> : null}
      {shown && 'top' in shown ? <LabelDetails label={shown} /> : null}
      {shown && !('top' in shown) ? <MetricDetails metric={shown} /> : null}
    </Drawer>
  );
}

function Go({ kind, name }: { readonly kind: 'metric' | 'label'; readonly name: string }) {
  const { view } = useServices();
  return (
    <button
      type="button"
      className="row-link"
      data-row=""
      onClick={() => view.change({ subject: { kind, name } }, true)}
    >
      {name}
    </button>
  );
}

function MetricDetails({ metric }: { readonly metric: MetricDetail }) {
  const largest = Math.max(0, ...metric.labels.map(({ values }) => values));
  return (
    <>
      <p className="drawer-note">
        {printCount(metric.offered)} series offered, {printCount(metric.stored)} stored; something was removed or folded{' '}
        {printCount(metric.leaking)} times, and {printCount(metric.refused)} times it was refused.
      </p>
      <List
        id="metric-labels"
        title="Its labels"
        columns={['by distinct values', 'offered', 'kept', 'budget', 'removed', 'folded']}
        empty="It came without labels."
        isEmpty={metric.labels.length === 0}
      >
        {metric.labels.map(({ name, values, kept, budget, removed, folded, fate }) => (
          <li key={name}>
            <div className="list-row">
              <i className="row-bar" style={{ width: `${barShare(values, largest) * 100}%` }} />
              <span className="row-name">
                <Go kind="label" name={name} />
                <span className="note"> {fateText(fate)}</span>
              </span>
              <b>{printCount(values)}</b>
              <span data-tone={kept >= budget ? 'error' : undefined}>
                {fate.kind === 'kept' ? printCount(kept) : '–'}
              </span>
              <span className="note">{fate.kind === 'kept' ? printCount(budget) : '–'}</span>
              <span>{removed === 0 ? '–' : printCount(removed)}</span>
              <span>{folded === 0 ? '–' : printCount(folded)}</span>
            </div>
          </li>
        ))}
      </List>
    </>
  );
}

function fateText(fate: MetricDetail['labels'][number]['fate']): string {
  switch (fate.kind) {
    case 'kept':
      return '';
    case 'renamed':
      return `becomes ${fate.to?.join(' and ')}`;
    case 'removed':
      return `removed by ${fate.rule}`;
  }
}

function LabelDetails({ label }: { readonly label: LabelDetail }) {
  const largest = Math.max(0, ...label.metrics.map(({ values }) => values));
  return (
    <>
      <p className="drawer-note">
        {printCount(label.values)} distinct values offered; {printCount(label.stored)} stored series carry it.
      </p>
      {label.rules.length > 0 ? <RuleList rules={label.rules} /> : null}
      <List
        id="label-values"
        title="Values that are kept"
        columns={['by stored series', 'series']}
        empty="None: it is removed everywhere."
        isEmpty={label.top.length === 0}
      >
        {label.top.map(({ value, count, error }) => (
          <li key={value}>
            <div className="list-row">
              <i className="row-bar" style={{ width: `${barShare(count, label.top[0].count) * 100}%` }} />
              <span className="row-name">{value}</span>
              <span>
                {error > 0 ? '≤ ' : ''}
                {printCount(count)}
              </span>
            </div>
          </li>
        ))}
      </List>
      <List
        id="label-metrics"
        title="On these metrics"
        columns={['by distinct values', 'values', 'removed', 'folded']}
        empty="None."
        isEmpty={label.metrics.length === 0}
      >
        {label.metrics.map(({ name, values, removed, folded }) => (
          <li key={name}>
            <div className="list-row">
              <i className="row-bar" style={{ width: `${barShare(values, largest) * 100}%` }} />
              <span className="row-name">
                <Go kind="metric" name={name} />
              </span>
              <b>{printCount(values)}</b>
              <span>{removed === 0 ? '–' : printCount(removed)}</span>
              <span>{folded === 0 ? '–' : printCount(folded)}</span>
            </div>
          </li>
        ))}
      </List>
    </>
  );
}
