import { useCallback, useState } from 'react';
import { formatClock, formatDay } from '../data/format.ts';
import { useServices, useView } from '../pane/services.ts';
import { RANGE_PRESETS, type TimeWindow } from '../view/range.ts';
import { Popover } from './Popover.tsx';

/** Presets, the range that is shown, and a sheet for any other. */
export function RangePicker({ window }: { readonly window: TimeWindow }) {
  const { view: store } = useServices();
  const view = useView();
  const [open, setOpen] = useState(false);
  const close = useCallback(() => setOpen(false), []);
  return (
    <div className="range">
      <fieldset className="segments" aria-label="Range">
        {RANGE_PRESETS.map(({ label, spanSeconds }) => (
          <button
            key={label}
            type="button"
            className="segment"
            aria-pressed={view.range.kind === 'last' && view.range.spanSeconds === spanSeconds}
            onClick={() => store.change({ range: { kind: 'last', spanSeconds }, live: true }, true)}
          >
            {label}
          </button>
        ))}
      </fieldset>
      <div className="picker">
        <button
          type="button"
          className="button range-text"
          aria-haspopup="dialog"
          aria-expanded={open}
          title="Choose any range"
          onClick={() => setOpen(!open)}
        >
          {describe(window)}
        </button>
        {open ? (
          <Popover label="Range" align="end" onClose={close}>
            <CustomRange window={window} onDone={close} />
          </Popover>
        ) : null}
      </div>
    </div>
  );
}

/** `10:15–11:15`, with days where the range isn't within today. */
function describe({ fromSeconds, toSeconds }: TimeWindow): string {
  const [from, to] = [fromSeconds * 1000, toSeconds * 1000];
  const sameDay = new Date(from).toDateString() === new Date(to).toDateString();
  const today = new Date(to).toDateString() === new Date().toDateString();
  if (sameDay && today) return `${formatClock(from).slice(0, 5)} – ${formatClock(to).slice(0, 5)}`;
  if (sameDay) return `${formatDay(from)} – ${formatClock(to).slice(0, 5)}`;
  return `${formatDay(from)} – ${formatDay(to)}`;
}

interface CustomRangeProps {
  readonly window: TimeWindow;
  readonly onDone: () => void;
}

function CustomRange({ window, onDone }: CustomRangeProps) {
  const { view } = useServices();
  const [from, setFrom] = useState(() => toInput(window.fromSeconds * 1000));
  const [to, setTo] = useState(() => toInput(window.toSeconds * 1000));
  const [fromMs, toMs] = [new Date(from).getTime(), new Date(to).getTime()];
  const valid = fromMs < toMs;
  return (
    <form
      className="custom-range"
      onSubmit={(event) => {
        event.preventDefault();
        if (!valid) return;
        view.zoom({ kind: 'fixed', fromMs, toMs });
        onDone();
      }}
    >
      <label>
        From
        <input
          className="input"
          type="datetime-local"
          step="1"
          value={from}
          onChange={(e) => setFrom(e.target.value)}
        />
      </label>
      <label>
        To
        <input className="input" type="datetime-local" step="1" value={to} onChange={(e) => setTo(e.target.value)} />
      </label>
      {valid ? null : <p className="popover-note">The range must end after it starts.</p>}
      <button type="submit" className="button" disabled={!valid}>
        Show
      </button>
    </form>
  );
}

/** Local time as an input of dates wants it. */
function toInput(ms: number): string {
  const offsetMs = new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - offsetMs).toISOString().slice(0, 19);
}
