import type { CallDetail } from '../../api/types';
import { useI18n } from '../../i18n';
import { Icon, type IconName } from '../../ui/Icon';
import { OverallBar, Stages } from '../progress/Stages';

/** Says where a call stands when it is anything but completed. */
export function CallState({ detail }: { detail: CallDetail }) {
  const { t, errorText } = useI18n();
  const { call } = detail;
  const kept = detail.transcript ? ` ${t.detail.keptTranscript}` : '';
  switch (call.status) {
    case 'completed':
      return null;
    case 'queued':
    case 'processing':
      return (
        <section role="status" data-testid="call-state" className="card p-4 sm:p-5">
          <p className="mb-2 font-medium">
            {call.status === 'queued' ? t.detail.queuedTitle : t.detail.workingTitle}
            <span className="ml-2 font-normal text-ink-soft">{t.detail.workingText}</span>
          </p>
          <OverallBar progress={call.progress} failed={false} />
          <div className="mt-2.5">
            <Stages status={call.status} stage={call.stage} />
          </div>
        </section>
      );
    case 'failed': {
      const stage = call.stage ? t.detail.failedAtStage(t.stages[call.stage]) : '';
      return (
        <Banner tone="bad" icon="warning" title={t.detail.failedTitle} text={`${call.error ? errorText(call.error) : ''} ${stage}${kept}${call.level === 4 ? ` ${t.levels.of(4)} ${t.levels.long[3]}` : ''}`}>
          <Stages status={call.status} stage={call.stage} />
        </Banner>
      );
    }
    case 'cancelled':
      return <Banner tone="quiet" icon="minus" title={t.detail.cancelledTitle} text={`${t.detail.cancelledText}${kept}`} />;
    case 'no_speech':
      return <Banner tone="fair" icon="mute" title={t.detail.noSpeechTitle} text={t.detail.noSpeechText} />;
  }
}

const TONES = { bad: 'bg-bad-soft text-bad', fair: 'bg-fair-soft text-fair', quiet: 'bg-sunken text-ink-soft' };

interface BannerProps {
  tone: keyof typeof TONES;
  icon: IconName;
  title: string;
  text: string;
  children?: React.ReactNode;
}

function Banner({ tone, icon, title, text, children }: BannerProps) {
  return (
    <section data-testid="call-state" className="card flex gap-4 p-4 sm:p-5">
      <span className={`inline-flex size-11 shrink-0 items-center justify-center rounded-xl ${TONES[tone]}`}>
        <Icon name={icon} className="size-6" />
      </span>
      <div className="min-w-0 flex-1">
        <h2 className="font-semibold">{title}</h2>
        <p className="text-ink-soft">{text.trim()}</p>
        {children && <div className="mt-3">{children}</div>}
      </div>
    </section>
  );
}
