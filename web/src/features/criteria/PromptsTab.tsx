import { useState } from 'react';
import { useAddPrompt, useChangePrompt, usePrompts, usePromptVersions, useRemovePrompt } from '../../api/criteria';
import type { Prompt, Purpose } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { ErrorState, Loading, Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { Field } from './fields';
import { TrialPanel } from './Trial';

const PURPOSES = ['score', 'question', 'summary'] as const satisfies readonly Purpose[];
const MAX_CONTENT = 6000;

/** What the team tells the language model; one prompt for each purpose is in use. */
export function PromptsTab() {
  const { t } = useI18n();
  const words = t.criteria.prompts;
  const prompts = usePrompts();
  const [edited, setEdited] = useState<Prompt | Purpose | null>(null);
  if (prompts.isPending) return <Loading />;
  if (prompts.isError) return <ErrorState title={words.title} error={prompts.error} onRetry={() => void prompts.refetch()} />;
  if (edited) return <PromptEditor key={typeof edited === 'string' ? edited : edited.id} edited={edited} onClose={() => setEdited(null)} />;
  return (
    <div className="flex flex-col gap-4">
      {!prompts.data.model && <Notice tone="info">{words.noModel}</Notice>}
      {PURPOSES.map((purpose) => {
        const own = prompts.data.items.filter((prompt) => prompt.purpose === purpose);
        return (
          <section key={purpose} className="card p-4" data-testid={`prompts-${purpose}`}>
            <h3 className="font-semibold">{words.purposes[purpose]}</h3>
            <p className="text-[0.88rem] text-ink-soft">{words.about[purpose]}</p>
            {own.length === 0 ? (
              <p className="mt-2 text-ink-faint">{words.builtIn}</p>
            ) : (
              <ul className="mt-2">
                {own.map((prompt) => (
                  <PromptLine key={prompt.id} prompt={prompt} onEdit={() => setEdited(prompt)} />
                ))}
              </ul>
            )}
            <Button size="sm" className="mt-2" onClick={() => setEdited(purpose)}>
              {words.add}
            </Button>
          </section>
        );
      })}
    </div>
  );
}

function PromptLine({ prompt, onEdit }: { prompt: Prompt; onEdit(): void }) {
  const { t, fmt } = useI18n();
  const words = t.criteria.prompts;
  const errorText = useErrorText();
  const change = useChangePrompt();
  const remove = useRemovePrompt();
  const [asked, setAsked] = useState(false);
  const failed = { onError: (error: unknown) => toast(errorText(error), 'bad') };
  return (
    <li className="flex flex-wrap items-center gap-2 border-t border-line py-2">
      <span className="min-w-48 flex-1">
        <span className="font-medium">{prompt.name}</span>
        {prompt.is_active && <span className="ml-2 rounded bg-good-soft px-1.5 text-[0.8rem] font-medium text-good">{words.active}</span>}
        <span className="block text-[0.85rem] text-ink-faint">
          {words.version(prompt.version)}, {prompt.author}, {fmt.dateTime(prompt.changed_at)}
        </span>
      </span>
      <Button size="sm" busy={change.isPending} onClick={() => change.mutate({ id: prompt.id, is_active: !prompt.is_active }, failed)}>
        {prompt.is_active ? words.retire : words.use}
      </Button>
      <Button size="sm" icon="edit" onClick={onEdit}>
        {words.edit}
      </Button>
      <Button size="sm" kind="danger-quiet" icon="trash" onClick={() => setAsked(true)}>
        {words.remove}
      </Button>
      {asked && (
        <ConfirmDialog
          title={words.removeTitle}
          text={words.removeText(prompt.name)}
          confirmLabel={words.remove}
          busy={remove.isPending}
          onCancel={() => setAsked(false)}
          onConfirm={() => remove.mutate(prompt.id, { ...failed, onSuccess: () => setAsked(false) })}
        />
      )}
    </li>
  );
}

function PromptEditor({ edited, onClose }: { edited: Prompt | Purpose; onClose(): void }) {
  const { t } = useI18n();
  const words = t.criteria.prompts;
  const errorText = useErrorText();
  const add = useAddPrompt();
  const change = useChangePrompt();
  const before = typeof edited === 'string' ? null : edited;
  const purpose = typeof edited === 'string' ? edited : edited.purpose;
  const [name, setName] = useState(before?.name ?? '');
  const [content, setContent] = useState(before?.content ?? '');
  const [active, setActive] = useState(before?.is_active ?? true);
  const failure = add.error ?? change.error;
  const missing = !name.trim() || !content.trim();
  return (
    <div className="flex flex-col gap-4" data-testid="prompt-editor">
      <form
        className="card flex flex-col gap-4 p-4"
        onSubmit={(event) => {
          event.preventDefault();
          const done = { onSuccess: onClose };
          if (before) change.mutate({ id: before.id, name, content, is_active: active, version: before.version }, done);
          else add.mutate({ name, content, purpose, is_active: active }, done);
        }}
      >
        <h3 className="font-semibold">{words.purposes[purpose]}</h3>
        <Field label={words.name}>
          {(id) => <input id={id} className="field max-w-xl" maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Field label={words.content} hint={words.contentHint(content.length, MAX_CONTENT)}>
          {(id) => (
            <textarea
              id={id}
              className="field h-56 py-2 leading-snug"
              maxLength={MAX_CONTENT}
              value={content}
              onChange={(event) => setContent(event.target.value)}
            />
          )}
        </Field>
        <label className="flex items-center gap-2">
          <input type="checkbox" checked={active} onChange={(event) => setActive(event.target.checked)} />
          {words.useAtOnce}
        </label>
        {failure && <Notice tone="bad">{errorText(failure)}</Notice>}
        <div className="flex gap-2">
          <Button kind="primary" type="submit" disabled={missing} busy={add.isPending || change.isPending}>
            {t.common.save}
          </Button>
          <Button onClick={onClose}>{t.common.cancel}</Button>
        </div>
      </form>
      {purpose === 'score' && <TrialPanel prompt={content} ready={content.trim() !== ''} />}
      {before && <PromptHistory prompt={before} onTake={setContent} />}
    </div>
  );
}

function PromptHistory({ prompt, onTake }: { prompt: Prompt; onTake(content: string): void }) {
  const { t, fmt } = useI18n();
  const words = t.criteria.prompts;
  const versions = usePromptVersions(prompt.id, prompt.version > 1).data ?? [];
  const earlier = versions.filter((version) => version.version < prompt.version);
  if (earlier.length === 0) return null;
  return (
    <section className="card p-4">
      <h3 className="font-semibold">{words.history}</h3>
      <ul className="mt-2 flex flex-col gap-3">
        {earlier.map((version) => (
          <li key={version.version} className="border-t border-line pt-2">
            <p className="text-[0.85rem] text-ink-faint">
              {words.version(version.version)}, {version.author}, {fmt.dateTime(version.changed_at)}
            </p>
            <p className="mt-1 break-words whitespace-pre-wrap">{version.content}</p>
            <Button size="sm" className="mt-1" onClick={() => onTake(version.content)}>
              {words.take}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

