import { useLayoutEffect, useState, useSyncExternalStore } from 'react';
import { type ChartTheme, readTheme } from '../chart/theme.ts';
import type { ThemeChoice } from '../view/url-state.ts';

const darkQuery = matchMedia('(prefers-color-scheme: dark)');

function subscribeSystem(listener: () => void): () => void {
  darkQuery.addEventListener('change', listener);
  return () => darkQuery.removeEventListener('change', listener);
}

/** Puts the chosen theme, or the system's, on the page, and gives charts its colours. */
export function useTheme(choice: ThemeChoice): ChartTheme {
  const systemIsDark = useSyncExternalStore(subscribeSystem, () => darkQuery.matches);
  const name = choice === 'auto' ? (systemIsDark ? 'dark' : 'light') : choice;
  const [theme, setTheme] = useState(() => applyTheme(name));
  useLayoutEffect(() => setTheme(applyTheme(name)), [name]);
  return theme;
}

function applyTheme(name: 'light' | 'dark'): ChartTheme {
  document.documentElement.dataset.theme = name;
  return readTheme(name);
}
