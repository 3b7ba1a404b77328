import { useId, useState } from 'react';
import { useAgreement } from '../../api/reviews';
import type { Agreement, Engine, ItemAgreement, Pairs } from '../../api/types';
import { useI18n } from '../../i18n';
import { OperatorFilter, PeriodSelect, Range } from '../../ui/filterFields';
import { EmptyState, ErrorState, Loading, Notice } from '../../ui/States';
import { Icon } from '../../ui/Icon';
import { dayMoment } from '../../ui/periods';
import { Section } from './Section';
import { kappaMeaning } from './kappa';

const ENGINES = ['all', 'rules', 'model'] as const;
const VERDICTS = ['met', 'failed', 'not_applicable'] as const;

/** Where there is no kappa, a share below this is worth a look. */
const LOW_SHARE = 0.7;

/** Share of equal verdicts and kappa of each item, the worst first. */
export function AgreementSection() {
  const { t } = useI18n();
  const id = useId();
  const [days, setDays] = useState({ from: '', to: '' });
  const [custom, setCustom] = useState(false);
  const [operator, setOperator] = useState('');
  const [engine, setEngine] = useState<Engine | 'all'>('all');
  // Days of the reader, as in the list of calls.
  const first = dayMoment(days.from, 'start');
  const last = dayMoment(days.to, 'end');
  const query = useAgreement({
    ...(operator && { operator }),
    ...(first && { from: first }),
    ...(last && { to: last }),
    ...(engine !== 'all' && { engine }),
  });
  const data = query.data;
  return (
    <Section title={t.quality.agreement} testId="agreement">
      <p className="mb-3 max-w-3xl text-ink-soft">{t.quality.agreementText}</p>
      <div className="grid gap-2 sm:grid-cols-3">
        <PeriodSelect
          from={days.from}
          to={days.to}
          custom={custom}
          onCustom={setCustom}
          onDays={(next) => {
            setCustom(false);
            setDays(next);
          }}
        />
        <OperatorFilter key={operator} value={operator} onCommit={setOperator} />
        <div>
          <label htmlFor={`${id}-engine`} className="sr-only">
            {t.quality.engine}
          </label>
          <select id={`${id}-engine`} className="field" value={engine} onChange={(event) => setEngine(event.target.value as Engine | 'all')}>
            {ENGINES.map((value) => (
              <option key={value} value={value}>
                {t.quality.engines[value]}
              </option>
            ))}
          </select>
        </div>
        {custom && (
          <Range
            title={t.filters.period}
            type="date"
            names={[t.filters.dateFrom, t.filters.dateTo]}
            values={[days.from, days.to]}
            onValues={(from, to) => setDays({ from, to })}
          />
        )}
      </div>
      {query.isPending && <Loading />}
      {query.isError && <ErrorState title={t.quality.agreementError} error={query.error} onRetry={() => void query.refetch()} />}
      {data && data.items.length === 0 && <EmptyState icon="check" title={t.quality.agreementEmpty} text={t.quality.agreementEmptyText} />}
      {data && data.items.length > 0 && <AgreementTable data={data} stale={query.isPlaceholderData} />}
    </Section>
  );
}

function AgreementTable({ data, stale }: { data: Agreement; stale: boolean }) {
  const { t } = useI18n();
  const head = 'px-2 py-2 font-medium text-ink-soft max-sm:px-1 max-sm:text-[0.78rem]';
  return (
    <div className={stale ? 'opacity-60' : ''}>
      <p className="mt-3 text-[0.9rem] text-ink-soft">{t.quality.sample(data.calls, data.confirmed, data.changed)}</p>
      {data.confirmed === 0 && (
        <div className="mt-2">
          <Notice tone="fair">{t.quality.onlyChanged}</Notice>
        </div>
      )}
      <div className="mt-2 overflow-x-auto">
        <table data-testid="agreement-table" className="w-full border-collapse text-left max-sm:text-[0.9rem]">
          <caption className="sr-only">{t.quality.agreement}</caption>
          <thead className="border-b border-line text-[0.85rem]">
            <tr>
              <th scope="col" className={head}>
                {t.quality.columns.item}
              </th>
              <th scope="col" className={`${head} text-right`}>
                {t.quality.columns.n}
              </th>
              <th scope="col" className={`${head} text-right`}>
                {t.quality.columns.share}
              </th>
              <th scope="col" className={`${head} text-right`}>
                {t.quality.columns.kappa}
              </th>
              <th scope="col" className={`${head} hidden sm:table-cell`}>
                {t.quality.columns.meaning}
              </th>
            </tr>
          </thead>
          <tbody className="divide-y divide-line">
            {data.items.map((item) => (
              <ItemRows key={`${item.scorecard_id} ${item.item}`} item={item} min={data.min_sample} />
            ))}
          </tbody>
          <tfoot className="border-t-2 border-line">
            <Figures name={t.quality.allItems} pairs={data.all} min={data.min_sample} />
          </tfoot>
        </table>
      </div>
      <p className="mt-3 max-w-3xl text-[0.88rem] text-ink-soft">{t.quality.kappaHelp}</p>
    </div>
  );
}

function ItemRows({ item, min }: { item: ItemAgreement; min: number }) {
  const { nameOf } = useI18n();
  const id = useId();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Figures name={nameOf(item)} pairs={item.pairs} min={min} controls={id} open={open} onToggle={() => setOpen(!open)} />
      {open && (
        <tr id={id}>
          {/* It does not widen the table: what does not fit is scrolled. */}
          <td colSpan={5} className="max-w-0 px-2 pb-3">
            <div className="overflow-x-auto">
              <Confusion pairs={item.pairs} />
            </div>
          </td>
        </tr>
      )}
    </>
  );
}

interface FiguresProps {
  name: string;
  pairs: Pairs;
  min: number;
  controls?: string;
  open?: boolean;
  onToggle?(): void;
}

function Figures({ name, pairs, min, controls, open, onToggle }: FiguresProps) {
  const { t, fmt } = useI18n();
  const meaning = pairs.kappa == null ? null : kappaMeaning(pairs.kappa);
  const low = meaning === 'worse' || meaning === 'slight' || meaning === 'fair';
  const cell = 'px-2 py-2 align-baseline max-sm:px-1';
  const differ = pairs.no_kappa === 'one_category' && (pairs.share ?? 1) < LOW_SHARE;
  const means = (
    <>
      {meaning && t.quality.meanings[meaning]}
      {pairs.no_kappa === 'too_few' && t.quality.noKappa.too_few(pairs.n, min)}
      {pairs.no_kappa === 'one_category' && t.quality.noKappa.one_category}
      {differ && <span className="block">{t.quality.lowShare}</span>}
      {pairs.undecided > 0 && <span className="block text-ink-faint">{t.quality.undecided(pairs.undecided)}</span>}
    </>
  );
  const tone = low || differ ? 'text-bad' : 'text-ink-soft';
  return (
    <tr data-testid={controls ? 'agreement-row' : 'agreement-all'}>
      <th scope="row" className={`${cell} text-left font-medium sm:min-w-44`}>
        {onToggle ? (
          <button
            type="button"
            aria-expanded={open}
            aria-controls={open ? controls : undefined}
            aria-label={t.quality.showTable(name)}
            className="inline-flex items-start gap-1 rounded text-left hover:text-accent"
            onClick={onToggle}
          >
            <Icon name={open ? 'chevronDown' : 'chevronRight'} className="mt-1 size-3.5 text-ink-faint" />
            {name}
          </button>
        ) : (
          name
        )}
        <span aria-hidden="true" className={`block pl-4.5 text-[0.85rem] font-normal sm:hidden ${tone}`}>
          {means}
        </span>
      </th>
      <td className={`${cell} tabular text-right`}>{fmt.number(pairs.n)}</td>
      <td className={`${cell} tabular text-right`}>{fmt.percent(pairs.share == null ? null : Math.round(pairs.share * 1000) / 10)}</td>
      <td className={`${cell} tabular text-right font-semibold ${low ? 'text-bad' : ''}`}>{fmt.number(pairs.kappa, 2)}</td>
      <td className={`${cell} text-[0.88rem] max-sm:sr-only ${tone}`}>{means}</td>
    </tr>
  );
}

/** The pairs themselves. */
function Confusion({ pairs }: { pairs: Pairs }) {
  const { t, fmt } = useI18n();
  return (
    <table className="border-collapse text-[0.85rem] sm:ml-5">
      <caption className="pb-1 text-left text-ink-faint">{t.quality.confusion}</caption>
      <thead>
        <tr>
          <th scope="col">
            <span className="sr-only">{t.quality.engine}</span>
          </th>
          {VERDICTS.map((verdict) => (
            <th key={verdict} scope="col" className="px-2 py-1 text-right font-medium text-ink-soft sm:px-3">
              {t.score.verdicts[verdict]}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {VERDICTS.map((verdict, row) => (
          <tr key={verdict}>
            <th scope="row" className="py-1 pr-3 text-left font-medium text-ink-soft">
              {t.quality.machineSays(t.score.verdicts[verdict])}
            </th>
            {VERDICTS.map((other, column) => {
              const count = pairs.counts[row]?.[column] ?? 0;
              const wrong = row !== column && count > 0;
              return (
                <td key={other} className={`tabular px-2 py-1 text-right sm:px-3 ${wrong ? 'font-semibold text-bad' : count === 0 ? 'text-ink-faint' : ''}`}>
                  {fmt.number(count)}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
