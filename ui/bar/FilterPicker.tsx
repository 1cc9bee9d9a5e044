import { useCallback, useState } from 'react';
import { labelValues } from '../api/prometheus.ts';
import { useLoaded, useServices, useView } from '../pane/services.ts';
import type { TimeWindow } from '../view/range.ts';
import { Popover } from './Popover.tsx';

interface FilterPickerProps {
  readonly label: string;
  /** Whether GPUs' series carry the label in its own sense. */
  readonly ofGpus: boolean;
  readonly window: TimeWindow;
}

/** A button that says what a label is filtered by, and a sheet to choose from its values. */
export function FilterPicker({ label, ofGpus, window }: FilterPickerProps) {
  const { filters } = useView();
  const [open, setOpen] = useState(false);
  const close = useCallback(() => setOpen(false), []);
  const chosen = filters[label] ?? [];
  const text = chosen.length === 0 ? '' : chosen.length === 1 ? chosen[0] : `${chosen.length} of them`;
  return (
    <div className="picker">
      <button
        type="button"
        data-filter={label}
        className="button filter"
        aria-haspopup="dialog"
        aria-expanded={open}
        data-active={chosen.length > 0 ? '' : undefined}
        title={chosen.join(', ') || `Filter by ${label}`}
        onClick={() => setOpen(!open)}
      >
        <span className="filter-name">{label}</span>
        {text ? <span className="filter-value">{text}</span> : null}
      </button>
      {open ? (
        <Popover label={`Filter by ${label}`} onClose={close}>
          <FilterValues label={label} ofGpus={ofGpus} window={window} chosen={chosen} />
        </Popover>
      ) : null}
    </div>
  );
}

interface FilterValuesProps extends FilterPickerProps {
  readonly chosen: readonly string[];
}

/** From this many values on there is a box to search them. */
const SEARCH_FROM = 9;

function FilterValues({ label, ofGpus, window, chosen }: FilterValuesProps) {
  const { queue, view, colors } = useServices();
  const [search, setSearch] = useState('');
  // The range at opening is enough; a list that changes under the pointer would be worse than one 5 s old.
  const [{ fromSeconds, toSeconds }] = useState(window);
  const loaded = useLoaded(label, (signal) =>
    labelValues(queue, label, Math.floor(fromSeconds), Math.ceil(toSeconds), ofGpus, signal),
  );
  if (loaded.kind === 'loading') return <p className="popover-note">Loading…</p>;
  if (loaded.kind === 'failed') {
    return (
      <p className="popover-note" role="alert">
        {loaded.message}{' '}
        <button type="button" className="button" onClick={loaded.retry}>
          Try again
        </button>
      </p>
    );
  }
  // A chosen value that no series has in this range stays in sight, or it could not be taken back.
  const values = [...new Set([...loaded.value, ...chosen])].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const shown = values.filter((value) => value.toLowerCase().includes(search.toLowerCase()));
  const toggle = (value: string) => {
    const next = chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value];
    const filters = { ...view.get().filters };
    if (next.length > 0) filters[label] = next;
    else delete filters[label];
    view.change({ filters }, true);
  };
  return (
    <>
      {values.length >= SEARCH_FROM ? (
        <input
          className="input"
          placeholder="Search values"
          aria-label="Search values"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
      ) : null}
      {values.length === 0 ? <p className="popover-note">No series carries {label} in this range.</p> : null}
      <ul className="choices">
        {shown.map((value, i) => (
          <li key={value}>
            <label className="choice">
              <input
                type="checkbox"
                // biome-ignore lint/a11y/noAutofocus: the sheet was just opened to choose.
                autoFocus={i === 0 && values.length < SEARCH_FROM}
                checked={chosen.includes(value)}
                onChange={() => toggle(value)}
              />
              <i className="choice-color" style={{ background: `var(--${colors.color(label, value)})` }} />
              <span>{value}</span>
            </label>
          </li>
        ))}
      </ul>
    </>
  );
}
