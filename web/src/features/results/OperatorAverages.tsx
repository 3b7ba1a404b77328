import { useId, useMemo, useState } from 'react';
import { useOperatorAverages } from '../../api/calls';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { ScoreBar, ScorePill, ScoreText } from '../../ui/score';
import { toQuery, type Filters } from './filters';

const SHOWN_AT_FIRST = 6;

interface Props {
  filters: Filters;
  onPick(operator: string): void;
}

/** The operators side by side, the lowest average first; a click shows the calls of one. */
export function OperatorAverages({ filters, onPick }: Props) {
  const { t, nameOf } = useI18n();
  const titleId = useId();
  const [expanded, setExpanded] = useState(false);
  // The order and the page of the list do not change the averages.
  const query = useMemo(() => {
    const { sort: _sort, page: _page, ...rest } = toQuery(filters);
    return rest;
  }, [filters]);
  const rows = useOperatorAverages(query);
  if (rows.length < 2) return null;

  const sorted = rows.toSorted((a, b) => (a.averages.overall_percent ?? 101) - (b.averages.overall_percent ?? 101));
  const shown = expanded ? sorted : sorted.slice(0, SHOWN_AT_FIRST);
  const hidden = sorted.length - shown.length;
  return (
    <section aria-labelledby={titleId} data-testid="operator-averages" className="card p-4 sm:p-6">
      <div className="mb-3 flex flex-wrap items-baseline justify-between gap-x-3">
        <h2 id={titleId} className="font-semibold">
          {t.summary.byOperator}
        </h2>
        <p className="text-ink-faint">{t.summary.byOperatorHint}</p>
      </div>
      <ul className="grid gap-x-10 md:grid-cols-2">
        {shown.map(({ operator, total, averages }) => (
          <li key={operator} className="border-t border-line">
            <button
              type="button"
              title={t.summary.only(operator)}
              className="grid w-full grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-1 rounded-lg px-2 py-2.5 text-left hover:bg-sunken/60 sm:grid-cols-[minmax(0,1fr)_minmax(0,1fr)_auto]"
              onClick={() => onPick(operator)}
            >
              <span className="min-w-0">
                <span className="block truncate font-medium">{operator}</span>
                <span className="block text-[0.85rem] text-ink-faint">{t.operatorField.calls(total)}</span>
              </span>
              <span className="order-last col-span-2 grid grid-cols-3 gap-3 sm:order-none sm:col-span-1">
                {averages.criteria.map((criterion) => (
                  <span key={criterion.key} className="min-w-0" title={nameOf(criterion)}>
                    <span className="block truncate text-[0.75rem] text-ink-faint">{nameOf(criterion)}</span>
                    <ScoreText percent={criterion.percent} className="block text-[0.87rem] font-medium" />
                    <ScoreBar percent={criterion.percent} className="mt-0.5 h-1" />
                  </span>
                ))}
              </span>
              <ScorePill percent={averages.overall_percent} />
            </button>
          </li>
        ))}
      </ul>
      {(hidden > 0 || expanded) && (
        <Button kind="ghost" size="sm" className="mt-2" onClick={() => setExpanded(!expanded)}>
          {hidden > 0 ? t.progress.showAll(hidden) : t.progress.collapse}
        </Button>
      )}
    </section>
  );
}
