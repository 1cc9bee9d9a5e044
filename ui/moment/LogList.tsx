import { useState } from 'react';
import { formatClockMs } from '../data/format.ts';
import { useServices } from '../pane/services.ts';
import type { ShownLine } from './log-line.ts';

/** Log lines, newest first; one that is opened shows all its fields and labels. */
export function LogList({ lines }: { readonly lines: readonly ShownLine[] }) {
  const [opened, setOpened] = useState<string>();
  return (
    <ol className="log-list">
      {lines.map((line) => (
        <LogItem
          key={line.key}
          line={line}
          open={opened === line.key}
          onToggle={() => setOpened(opened === line.key ? undefined : line.key)}
        />
      ))}
    </ol>
  );
}

interface LogItemProps {
  readonly line: ShownLine;
  readonly open: boolean;
  readonly onToggle: () => void;
}

function LogItem({ line, open, onToggle }: LogItemProps) {
  const { view } = useServices();
  const { traceId } = line;
  return (
    <li className="log" data-level={line.level}>
      <button type="button" className="log-line" aria-expanded={open} onClick={onToggle}>
        <time>{formatClockMs(line.timeMs)}</time>
        <span className="log-level" title={line.level}>
          {line.level === 'info' || line.level === 'debug' ? '' : line.level === 'error' ? 'E' : 'W'}
        </span>
        <span className="log-text" data-prose={line.prose ? '' : undefined}>
          {line.text ? <b>{open ? line.whole : line.text}</b> : null}
          {line.fields.map(([name, value]) => (
            <span key={name} className="field">
              <i>{name}</i>={value}
            </span>
          ))}
        </span>
      </button>
      {open ? (
        <div className="log-more">
          {traceId ? (
            <button type="button" className="button" onClick={() => view.change({ traceId }, true)}>
              Open its trace
            </button>
          ) : null}
          <dl className="facts">
            {[...line.fields, ...Object.entries(line.labels)].map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </div>
      ) : null}
    </li>
  );
}
