import { formatSeconds } from '../data/format.ts';
import { stageTitle } from './stages.ts';
import type { WaterfallRow } from './waterfall.ts';

/** Everything that the chosen span says. */
export function SpanDetails({ row }: { readonly row: WaterfallRow }) {
  const { span } = row;
  const facts: [string, string][] = [
    ['stage', stageTitle(row.stage)],
    ['starts at', formatSeconds(span.startNs / 1e9)],
    ['duration', formatSeconds(span.durationNs / 1e9)],
    ['self time', formatSeconds(row.selfNs / 1e9)],
    ['status', span.failed ? 'error' : 'ok or unset'],
  ];
  return (
    <section className="span-details" aria-label={`Span ${span.name}`} aria-live="polite">
      <h3>
        {span.name} <span className="note">{row.derived ? 'from the engine’s attributes' : span.service}</span>
      </h3>
      <div className="span-columns">
        <Facts title="Span" facts={facts} />
        <Facts title="Attributes" facts={Object.entries(span.attributes).map(([k, v]) => [k, String(v)])} />
        <Facts title="Resource" facts={Object.entries(span.resource).map(([k, v]) => [k, String(v)])} />
        {span.events.length > 0 ? (
          <Facts
            title="Events"
            facts={span.events.map((event, i) => [`${i + 1}. ${event.name}`, `at ${formatSeconds(event.atNs / 1e9)}`])}
          />
        ) : null}
      </div>
    </section>
  );
}

function Facts({ title, facts }: { readonly title: string; readonly facts: readonly (readonly [string, string])[] }) {
  return (
    <div>
      <h4>{title}</h4>
      {facts.length === 0 ? <p className="note">none</p> : null}
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
