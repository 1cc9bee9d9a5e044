import { useEffect, useState } from 'react';
import { useLatest } from '../chart/react-hooks.ts';
import { useServices } from '../pane/services.ts';

/** The keys of the page, as its help lists them. */
export const EXPLORER_SHORTCUTS: readonly (readonly [keys: string, what: string])[] = [
  ['/', 'Search metrics and labels'],
  ['↑ ↓', 'From row to row of a list'],
  ['Tab', 'From list to list'],
  ['Enter', 'Show the metric or label of the row'],
  ['Esc', 'Close what is open, then back to the pane'],
  ['S', 'Series, or cost by team and service'],
  ['C', 'Back to the pane'],
  ['T', 'Light or dark'],
  ['?', 'This help'],
];

/** The label by which cost is told first. */
export const FIRST_COST = 'team';

/** Listens to the keys, and holds whether their help is open. */
export function useExplorerKeys(): { readonly open: boolean; readonly set: (open: boolean) => void } {
  const { view } = useServices();
  const [open, set] = useState(false);
  const isOpen = useLatest(open);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const target = event.target instanceof HTMLElement ? event.target : undefined;
      const isTyping = target?.closest('input') !== null && target !== undefined;
      switch (event.key) {
        case 'Escape':
          if (isTyping) target?.blur();
          else if (isOpen.current) set(false);
          else if (view.get().subject) view.change({ subject: undefined }, true);
          else view.change({ page: undefined }, true);
          break;
        case 'ArrowDown':
        case 'ArrowUp':
          if (!moveInList(target, event.key === 'ArrowDown' ? 1 : -1)) return;
          break;
        case '/':
          if (isTyping) return;
          document.querySelector<HTMLElement>('[data-search]')?.focus();
          break;
        case '?':
          if (isTyping) return;
          set(!isOpen.current);
          break;
        case 's':
          if (isTyping) return;
          view.change({ costBy: view.get().costBy ? undefined : FIRST_COST }, true);
          break;
        case 'c':
          if (isTyping) return;
          view.change({ page: undefined, subject: undefined }, true);
          break;
        case 't':
          if (isTyping) return;
          view.change({ theme: document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark' });
          break;
        default:
          return;
      }
      event.preventDefault();
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, [view, isOpen]);
  return { open, set };
}

/** Puts the focus on the row after or before, where a row of a list has it; from the search to the first row. */
function moveInList(target: HTMLElement | undefined, by: number): boolean {
  const list =
    target?.closest('[data-rows]') ?? (target?.matches('[data-search]') ? document.querySelector('[data-rows]') : null);
  if (!list) return false;
  const rows = [...list.querySelectorAll<HTMLElement>('[data-row]')];
  const at = rows.indexOf(target as HTMLElement);
  rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
  return rows.length > 0;
}
