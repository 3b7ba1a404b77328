/** Fields that the filters of lists are made of. */
import { useEffect, useId, useRef, useState } from 'react';
import { useI18n } from '../i18n';
import { OperatorCombobox } from './OperatorCombobox';
import { periodDays, periodOf, type Period } from './periods';

const TYPING_MS = 300;

interface PeriodProps {
  from: string;
  to: string;
  /** The reader chose days of their own and has not given them yet. */
  custom: boolean;
  onCustom(custom: boolean): void;
  onDays(days: { from: string; to: string }): void;
}

export function PeriodSelect({ from, to, custom, onCustom, onDays }: PeriodProps) {
  const { t } = useI18n();
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="sr-only">
        {t.filters.period}
      </label>
      <select
        id={id}
        className="field"
        value={custom ? 'custom' : periodOf(from, to)}
        onChange={(event) => {
          const next = event.target.value as Period;
          onCustom(next === 'custom');
          if (next !== 'custom') onDays(periodDays(next));
        }}
      >
        {(['all', 'today', 'yesterday', 'week', 'month', 'custom'] as const).map((value) => (
          <option key={value} value={value}>
            {t.filters.periods[value]}
          </option>
        ))}
      </select>
    </div>
  );
}

interface SortProps {
  value: string;
  sorts: Readonly<Record<string, string>>;
  onSort(sort: string): void;
}

/** On a narrow screen the table has no header to click. */
export function SortSelect({ value, sorts, onSort }: SortProps) {
  const { t } = useI18n();
  const id = useId();
  return (
    <div className="md:hidden">
      <label htmlFor={id} className="sr-only">
        {t.results.sortLabel}
      </label>
      <select id={id} className="field h-8 rounded-full" value={value} onChange={(event) => onSort(event.target.value)}>
        {Object.entries(sorts).map(([sort, label]) => (
          <option key={sort} value={sort}>
            {label}
          </option>
        ))}
      </select>
    </div>
  );
}

export function OperatorFilter({ value, onCommit }: { value: string; onCommit(operator: string): void }) {
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
export function TypedInput({ id, testId, type, value, max, placeholder, className = '', label, onValue }: TypedInputProps) {
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

export function Range({ title, type, max, names, values, onValues }: RangeProps) {
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
