import { useId, useState } from 'react';
import { useTryNames } from '../../api/outside';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Notice, useErrorText } from '../../ui/States';
import { Section } from './parts';

const EXAMPLE = '2021.03.30__10-33-20__Poljhzovateljh1(SipCmd)__79161234567_11322899185_2661322.mp3';

/** Tries patterns on real names of files. */
export function NamesSection() {
  const { t, fmt } = useI18n();
  const words = t.outside.names;
  const errorText = useErrorText();
  const id = useId();
  const [names, setNames] = useState('');
  const [pattern, setPattern] = useState('');
  const attempt = useTryNames();
  const tried = attempt.data;
  return (
    <Section title={words.title}>
      <p className="mb-3 text-ink-soft">{words.hint}</p>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const list = names.split('\n').map((name) => name.trim());
          attempt.mutate({ names: list.filter(Boolean), pattern: pattern.trim() });
        }}
      >
        <div>
          <label className="label" htmlFor={`${id}-names`}>
            {words.input}
          </label>
          <textarea
            id={`${id}-names`}
            className="field h-24 py-2"
            placeholder={EXAMPLE}
            spellCheck={false}
            data-testid="names-input"
            value={names}
            onChange={(event) => setNames(event.target.value)}
          />
        </div>
        <div>
          <label className="label" htmlFor={`${id}-pattern`}>
            {words.pattern}
          </label>
          <input
            id={`${id}-pattern`}
            className="field font-mono"
            spellCheck={false}
            aria-describedby={`${id}-hint`}
            value={pattern}
            onChange={(event) => setPattern(event.target.value)}
          />
          <p id={`${id}-hint`} className="mt-1 text-[0.85rem] text-ink-faint">
            {words.patternHint}
          </p>
        </div>
        {attempt.isError && <Notice tone="bad">{errorText(attempt.error)}</Notice>}
        <Button kind="primary" type="submit" busy={attempt.isPending} className="self-start" data-testid="names-try">
          {words.submit}
        </Button>
      </form>
      {tried && (
        <>
          <ul className="mt-4 flex flex-col gap-3">
            {tried.items.map((item) => {
              const { details: told } = item;
              const facts = [
                item.started_at && fmt.dateTime(item.started_at),
                item.direction && t.direction[item.direction],
                told.caller && `${t.outside.details.names.caller}: ${told.caller.text}`,
                told.called && `${t.outside.details.names.called}: ${told.called.text}`,
                (item.operator ?? told.operator_name) && `${words.operator}: ${item.operator ?? told.operator_name}`,
                told.extension && `${t.outside.details.names.extension}: ${told.extension}`,
                told.order_ids.length > 0 && `${t.outside.details.names.order_ids}: ${told.order_ids.join(', ')}`,
              ].filter(Boolean);
              return (
                <li key={item.filename} data-testid="tried-name" className="rounded-lg border border-line p-3">
                  <p className="font-medium break-all">{item.filename}</p>
                  <p className={item.pattern ? 'text-ink-soft' : 'text-fair'}>
                    {words.by}: {item.pattern ?? words.unknown}
                  </p>
                  {facts.length > 0 && <p>{facts.join(' · ')}</p>}
                </li>
              );
            })}
          </ul>
          <p className="mt-3 text-[0.85rem] text-ink-faint">
            {tried.time_zone && words.zone(tried.time_zone)}.{' '}
            {tried.patterns.length > 0
              ? `${words.configured}: ${tried.patterns.map((one) => one.name).join(', ')}`
              : words.none}
          </p>
        </>
      )}
    </Section>
  );
}
