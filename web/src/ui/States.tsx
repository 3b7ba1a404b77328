/** What stands in for content: nothing yet, still coming, went wrong. And the notice above it. */
import type { ReactNode } from 'react';
import { ApiError } from '../api/client';
import { useI18n } from '../i18n';
import { Button } from './Button';
import { Icon, type IconName } from './Icon';

export function useErrorText(): (error: unknown) => string {
  const { errorText, t } = useI18n();
  return (error) => (error instanceof ApiError ? errorText(error) : t.errors.unexpected);
}

export function EmptyState(props: { icon: IconName; title: string; text: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center px-6 py-14 text-center">
      <span className="mb-4 inline-flex size-14 items-center justify-center rounded-2xl bg-accent-soft text-accent">
        <Icon name={props.icon} className="size-7" />
      </span>
      <h2 className="text-lg font-semibold">{props.title}</h2>
      <p className="mt-1 max-w-md text-ink-soft">{props.text}</p>
      {props.children && <div className="mt-5 flex flex-wrap justify-center gap-2">{props.children}</div>}
    </div>
  );
}

export function ErrorState({ title, error, onRetry }: { title: string; error: unknown; onRetry(): void }) {
  const { t } = useI18n();
  const text = useErrorText();
  return (
    <div role="alert" className="flex flex-col items-center px-6 py-14 text-center">
      <span className="mb-4 inline-flex size-14 items-center justify-center rounded-2xl bg-bad-soft text-bad">
        <Icon name="warning" className="size-7" />
      </span>
      <h2 className="text-lg font-semibold">{title}</h2>
      <p className="mt-1 max-w-md text-ink-soft">{text(error)}</p>
      <Button className="mt-5" icon="retry" onClick={onRetry}>
        {t.common.retry}
      </Button>
    </div>
  );
}

const TONES = {
  info: 'bg-accent-soft text-accent',
  fair: 'bg-fair-soft text-fair',
  bad: 'bg-bad-soft text-bad',
};

export function Notice(props: { tone: keyof typeof TONES; icon?: IconName; children: ReactNode; action?: ReactNode }) {
  return (
    <div className={`flex items-start gap-2.5 rounded-xl px-3.5 py-2.5 ${TONES[props.tone]}`}>
      <Icon name={props.icon ?? (props.tone === 'info' ? 'info' : 'warning')} className="mt-0.5 size-[1.15rem]" />
      <div className="min-w-0 flex-1">{props.children}</div>
      {props.action}
    </div>
  );
}

export function Loading() {
  const { t } = useI18n();
  return (
    <div role="status" className="flex items-center justify-center gap-2.5 py-20 text-ink-soft">
      <span className="spinner text-xl" aria-hidden="true" />
      {t.common.loading}
    </div>
  );
}
