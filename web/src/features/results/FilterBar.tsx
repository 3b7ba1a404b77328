import { useId, useState, type ReactNode } from 'react';
import { SOURCES } from '../../api/types';
import { useTrackers } from '../../api/questions';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { OperatorFilter, PeriodSelect, Range, SortSelect, TypedInput } from '../../ui/filterFields';
import {
  DEFAULT_SORT,
  hasFilters,
  NO_FILTERS,
  TOLD_KEYS,
  WORST_FIRST,
  type Filters,
} from './filters';

const STATUSES = ['completed', 'failed', 'no_speech', 'cancelled'] as const;
const ACTIVE = 'queued,processing';

interface Props {
  filters: Filters;
  onChange(patch: Partial<Filters>, how?: 'push' | 'replace'): void;
  /** How many calls were found. */
  children: ReactNode;
}

export function FilterBar({ filters, onChange, children }: Props) {
  const { t } = useI18n();
  const id = useId();
  const extra = [
    filters.score_min,
    filters.score_max,
    filters.duration_min,
    filters.duration_max,
    filters.source,
    filters.level,
    filters.disputed,
    filters.topic,
    ...TOLD_KEYS.map((key) => filters[key]),
  ].filter(Boolean).length;
  const [open, setOpen] = useState(extra > 0);
  const [customPeriod, setCustomPeriod] = useState(false);
  const worstFirst = filters.sort === WORST_FIRST;

  return (
    <search aria-label={t.filters.label} className="flex flex-col gap-3 p-4 sm:px-5">
      <div className="grid grid-cols-2 gap-2 lg:grid-cols-[minmax(14rem,1fr)_13rem_11rem_10rem_auto]">
        <div className="relative col-span-2 lg:col-span-1">
          <label htmlFor={`${id}-q`} className="sr-only">
            {t.filters.search}
          </label>
          <Icon name="search" className="pointer-events-none absolute top-1/2 left-3 size-[1.1rem] -translate-y-1/2 text-ink-faint" />
          <TypedInput
            id={`${id}-q`}
            testId="filter-q"
            type="search"
            className="pl-9"
            placeholder={t.filters.searchPlaceholder}
            value={filters.q}
            onValue={(q) => onChange({ q }, 'replace')}
          />
        </div>
        <OperatorFilter key={filters.operator} value={filters.operator} onCommit={(operator) => onChange({ operator })} />
        <div>
          <label htmlFor={`${id}-status`} className="sr-only">
            {t.filters.status}
          </label>
          <select
            id={`${id}-status`}
            className="field"
            value={filters.status}
            onChange={(event) => onChange({ status: event.target.value })}
          >
            <option value="">{t.filters.statusAll}</option>
            <option value={ACTIVE}>{t.filters.statusActive}</option>
            {STATUSES.map((status) => (
              <option key={status} value={status}>
                {t.status[status]}
              </option>
            ))}
          </select>
        </div>
        <PeriodSelect
          from={filters.from}
          to={filters.to}
          custom={customPeriod}
          onCustom={(custom) => {
            setCustomPeriod(custom);
            if (custom) setOpen(true);
          }}
          onDays={onChange}
        />
        <Button
          icon="filter"
          aria-expanded={open}
          aria-controls={`${id}-more`}
          className={`max-sm:px-2 ${extra > 0 ? 'border-accent text-accent' : ''}`}
          onClick={() => setOpen(!open)}
        >
          {t.filters.more}
          {extra > 0 && <span className="tabular">· {extra}</span>}
        </Button>
      </div>
      <div id={`${id}-more`} hidden={!open} className={open ? 'grid grid-cols-1 gap-3 sm:grid-cols-2 lg:grid-cols-3' : ''}>
        <Range
          title={t.filters.period}
          type="date"
          names={[t.filters.dateFrom, t.filters.dateTo]}
          values={[filters.from, filters.to]}
          onValues={(from, to) => {
            setCustomPeriod(false);
            onChange({ from, to });
          }}
        />
        <Range
          title={t.filters.score}
          type="number"
          max={100}
          names={[t.filters.scoreFrom, t.filters.scoreTo]}
          values={[filters.score_min, filters.score_max]}
          onValues={(score_min, score_max) => onChange({ score_min, score_max }, 'replace')}
        />
        <Range
          title={t.filters.duration}
          type="number"
          names={[t.filters.durationFrom, t.filters.durationTo]}
          values={[filters.duration_min, filters.duration_max]}
          onValues={(duration_min, duration_max) => onChange({ duration_min, duration_max }, 'replace')}
        />
        <div>
          <label htmlFor={`${id}-level`} className="label">
            {t.levels.filter}
          </label>
          <select id={`${id}-level`} className="field" value={filters.level} onChange={(event) => onChange({ level: event.target.value })}>
            <option value="">{t.levels.any}</option>
            {t.levels.short.map((name, index) => (
              <option key={name} value={String(index + 1)}>
                {name}
              </option>
            ))}
          </select>
        </div>
        {TOLD_KEYS.map((key) => (
          <div key={key}>
            <label htmlFor={`${id}-${key}`} className="label">
              {t.outside.filters[key]}
            </label>
            <TypedInput
              id={`${id}-${key}`}
              testId={`filter-${key}`}
              type="search"
              value={filters[key]}
              onValue={(value) => onChange({ [key]: value }, 'replace')}
            />
          </div>
        ))}
        <TopicSelect id={`${id}-topic`} value={filters.topic} onTopic={(topic) => onChange({ topic })} />
        <div>
          <label htmlFor={`${id}-source`} className="label">
            {t.outside.filters.source}
          </label>
          <select
            id={`${id}-source`}
            className="field"
            value={filters.source}
            onChange={(event) => onChange({ source: event.target.value })}
          >
            <option value="">{t.outside.filters.anySource}</option>
            {SOURCES.map((source) => (
              <option key={source} value={source}>
                {t.outside.sources[source]}
              </option>
            ))}
          </select>
        </div>
        <div>
          <label htmlFor={`${id}-disputed`} className="label">
            {t.quality.filterDisputed}
          </label>
          <select
            id={`${id}-disputed`}
            data-testid="filter-disputed"
            className="field"
            value={filters.disputed}
            onChange={(event) => onChange({ disputed: event.target.value })}
          >
            <option value="">{t.quality.filterDisputedAny}</option>
            <option value="true">{t.quality.filterDisputedOpen}</option>
            <option value="false">{t.quality.filterDisputedNone}</option>
          </select>
        </div>
      </div>
      <div className="flex flex-wrap items-center gap-2">
        <button
          type="button"
          aria-pressed={worstFirst}
          data-testid="worst-first"
          className={`hidden h-8 items-center gap-1.5 rounded-full border px-3 font-medium md:inline-flex ${
            worstFirst ? 'border-accent bg-accent-soft text-accent' : 'border-line text-ink-soft hover:border-line-strong hover:text-ink'
          }`}
          onClick={() => onChange({ sort: worstFirst ? DEFAULT_SORT : WORST_FIRST })}
        >
          <Icon name="arrowUp" />
          {t.filters.worstFirst}
        </button>
        <SortSelect value={filters.sort} sorts={t.results.sorts} onSort={(sort) => onChange({ sort })} />
        {hasFilters(filters) && (
          <Button kind="ghost" size="sm" icon="close" data-testid="filters-reset" onClick={() => onChange({ ...NO_FILTERS, sort: filters.sort })}>
            {t.filters.reset}
          </Button>
        )}
        <p role="status" className="ml-auto text-ink-soft">
          {children}
        </p>
      </div>
    </search>
  );
}

function TopicSelect({ id, value, onTopic }: { id: string; value: string; onTopic(topic: string): void }) {
  const { t, fmt, nameOf } = useI18n();
  const words = t.questions.many;
  const trackers = useTrackers().data?.items ?? [];
  return (
    <div>
      <label htmlFor={id} className="label">
        {words.topic}
      </label>
      <select id={id} data-testid="filter-topic" className="field" value={value} onChange={(event) => onTopic(event.target.value)}>
        <option value="">{words.anyTopic}</option>
        {trackers.map((tracker) => (
          <option key={tracker.key} value={tracker.key}>
            {nameOf(tracker)} · {fmt.number(tracker.calls)}
          </option>
        ))}
      </select>
    </div>
  );
}
