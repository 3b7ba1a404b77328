import type { Analysis } from '../../api/types';
import { useI18n } from '../../i18n';

const TONES: Record<Analysis['state'], string> = {
  running: 'bg-accent-soft text-accent',
  done: 'bg-good-soft text-good',
  cancelled: 'bg-sunken text-ink-soft',
  out_of_budget: 'bg-fair-soft text-fair',
};

/** An analysis in a few words: what was asked, and how far it is. */
export function AnalysisLine({ analysis }: { analysis: Analysis }) {
  const { t, fmt } = useI18n();
  const words = t.questions.many;
  return (
    <>
      <p className="font-medium break-words">{analysis.question}</p>
      <p className="mt-0.5 flex flex-wrap items-center gap-x-2 text-[0.88rem] text-ink-soft">
        <span data-testid="analysis-state" data-state={analysis.state} className={`rounded px-1.5 text-[0.8rem] font-medium ${TONES[analysis.state]}`}>
          {words.states[analysis.state]}
        </span>
        <span className="tabular">{words.progress(fmt.number(analysis.done), fmt.number(analysis.calls))}</span>
        <span>{words.counts(analysis.answered, fmt.number(analysis.confirmed))}</span>
        {analysis.cost > 0 && <span>{words.spent(fmt.number(analysis.cost, 2))}</span>}
        <span className="text-ink-faint">{words.askedBy(analysis.asked_by, fmt.dateTime(analysis.asked_at))}</span>
      </p>
    </>
  );
}
