/** Short news at the corner of the page, read out by screen readers. */
import { createStore, useStore } from '../api/store';
import { useI18n } from '../i18n';
import { Icon } from './Icon';

interface Toast {
  key: number;
  tone: 'good' | 'bad';
  text: string;
}

const SHOWN_MS = { good: 4000, bad: 8000 };
const store = createStore<readonly Toast[]>([]);
let nextKey = 1;

export function toast(text: string, tone: Toast['tone'] = 'good'): void {
  const key = nextKey++;
  store.set([...store.get().filter((other) => other.text !== text), { key, tone, text }].slice(-3));
  setTimeout(() => dismiss(key), SHOWN_MS[tone]);
}

function dismiss(key: number): void {
  store.set(store.get().filter((shown) => shown.key !== key));
}

export function Toasts() {
  const { t } = useI18n();
  const toasts = useStore(store);
  return (
    <div
      aria-live="polite"
      role="status"
      className="pointer-events-none fixed inset-x-4 bottom-28 z-50 flex flex-col items-center gap-2 sm:items-end"
    >
      {toasts.map((item) => (
        <div
          key={item.key}
          className="toast-in pointer-events-auto flex max-w-md items-center gap-2.5 rounded-xl border border-line bg-surface py-2 pr-2 pl-3.5 shadow-high"
        >
          <Icon
            name={item.tone === 'good' ? 'check' : 'warning'}
            className={`size-5 ${item.tone === 'good' ? 'text-good' : 'text-bad'}`}
          />
          <span>{item.text}</span>
          <button
            type="button"
            aria-label={t.common.close}
            className="inline-flex size-8 items-center justify-center rounded-lg text-ink-faint hover:bg-sunken"
            onClick={() => dismiss(item.key)}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
