import { STAGES, type CallStatus, type Stage } from '../../api/types';
import { useI18n } from '../../i18n';
import { Icon } from '../../ui/Icon';
import { stageStates, type StageState } from './stages';

const DOT: Record<StageState, string> = {
  waiting: 'border-2 border-line bg-surface text-ink-faint',
  active: 'bg-accent text-accent-ink',
  done: 'bg-good-soft text-good',
  failed: 'bg-bad-soft text-bad',
};
const TEXT: Record<StageState, string> = {
  waiting: 'text-ink-faint',
  active: 'text-accent font-medium',
  done: 'text-ink-soft',
  failed: 'text-bad font-medium',
};

/** The five named steps of a call, each waiting, running, done or failed. */
export function Stages({ status, stage }: { status: CallStatus; stage: Stage | null | undefined }) {
  const { t } = useI18n();
  const states = stageStates(status, stage);
  return (
    <ol aria-label={t.progress.stagesLabel} className="flex flex-wrap items-center gap-x-1.5 gap-y-1 sm:grid sm:grid-cols-5 sm:gap-x-3">
      {STAGES.map((name) => {
        const state = states[name];
        return (
          <li
            key={name}
            data-testid={`stage-${name}`}
            data-state={state}
            className={`flex min-w-0 items-center gap-1.5 text-[0.85rem] ${TEXT[state]}`}
          >
            <span aria-hidden="true" className={`inline-flex size-5 shrink-0 items-center justify-center rounded-full ${DOT[state]}`}>
              {state === 'done' && <Icon name="check" className="size-3.5" />}
              {state === 'failed' && <Icon name="close" className="size-3.5" />}
              {state === 'active' && <span className="pulse-dot size-2 rounded-full bg-current" />}
            </span>
            {/* On a narrow screen only the stage that matters now has its name beside it. */}
            <span
              className={`min-w-0 truncate ${state === 'active' || state === 'failed' ? 'mr-1.5' : 'max-sm:sr-only'}`}
              title={t.stages[name]}
            >
              {t.stages[name]}
            </span>
            <span className="sr-only">: {t.stageStates[state]}</span>
          </li>
        );
      })}
    </ol>
  );
}

export function OverallBar({ progress, failed }: { progress: number; failed: boolean }) {
  const { t } = useI18n();
  const percent = Math.round(Math.max(0, Math.min(1, progress)) * 100);
  return (
    <div
      role="progressbar"
      aria-label={t.progress.overall}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      className="h-1.5 overflow-hidden rounded-full bg-sunken"
    >
      <div
        className={`h-full rounded-full transition-[width] duration-300 ${failed ? 'bg-bad-fill' : 'bg-accent'}`}
        style={{ width: `${percent}%` }}
      />
    </div>
  );
}
