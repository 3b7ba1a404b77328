/** Fields of the editor. */
import { useId, useState, type ReactNode } from 'react';
import { lines } from './document';

interface FieldProps {
  label: string;
  hint?: string;
  className?: string;
  children(id: string): ReactNode;
}

export function Field({ label, hint, className = '', children }: FieldProps) {
  const id = useId();
  return (
    <div className={className}>
      <label className="label" htmlFor={id}>
        {label}
      </label>
      {children(id)}
      {hint && <p className="mt-1 text-[0.82rem] text-ink-faint">{hint}</p>}
    </div>
  );
}

interface NumberProps {
  label: string;
  value: number | null | undefined;
  invalid?: boolean;
  className?: string;
  onChange(value: number | null): void;
}

/** A number, with a comma or a point; empty is none. */
export function NumberField({ label, value, invalid, className, onChange }: NumberProps) {
  const [text, setText] = useState(value == null ? '' : String(value));
  const number = text.trim() === '' ? null : Number(text.replace(',', '.'));
  const [seen, setSeen] = useState(value);
  if (seen !== value) {
    // A value from elsewhere (another version, the file) takes over what is typed.
    setSeen(value);
    if ((number ?? 0) !== (value ?? 0)) setText(value == null ? '' : String(value));
  }
  return (
    <Field label={label} className={className}>
      {(id) => (
        <input
          id={id}
          className="field tabular"
          inputMode="decimal"
          value={text}
          aria-invalid={invalid || Number.isNaN(number) || undefined}
          onChange={(event) => {
            setText(event.target.value);
            const typed = event.target.value.trim();
            const next = typed === '' ? null : Number(typed.replace(',', '.'));
            if (next === null || Number.isFinite(next)) onChange(next);
          }}
        />
      )}
    </Field>
  );
}

interface PhrasesProps {
  label: string;
  hint?: string;
  value: readonly string[];
  rows?: number;
  onChange(value: string[]): void;
}

/** One phrase a line. */
export function PhrasesField({ label, hint, value, rows = 3, onChange }: PhrasesProps) {
  const [text, setText] = useState(value.join('\n'));
  const joined = value.join('\n');
  const [seen, setSeen] = useState(joined);
  if (seen !== joined) {
    setSeen(joined);
    if (lines(text).join('\n') !== joined) setText(joined);
  }
  return (
    <Field label={label} hint={hint}>
      {(id) => (
        <textarea
          id={id}
          className="field h-auto py-2 leading-snug"
          rows={Math.min(14, Math.max(rows, text.split('\n').length + 1))}
          spellCheck={false}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            onChange(lines(event.target.value));
          }}
        />
      )}
    </Field>
  );
}
