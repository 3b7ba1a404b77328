import { useId } from 'react';
import type { Averages, Levels } from '../../api/types';
import { useI18n } from '../../i18n';
import { ScoreBar, ScoreText } from '../../ui/score';

interface Props {
  averages: Averages | undefined;
  levels: Levels | undefined;
  /** Shows the calls of one level. */
  onLevel(level: string): void;
  total: number | undefined;
  filtered: boolean;
  failed: boolean;
}

/** The averages over everything the filters let through, not over the page of the table. */
export function SummaryCards({ averages, levels, total, filtered, failed, onLevel }: Props) {
  const { t, fmt, nameOf } = useI18n();
  const titleId = useId();
  if (!averages) {
    return (
      <section aria-labelledby={titleId} className="card flex flex-col p-4 sm:p-6">
        <h2 id={titleId} className="font-semibold">
          {t.summary.title}
        </h2>
        {!failed && (
          <div aria-hidden="true" className="mt-4 grid flex-1 gap-4 sm:grid-cols-2">
            <div className="skeleton min-h-32" />
            <div className="skeleton min-h-32" />
          </div>
        )}
      </section>
    );
  }
  return (
    <section aria-labelledby={titleId} data-testid="summary" className="card flex flex-col p-4 sm:p-6">
      <div className="flex flex-wrap items-baseline justify-between gap-x-3">
        <h2 id={titleId} className="font-semibold">
          {t.summary.title}
        </h2>
        <p className="text-ink-faint">{filtered ? t.summary.filtered : t.summary.allTime}</p>
      </div>
      <div className="mt-3 grid flex-1 items-stretch gap-x-10 gap-y-5 sm:grid-cols-[minmax(0,4fr)_minmax(0,5fr)]">
        <div className="flex flex-col justify-center">
          <p className="text-ink-soft">{t.summary.overall}</p>
          <ScoreText percent={averages.overall_percent} className="text-[3.4rem] leading-[1.15] font-semibold tracking-tight" />
          <ScoreBar percent={averages.overall_percent} className="mt-2 h-2.5" />
          <p className="mt-4 flex flex-wrap items-baseline gap-x-1.5 gap-y-1 text-ink-soft">
            {t.summary.calls}
            <span className="tabular text-lg font-semibold text-ink">{fmt.number(total)}</span>
            <span className="ml-4 text-ink-faint">
              {averages.scored > 0 ? t.summary.scored(averages.scored) : t.summary.notScored}
            </span>
          </p>
        </div>
        <ul className="flex flex-col justify-center gap-4 border-line sm:border-l sm:pl-10">
          {averages.criteria.map((criterion) => (
            <li key={criterion.key}>
              <div className="flex items-baseline justify-between gap-3">
                <span className="min-w-0 truncate font-medium">{nameOf(criterion)}</span>
                <ScoreText percent={criterion.percent} className="text-xl font-semibold" />
              </div>
              <ScoreBar percent={criterion.percent} className="mt-1 h-2" />
            </li>
          ))}
        </ul>
      </div>
      {levels && <LevelCounts levels={levels} onLevel={onLevel} />}
    </section>
  );
}

/** How much was done for the calls; silent where all were treated alike. */
function LevelCounts({ levels, onLevel }: { levels: Levels; onLevel(level: string): void }) {
  const { t, fmt } = useI18n();
  const counts = [levels.full, levels.rules, levels.unseparated, levels.unheard];
  if (counts.filter((count) => count > 0).length < 2) return null;
  return (
    <ul data-testid="levels" className="mt-4 flex flex-wrap gap-x-5 gap-y-1 border-t border-line pt-3 text-[0.9rem]">
      {counts.map((count, index) =>
        count === 0 ? null : (
          <li key={index}>
            <button type="button" className="rounded text-ink-soft underline-offset-4 hover:underline" onClick={() => onLevel(String(index + 1))}>
              {t.levels.short[index]}: <span className="tabular font-medium text-ink">{fmt.number(count)}</span>
            </button>
          </li>
        ),
      )}
    </ul>
  );
}
