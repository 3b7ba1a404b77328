import { useId, useState } from 'react';
import { useDynamics } from '../../api/reviews';
import type { Dynamics, PeriodStep } from '../../api/types';
import { useI18n } from '../../i18n';
import { Icon } from '../../ui/Icon';
import { OperatorCombobox } from '../../ui/OperatorCombobox';
import { Segmented } from '../../ui/Segmented';
import { EmptyState, ErrorState, Loading } from '../../ui/States';
import { isoDay } from '../../ui/periods';
import { allStarts } from './scale';
import { Chart, LOOKS, Swatch, type Line } from './Chart';
import { Section } from './Section';

const STEPS = ['day', 'week', 'month'] as const;
/** How far back each step looks: about as many periods as a chart shows well. */
const DAYS_BACK: Record<PeriodStep, number> = { day: 30, week: 90, month: 365 };
const OVERALL = 'overall';

/** Mean percents by period, operators compared. */
export function DynamicsSection() {
  const { t, fmt, nameOf, lang } = useI18n();
  const id = useId();
  const [step, setStep] = useState<PeriodStep>('week');
  const [operators, setOperators] = useState<string[]>([]);
  const [draft, setDraft] = useState('');
  const [measure, setMeasure] = useState(OVERALL);
  const [today] = useState(() => new Date());
  const from = new Date(today.getFullYear(), today.getMonth(), today.getDate() - DAYS_BACK[step]);
  const asked = operators.length > 0 ? operators : [''];
  const answers = useDynamics(asked, { from: isoDay(from), step });
  const failed = answers.find((answer) => answer.isError);
  const pending = answers.some((answer) => answer.isPending);
  const known = answers.flatMap((answer, index) => (answer.data ? [{ operator: asked[index] ?? '', data: answer.data }] : []));
  const starts = allStarts(known.map(({ data }) => data.periods));
  const criteria = new Map(
    known.flatMap(({ data }) => data.periods.flatMap((period) => period.criteria.map((one) => [one.key, one] as const))),
  );
  const chosen = criteria.has(measure) ? measure : OVERALL;
  const lines: Line[] = known.map(({ operator, data }) => ({ name: operator || t.quality.everybody, ...values(data, starts, chosen) }));
  const points = lines.flatMap((line) => line.values).filter((value) => value != null).length;
  const dayFormat = new Intl.DateTimeFormat(lang === 'ru' ? 'ru-RU' : 'en-GB', step === 'month' ? { month: 'short', year: '2-digit' } : { day: 'numeric', month: 'short' });
  // A first day is a day of the calendar, not a moment: it is read and written in one zone.
  const short = (start: string) => dayFormat.format(new Date(`${start}T00:00:00`));
  const long = (start: string) => (step === 'week' ? t.quality.weekOf(short(start)) : short(start));

  function add(name: string) {
    const clean = name.trim();
    setDraft('');
    if (clean && !operators.includes(clean) && operators.length < LOOKS.length) setOperators([...operators, clean]);
  }

  return (
    <Section title={t.quality.dynamics} testId="dynamics">
      <p className="mb-3 text-ink-soft">{t.quality.dynamicsText(known[0]?.data.time_zone ?? t.common.dash)}</p>
      <div className="flex flex-wrap items-end gap-3">
        <Segmented
          legend={t.quality.step}
          testId="dynamics-step"
          value={step}
          onChange={(next) => setStep(next)}
          options={STEPS.map((value) => ({ value, label: t.quality.steps[value] }))}
        />
        <div className="min-w-44 flex-1 sm:max-w-60">
          <label htmlFor={`${id}-measure`} className="sr-only">
            {t.quality.measure}
          </label>
          <select id={`${id}-measure`} className="field" value={chosen} onChange={(event) => setMeasure(event.target.value)}>
            <option value={OVERALL}>{t.quality.overall}</option>
            {[...criteria.values()].map((one) => (
              <option key={one.key} value={one.key}>
                {nameOf(one)}
              </option>
            ))}
          </select>
        </div>
        <div className="min-w-52 flex-1 sm:max-w-64">
          {operators.length < LOOKS.length ? (
            <OperatorCombobox
              label={t.quality.addOperator}
              hideLabel
              placeholder={t.quality.addOperator}
              value={draft}
              onChange={setDraft}
              onCommit={add}
            />
          ) : (
            <p className="py-2 text-ink-faint">{t.quality.mostOperators(LOOKS.length)}</p>
          )}
        </div>
      </div>
      <ul className="mt-3 flex flex-wrap gap-2" data-testid="dynamics-lines">
        {lines.map((line, index) => (
          <li key={line.name} className="inline-flex h-8 items-center gap-1.5 rounded-full border border-line px-2.5 text-[0.9rem]">
            <Swatch index={index} />
            {line.name}
            {operators.length > 0 && (
              <button
                type="button"
                aria-label={t.quality.removeOperator(line.name)}
                className="-mr-1 inline-flex size-6 items-center justify-center rounded-full text-ink-faint hover:text-ink"
                onClick={() => setOperators(operators.filter((name) => name !== line.name))}
              >
                <Icon name="close" className="size-3.5" />
              </button>
            )}
          </li>
        ))}
      </ul>
      {failed ? (
        <ErrorState title={t.quality.dynamicsError} error={failed.error} onRetry={() => void Promise.all(answers.map((answer) => answer.refetch()))} />
      ) : pending ? (
        <Loading />
      ) : points === 0 ? (
        <EmptyState icon="calls" title={t.quality.dynamicsEmpty} text={t.quality.dynamicsEmptyText} />
      ) : (
        <>
          <Chart lines={lines} labels={starts.map(short)} titles={starts.map(long)} />
          {points === 1 && <p className="text-[0.88rem] text-ink-faint">{t.quality.onePoint}</p>}
          <details className="mt-2" data-testid="dynamics-table">
            <summary className="w-fit rounded font-medium text-accent">{t.quality.asTable}</summary>
            <div className="mt-2 overflow-x-auto">
              <table className="min-w-72 border-collapse text-left">
                <caption className="sr-only">{t.quality.dynamics}</caption>
                <thead className="border-b border-line text-[0.85rem] text-ink-soft">
                  <tr>
                    <th scope="col" className="py-1.5 pr-4 font-medium">
                      {t.quality.period}
                    </th>
                    {lines.map((line) => (
                      <th key={line.name} scope="col" className="px-3 py-1.5 text-right font-medium">
                        {line.name}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody className="divide-y divide-line">
                  {starts.map((start, at) => (
                    <tr key={start}>
                      <th scope="row" className="py-1.5 pr-4 font-normal whitespace-nowrap">
                        {long(start)}
                      </th>
                      {lines.map((line) => (
                        <td key={line.name} className="tabular px-3 py-1.5 text-right whitespace-nowrap">
                          {fmt.percent(line.values[at])}{' '}
                          <span className="text-[0.82rem] text-ink-faint">{line.calls[at] ? t.quality.calls(line.calls[at]) : t.quality.noCalls}</span>
                        </td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </details>
        </>
      )}
    </Section>
  );
}

function values(data: Dynamics, starts: readonly string[], measure: string) {
  const periods = new Map(data.periods.map((period) => [period.start, period]));
  const found = starts.map((start) => periods.get(start));
  return {
    values: found.map((period) =>
      measure === OVERALL ? period?.overall_percent : period?.criteria.find((one) => one.key === measure)?.percent,
    ),
    calls: found.map((period) => period?.scored ?? 0),
  };
}
