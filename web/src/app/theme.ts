/** Light, dark or as the system has it; kept in the browser. */
import { createStore } from '../api/store';

export type Theme = 'light' | 'dark' | 'auto';

const STORAGE_KEY = 'call-analytics.theme';
const systemDark = globalThis.matchMedia?.('(prefers-color-scheme: dark)');

function savedTheme(): Theme {
  try {
    const saved = localStorage.getItem(STORAGE_KEY);
    return saved === 'light' || saved === 'dark' ? saved : 'auto';
  } catch {
    return 'auto';
  }
}

export const themeStore = createStore<Theme>(savedTheme());

export function setTheme(theme: Theme): void {
  themeStore.set(theme);
  try {
    localStorage.setItem(STORAGE_KEY, theme);
  } catch {
    // Kept until the page is closed.
  }
}

function apply(): void {
  const theme = themeStore.get();
  const dark = theme === 'dark' || (theme === 'auto' && systemDark?.matches === true);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
}

/** Run once, before the first render. */
export function startTheme(): void {
  apply();
  themeStore.subscribe(apply);
  systemDark?.addEventListener('change', apply);
}
