import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import { SOURCES } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { OperatorCombobox } from '../../ui/OperatorCombobox';
import {
  DEFAULT_SORT,
  hasFilters,
  NO_FILTERS,
  periodDays,
  periodOf,
  TOLD_KEYS,
  WORST_FIRST,
  type Filters,
  type Period,
} from './filters';

const TYPING_MS = 300;
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
    ...TOLD_KEYS.map((key) => filters[key]),
  ].filter(Boolean).length;
  const [open, setOpen] = useState(extra > 0);
  const period = periodOf(filters.from, filters.to);
  const [customPeriod, setCustomPeriod] = useState(false);
  const shownPeriod: Period = customPeriod ? 'custom' : period;
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
        <div>
          <label htmlFor={`${id}-period`} className="sr-only">
            {t.filters.period}
          </label>
          <select
            id={`${id}-period`}
            className="field"
            value={shownPeriod}
            onChange={(event) => {
              const next = event.target.value as Period;
              setCustomPeriod(next === 'custom');
              if (next === 'custom') setOpen(true);
              else onChange(periodDays(next));
            }}
          >
            {(['all', 'today', 'yesterday', 'week', 'month', 'custom'] as const).map((value) => (
              <option key={value} value={value}>
                {t.filters.periods[value]}
              </option>
            ))}
          </select>
        </div>
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
        <SortSelect value={filters.sort} onSort={(sort) => onChange({ sort })} />
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

/** On a narrow screen the table has no header to click. */
function SortSelect({ value, onSort }: { value: string; onSort(sort: string): void }) {
  const { t } = useI18n();
  const id = useId();
  return (
    <div className="md:hidden">
      <label htmlFor={id} className="sr-only">
        {t.results.sortLabel}
      </label>
      <select id={id} className="field h-8 rounded-full" value={value} onChange={(event) => onSort(event.target.value)}>
        {Object.entries(t.results.sorts).map(([sort, label]) => (
          <option key={sort} value={sort}>
            {label}
          </option>
        ))}
      </select>
    </div>
  );
}

function OperatorFilter({ value, onCommit }: { value: string; onCommit(operator: string): void }) {
  const { t } = useI18n();
  const [draft, setDraft] = useState(value);
  return (
    <OperatorCombobox
      label={t.filters.operator}
      hideLabel
      placeholder={t.filters.operatorPlaceholder}
      value={draft}
      onChange={setDraft}
      onCommit={(name) => {
        if (name !== value) onCommit(name);
      }}
    />
  );
}

interface TypedInputProps {
  id?: string;
  testId?: string;
  type: 'search' | 'number' | 'date';
  value: string;
  max?: number;
  placeholder?: string;
  className?: string;
  label?: string;
  onValue(value: string): void;
}

/** A field that speaks 300 ms after the last key, and follows the address when that changes. */
function TypedInput({ id, testId, type, value, max, placeholder, className = '', label, onValue }: TypedInputProps) {
  const [draft, setDraft] = useState(value);
  const sent = useRef(value);
  const latest = useRef(onValue);
  useEffect(() => {
    latest.current = onValue;
  });
  useEffect(() => {
    // The address changed by another hand: the back button, "reset".
    if (value !== sent.current) {
      sent.current = value;
      setDraft(value);
    }
  }, [value]);
  useEffect(() => {
    if (draft === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = draft;
      latest.current(draft);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [draft]);
  return (
    <input
      id={id}
      data-testid={testId}
      type={type === 'number' ? 'text' : type}
      inputMode={type === 'number' ? 'decimal' : undefined}
      max={max}
      aria-label={label}
      className={`field ${className}`}
      placeholder={placeholder}
      value={draft}
      onChange={(event) => setDraft(type === 'number' ? event.target.value.replace(/[^\d.,]/g, '') : event.target.value)}
    />
  );
}

interface RangeProps {
  title: string;
  type: 'number' | 'date';
  max?: number;
  names: [string, string];
  values: [string, string];
  onValues(from: string, to: string): void;
}

function Range({ title, type, max, names, values, onValues }: RangeProps) {
  const { t } = useI18n();
  return (
    <fieldset className="min-w-0">
      <legend className="label">{title}</legend>
      <div className="flex items-center gap-2">
        <TypedInput type={type} max={max} label={names[0]} value={values[0]} placeholder={t.common.from} onValue={(from) => onValues(from, values[1])} />
        <span aria-hidden="true" className="text-ink-faint">
          –
        </span>
        <TypedInput type={type} max={max} label={names[1]} value={values[1]} placeholder={t.common.to} onValue={(to) => onValues(values[0], to)} />
      </div>
    </fieldset>
  );
}
