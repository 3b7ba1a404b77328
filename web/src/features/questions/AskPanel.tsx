import { useId, useRef, useState } from 'react';
import { useAnswers, useAsk, useDeleteAnswer } from '../../api/questions';
import type { Answer } from '../../api/types';
import { useMay } from '../../app/may';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { FindingView, type Play } from './FindingView';
import { SavedQuestions } from './SavedQuestions';
import { useHeard } from './useHeard';

const SHOWN = 3;

/** Asks one call; the answer appears while it is written and stays with the call. */
export function AskPanel({ callId, version, play }: { callId: string; version: number; play: Play }) {
  const { t } = useI18n();
  const words = t.questions;
  const errorText = useErrorText();
  const id = useId();
  const [question, setQuestion] = useState('');
  const [all, setAll] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const answers = useAnswers(callId).data ?? [];
  const ask = useAsk(callId);
  const may = useMay('questions:ask');
  const shown = all ? answers : answers.slice(0, SHOWN);

  function submit(text: string, saved_id?: string) {
    if (!text.trim() || ask.isPending) return;
    ask.mutate({ question: text, saved_id }, { onSuccess: () => setQuestion(''), onError: (error) => toast(errorText(error), 'bad') });
  }

  if (!may && answers.length === 0) return null;
  return (
    <section aria-labelledby={`${id}-title`} className="card p-4 sm:p-5" data-testid="ask-panel">
      <h2 id={`${id}-title`} className="mb-3 text-[1.05rem] font-semibold">
        {words.panel}
      </h2>
      {may && <form
        onSubmit={(event) => {
          event.preventDefault();
          submit(question);
        }}
      >
        <label htmlFor={`${id}-field`} className="sr-only">
          {words.field}
        </label>
        <textarea
          ref={field}
          id={`${id}-field`}
          data-testid="ask-field"
          rows={2}
          maxLength={2000}
          className="field h-auto resize-y py-2"
          placeholder={words.placeholder}
          value={question}
          onChange={(event) => setQuestion(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
            event.preventDefault();
            submit(question);
          }}
        />
        <div className="mt-2 flex flex-wrap items-start justify-between gap-2">
          <SavedQuestions draft={question} onPick={(saved) => submit(saved.text, saved.id)} />
          <Button kind="primary" type="submit" size="sm" className="ml-auto" busy={ask.isPending} disabled={!question.trim()} data-testid="ask-submit">
            {words.ask}
          </Button>
        </div>
      </form>}
      <div aria-live="polite">
        {answers.length === 0 && <p className="mt-3 text-[0.92rem] text-ink-faint">{words.none}</p>}
        {shown.length > 0 && (
          <ul className="mt-4 divide-y divide-line border-t border-line">
            {shown.map((answer) => (
              <AnswerItem key={answer.id} answer={answer} version={version} play={play} />
            ))}
          </ul>
        )}
      </div>
      {answers.length > shown.length && (
        <button type="button" className="mt-1 rounded font-medium text-accent underline-offset-4 hover:underline" onClick={() => setAll(true)}>
          {t.progress.showAll(answers.length - shown.length)}
        </button>
      )}
    </section>
  );
}

function AnswerItem({ answer, version, play }: { answer: Answer; version: number; play: Play }) {
  const { t, fmt } = useI18n();
  const words = t.questions;
  const errorText = useErrorText();
  const remove = useDeleteAnswer(answer.call_id);
  const may = useMay('questions:ask');
  return (
    <li className="py-3" data-testid="answer">
      <div className="mb-1 flex items-start gap-2">
        <p className="min-w-0 flex-1 font-medium break-words">{answer.question}</p>
        {may && <IconButton
          icon="trash"
          label={words.remove}
          className="-mt-1.5 -mr-2"
          disabled={remove.isPending}
          onClick={() => remove.mutate(answer.id, { onSuccess: () => toast(words.removed), onError: (error) => toast(errorText(error), 'bad') })}
        />}
      </div>
      {answer.answer ? <FindingView found={answer.answer} play={play} /> : <Writing answer={answer} />}
      <p className="mt-1.5 text-[0.82rem] text-ink-faint">
        {words.many.askedBy(answer.asked_by, fmt.dateTime(answer.asked_at))}
        {answer.answer && answer.answer.version !== version && ` · ${words.older}`}
      </p>
    </li>
  );
}

function Writing({ answer }: { answer: Answer }) {
  const { t } = useI18n();
  const words = t.questions;
  const heard = useHeard(answer.call_id, answer.id);
  return (
    <div data-testid="writing">
      <p className="flex items-center gap-2 text-[0.92rem] text-ink-soft">
        <span className="spinner" aria-hidden="true" />
        {heard.parts && !heard.text ? words.parts(heard.parts.done, heard.parts.of) : words.asking}
      </p>
      {heard.text && <p className="mt-1 break-words whitespace-pre-line">{heard.text}</p>}
    </div>
  );
}
