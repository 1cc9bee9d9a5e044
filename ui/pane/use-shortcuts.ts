import { useEffect, useState } from 'react';
import { useLatest } from '../chart/react-hooks.ts';
import { RANGE_PRESETS, scaledRange, shiftedRange, type TimeWindow } from '../view/range.ts';
import type { ViewStore } from '../view/store.ts';
import { useServices } from './services.ts';

/** The keys that work anywhere on the pane, as the help lists them. */
export const SHORTCUTS: readonly (readonly [keys: string, what: string])[] = [
  ['1 2 3 4', 'Last 15 minutes, hour, 6 hours, 24 hours'],
  ['L', 'Live on or off'],
  ['F', 'Go to the filters'],
  ['[  ]', 'Half a range back or forward (also Shift ← →)'],
  ['+  −', 'Zoom in or out around the middle'],
  ['Esc', 'Close what is open, then back to the range before the zoom'],
  ['C', 'Cardinality: what was offered, and what governance did with it'],
  ['T', 'Light or dark'],
  ['Tab', 'From panel to panel'],
  ['← →', 'In a panel: move the cursor (Alt: by ten)'],
  ['Enter', 'In a panel: logs and traces of the moment under the cursor'],
  ['↑ ↓', 'In a trace: from span to span'],
  ['?', 'This help'],
];

/** Listens to the keys, and holds whether their help is open. */
export function useShortcuts(window: TimeWindow): { open: boolean; set: (open: boolean) => void } {
  const { view } = useServices();
  const [open, set] = useState(false);
  const latest = useLatest({ window, open });
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.defaultPrevented) return;
      if (event.target instanceof HTMLElement && event.target.closest('input, textarea, [role="listbox"]')) return;
      if (event.key === 'Escape' && latest.current.open) set(false);
      else if (event.key === '?') set(!latest.current.open);
      else if (!act(event, view, latest.current.window)) return;
      event.preventDefault();
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, [view, latest]);
  return { open, set };
}

/** Does what a key says; false where it says nothing. */
function act(event: KeyboardEvent, view: ViewStore, window: TimeWindow): boolean {
  const state = view.get();
  const preset = /^[1-9]$/.test(event.key) ? RANGE_PRESETS[Number(event.key) - 1] : undefined;
  if (preset) {
    view.change({ range: { kind: 'last', spanSeconds: preset.spanSeconds }, live: true }, true);
    return true;
  }
  const arrow = event.shiftKey && event.key.startsWith('Arrow') ? event.key : '';
  switch (arrow || event.key) {
    case 'l':
      if (state.range.kind === 'fixed') view.change({ range: { kind: 'last', spanSeconds: 3600 }, live: true }, true);
      else view.change({ live: !state.live });
      return true;
    case 'f':
      document.querySelector<HTMLElement>('[data-filter]')?.focus();
      return true;
    case 'c':
      view.change({ page: 'cardinality' }, true);
      return true;
    case 't':
      view.change({ theme: document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark' });
      return true;
    case '[':
    case 'ArrowLeft':
      view.change({ range: shiftedRange(window, -0.5) }, true);
      return true;
    case ']':
    case 'ArrowRight':
      view.change({ range: shiftedRange(window, 0.5) }, true);
      return true;
    case '+':
    case '=':
      view.zoom(scaledRange(window, 0.5));
      return true;
    case '-':
      view.zoom(scaledRange(window, 2));
      return true;
    case 'Escape':
      if (state.traceId) view.change({ traceId: undefined });
      else if (state.moment) view.change({ moment: undefined });
      else return view.zoomBack();
      return true;
    default:
      return false;
  }
}
