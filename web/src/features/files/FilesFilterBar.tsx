import { useId, useState, type ReactNode } from 'react';
import { useSftpUsers } from '../../api/sftp';
import { SOURCES } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { OperatorFilter, PeriodSelect, Range, SortSelect, TypedInput } from '../../ui/filterFields';
import { DurationSlider } from './DurationSlider';
import { hasFilters, NO_FILTERS, STATES, TOLD_KEYS, type Filters } from './filters';

interface Props {
  filters: Filters;
  onChange(patch: Partial<Filters>, how?: 'push' | 'replace'): void;
  /** How many files were found. */
  children: ReactNode;
}

export function FilesFilterBar({ filters, onChange, children }: Props) {
  const { t } = useI18n();
  const words = t.files;
  const id = useId();
  const users = useSftpUsers().data ?? [];
  const extra = [filters.duration_min || filters.duration_max, filters.user, filters.operator, filters.source, ...TOLD_KEYS.map((key) => filters[key])].filter(Boolean).length;
  const [open, setOpen] = useState(extra > 0);
  const [customPeriod, setCustomPeriod] = useState(false);
  // Files of senders who were removed can still be chosen while they are filtered by.
  const names = [...new Set([...users.map((user) => user.name), ...(filters.user ? [filters.user] : [])])];

  const choice = (key: 'state' | 'user' | 'source', label: string, any: string, options: readonly (readonly [string, string])[], hideLabel: boolean) => (
    <div>
      <label htmlFor={`${id}-${key}`} className={hideLabel ? 'sr-only' : 'label'}>
        {label}
      </label>
      <select id={`${id}-${key}`} data-testid={`filter-${key}`} className="field" value={filters[key]} onChange={(event) => onChange({ [key]: event.target.value })}>
        <option value="">{any}</option>
        {options.map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );

  return (
    <search aria-label={t.filters.label} className="flex flex-col gap-3 p-4 sm:px-5">
      <div className="grid grid-cols-2 gap-2 lg:grid-cols-[minmax(14rem,1fr)_13rem_10rem_auto]">
        <div className="relative col-span-2 lg:col-span-1">
          <label htmlFor={`${id}-q`} className="sr-only">
            {words.search}
          </label>
          <Icon name="search" className="pointer-events-none absolute top-1/2 left-3 size-[1.1rem] -translate-y-1/2 text-ink-faint" />
          <TypedInput
            id={`${id}-q`}
            testId="filter-q"
            type="search"
            className="pl-9"
            placeholder={words.search}
            value={filters.q}
            onValue={(q) => onChange({ q }, 'replace')}
          />
        </div>
        {choice('state', words.state, words.anyState, STATES.map((state) => [state, words.states[state]] as const), true)}
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
          data-testid="filters-more"
          className={`max-lg:col-span-2 ${extra > 0 ? 'border-accent text-accent' : ''}`}
          onClick={() => setOpen(!open)}
        >
          {t.filters.more}
          {extra > 0 && <span className="tabular">· {extra}</span>}
        </Button>
      </div>
      <div id={`${id}-more`} hidden={!open} className={open ? 'grid grid-cols-1 gap-3 sm:grid-cols-2 lg:grid-cols-3' : ''}>
        <Range
          title={words.date}
          type="date"
          names={[t.filters.dateFrom, t.filters.dateTo]}
          values={[filters.from, filters.to]}
          onValues={(from, to) => {
            setCustomPeriod(false);
            onChange({ from, to });
          }}
        />
        <DurationSlider
          min={filters.duration_min}
          max={filters.duration_max}
          onValues={(duration_min, duration_max) => onChange({ duration_min, duration_max }, 'replace')}
        />
        <div>
          <span className="label" aria-hidden="true">
            {t.filters.operator}
          </span>
          <OperatorFilter key={filters.operator} value={filters.operator} onCommit={(operator) => onChange({ operator })} />
        </div>
        {TOLD_KEYS.map((key) => (
          <div key={key}>
            <label htmlFor={`${id}-${key}`} className="label">
              {t.outside.filters[key]}
            </label>
            <TypedInput id={`${id}-${key}`} testId={`filter-${key}`} type="search" value={filters[key]} onValue={(value) => onChange({ [key]: value }, 'replace')} />
          </div>
        ))}
        {choice('user', words.user, words.anyUser, names.map((name) => [name, name] as const), false)}
        {choice('source', t.outside.filters.source, t.outside.filters.anySource, SOURCES.map((source) => [source, t.outside.sources[source]] as const), false)}
      </div>
      <div className="flex flex-wrap items-center gap-2">
        <SortSelect value={filters.sort} sorts={words.sorts} onSort={(sort) => onChange({ sort })} />
        {hasFilters(filters) && (
          <Button kind="ghost" size="sm" icon="close" data-testid="filters-reset" onClick={() => onChange({ ...NO_FILTERS, sort: filters.sort })}>
            {t.filters.reset}
          </Button>
        )}
        <p role="status" className="ml-auto text-right text-ink-soft">
          {children}
        </p>
      </div>
    </search>
  );
}
