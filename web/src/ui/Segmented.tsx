import { useId } from 'react';
import { Icon, type IconName } from './Icon';

interface Props<Value extends string> {
  legend: string;
  value: Value;
  options: readonly { value: Value; label: string; icon?: IconName }[];
  onChange(value: Value): void;
  testId?: string;
}

/** A row of choices of which one is on: radio buttons underneath, so arrows work. */
export function Segmented<Value extends string>({ legend, value, options, onChange, testId }: Props<Value>) {
  const name = useId();
  return (
    <fieldset data-testid={testId} className="inline-flex max-w-full flex-wrap gap-0.5 rounded-[10px] bg-sunken p-0.5">
      <legend className="sr-only">{legend}</legend>
      {options.map((option) => (
        <label
          key={option.value}
          className={`inline-flex h-9 cursor-pointer items-center gap-1.5 rounded-lg px-3 font-medium has-focus-visible:outline-2 has-focus-visible:outline-accent ${
            option.value === value ? 'bg-surface text-ink shadow-card' : 'text-ink-soft hover:text-ink'
          }`}
        >
          <input
            type="radio"
            className="sr-only"
            name={name}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          {option.icon && <Icon name={option.icon} />}
          {option.label}
        </label>
      ))}
    </fieldset>
  );
}
