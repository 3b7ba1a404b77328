import { removeUpload, retryUpload, type UploadEntry } from '../../api/upload';
import { callHref } from '../../app/router';
import { useI18n } from '../../i18n';
import { IconButton } from '../../ui/Button';
import { Icon, type IconName } from '../../ui/Icon';

const ICONS: Record<UploadEntry['state'], { icon: IconName; className: string }> = {
  waiting: { icon: 'clock', className: 'text-ink-faint' },
  sending: { icon: 'upload', className: 'text-accent' },
  accepted: { icon: 'check', className: 'text-good' },
  duplicate: { icon: 'info', className: 'text-fair' },
  failed: { icon: 'warning', className: 'text-bad' },
};

export function UploadItem({ entry }: { entry: UploadEntry }) {
  const { t, fmt, errorText } = useI18n();
  const name = entry.file.name;
  const look = ICONS[entry.state];
  const retriable = entry.error?.code === 'network' || entry.error?.code === 'internal' || entry.error?.code === 'storage_full';
  return (
    <li data-testid="upload-item" data-state={entry.state} className="rounded-lg bg-sunken/60 py-1.5 pr-1 pl-2.5">
      <div className="flex items-center gap-2">
        <Icon name={look.icon} className={`size-[1.1rem] ${look.className}`} />
        <div className="min-w-0 flex-1">
          <p className="truncate font-medium" title={name}>
            {name}
          </p>
          <p className={`text-[0.82rem] ${entry.state === 'failed' ? 'text-bad' : 'text-ink-soft'}`}>
            {entry.state === 'waiting' && t.upload.waiting}
            {entry.state === 'sending' && (entry.sent < 1 ? t.upload.sending(fmt.percent(Math.floor(entry.sent * 100))) : t.upload.finishing)}
            {entry.state === 'accepted' && `${t.upload.accepted} · ${fmt.bytes(entry.file.size)}`}
            {entry.state === 'duplicate' && t.upload.duplicate}
            {entry.state === 'failed' && entry.error && errorText(entry.error)}
            {entry.callId && entry.state !== 'waiting' && (
              <>
                {' · '}
                <a href={callHref(entry.callId)} className="font-medium text-accent underline underline-offset-2">
                  {t.upload.openCall}
                </a>
              </>
            )}
          </p>
        </div>
        {entry.state === 'failed' && retriable && (
          <IconButton icon="retry" label={t.upload.retryFile(name)} onClick={() => retryUpload(entry.key)} />
        )}
        <IconButton icon="close" label={t.upload.removeFile(name)} onClick={() => removeUpload(entry.key)} />
      </div>
      {entry.state === 'sending' && (
        <div
          role="progressbar"
          aria-label={t.upload.progressOf(name)}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.floor(entry.sent * 100)}
          className="mt-1.5 mr-1.5 h-1 overflow-hidden rounded-full bg-line"
        >
          <div className="h-full rounded-full bg-accent transition-[width]" style={{ width: `${entry.sent * 100}%` }} />
        </div>
      )}
    </li>
  );
}
