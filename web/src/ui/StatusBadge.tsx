import type { CallStatus } from '../api/types';
import { useI18n } from '../i18n';
import { Icon, type IconName } from './Icon';

const LOOKS: Record<CallStatus, { icon: IconName; className: string }> = {
  queued: { icon: 'clock', className: 'bg-sunken text-ink-soft' },
  processing: { icon: 'retry', className: 'bg-accent-soft text-accent' },
  completed: { icon: 'check', className: 'bg-good-soft text-good' },
  failed: { icon: 'warning', className: 'bg-bad-soft text-bad' },
  cancelled: { icon: 'minus', className: 'bg-sunken text-ink-soft' },
  no_speech: { icon: 'mute', className: 'bg-fair-soft text-fair' },
};

export function StatusBadge({ status }: { status: CallStatus }) {
  const { t } = useI18n();
  const look = LOOKS[status];
  return (
    <span
      data-status={status}
      className={`inline-flex h-6 items-center gap-1 rounded-full px-2 text-[0.8rem] font-medium whitespace-nowrap ${look.className}`}
    >
      {status === 'processing' ? (
        <span className="spinner mr-0.5 text-[0.75rem]" aria-hidden="true" />
      ) : (
        <Icon name={look.icon} className="size-3.5" />
      )}
      {t.status[status]}
    </span>
  );
}
