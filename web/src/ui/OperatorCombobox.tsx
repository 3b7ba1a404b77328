import { useEffect, useId, useRef, useState } from 'react';
import { useOperators } from '../api/calls';
import { useI18n } from '../i18n';
import { Icon } from './Icon';
import { useDebounced } from './useDebounced';

interface Props {
  label: string;
  value: string;
  placeholder?: string;
  hideLabel?: boolean;
  /** Takes the focus, with its text selected, when it appears. */
  takesFocus?: boolean;
  /** A name was typed, picked or cleared. */
  onChange(name: string): void;
  /** A name was settled: picked from the list, or Enter pressed, or the field left. */
  onCommit?(name: string): void;
  onEscape?(): void;
}

/** A text field with the operators already known; a new name may be typed as well. */
export function OperatorCombobox(props: Props) {
  const { t } = useI18n();
  const id = useId();
  const listId = `${id}-list`;
  const inputRef = useRef<HTMLInputElement>(null);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [touched, setTouched] = useState(false);
  // Opened on a filled field, the list shows everyone; typing narrows it.
  const query = useDebounced(touched ? props.value.trim() : '', 200);
  const operators = useOperators(query, open);
  const options = operators.data?.items ?? [];
  const { takesFocus } = props;

  useEffect(() => {
    if (takesFocus) inputRef.current?.select();
  }, [takesFocus]);

  function pick(name: string) {
    props.onChange(name);
    props.onCommit?.(name);
    setOpen(false);
    setActive(-1);
    setTouched(false);
  }

  function onKeyDown(event: React.KeyboardEvent) {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (!open) return setOpen(true);
      const step = event.key === 'ArrowDown' ? 1 : -1;
      const count = options.length;
      if (count > 0) setActive((active + step + count + (active < 0 && step < 0 ? 1 : 0)) % count);
    } else if (event.key === 'Enter') {
      const option = open ? options[active] : undefined;
      if (option || props.onCommit) event.preventDefault();
      pick(option ? option.name : props.value.trim());
    } else if (event.key === 'Escape') {
      if (open) {
        event.preventDefault();
        event.stopPropagation();
        setOpen(false);
        setActive(-1);
      } else props.onEscape?.();
    }
  }

  const showList = open && (options.length > 0 || operators.isSuccess);
  return (
    <div className="relative min-w-0">
      <label htmlFor={id} className={props.hideLabel ? 'sr-only' : 'label'}>
        {props.label}
      </label>
      <div className="relative">
        <input
          ref={inputRef}
          id={id}
          role="combobox"
          aria-expanded={showList}
          aria-controls={listId}
          aria-autocomplete="list"
          aria-activedescendant={active >= 0 && showList ? `${listId}-${active}` : undefined}
          autoComplete="off"
          maxLength={200}
          className="field pr-9"
          placeholder={props.placeholder}
          value={props.value}
          onChange={(event) => {
            props.onChange(event.target.value);
            setTouched(true);
            setOpen(true);
            setActive(-1);
          }}
          onClick={() => setOpen(true)}
          onKeyDown={onKeyDown}
          onBlur={() => {
            setOpen(false);
            setActive(-1);
            setTouched(false);
            props.onCommit?.(props.value.trim());
          }}
        />
        {props.value ? (
          <button
            type="button"
            aria-label={t.operatorField.clear}
            className="absolute top-1/2 right-1 inline-flex size-8 -translate-y-1/2 items-center justify-center rounded-md text-ink-faint hover:text-ink"
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => {
              pick('');
              inputRef.current?.focus();
            }}
          >
            <Icon name="close" />
          </button>
        ) : (
          <Icon name="chevronDown" className="pointer-events-none absolute top-1/2 right-3 size-4 -translate-y-1/2 text-ink-faint" />
        )}
      </div>
      <ul
        id={listId}
        role="listbox"
        aria-label={props.label}
        hidden={!showList}
        className="absolute z-30 mt-1 max-h-64 w-full min-w-72 overflow-auto rounded-xl border border-line bg-surface p-1 shadow-high"
      >
        {options.map((option, index) => (
          // The keyboard reaches the options through the field, as the combobox pattern asks.
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
          <li
            key={option.name}
            id={`${listId}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === active}
            className={`flex cursor-pointer items-center justify-between gap-3 rounded-lg px-2.5 py-1.5 ${index === active ? 'bg-accent-soft' : 'hover:bg-sunken'}`}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => pick(option.name)}
          >
            <span className="truncate">{option.name}</span>
            <span className="shrink-0 text-[0.8rem] text-ink-faint">{t.operatorField.calls(option.calls)}</span>
          </li>
        ))}
        {options.length === 0 && (
          <li className="px-2.5 py-1.5 text-ink-soft">
            {query ? t.operatorField.noMatches : t.operatorField.noOperators}
          </li>
        )}
      </ul>
    </div>
  );
}
