import { useId, useState } from 'react';
import { useRemoveQuestion, useSavedQuestions, useSaveQuestion } from '../../api/questions';
import type { SavedQuestion } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { ConfirmDialog, Dialog } from '../../ui/Dialog';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';

interface Props {
  /** What is written now: it can be saved. */
  draft: string;
  onPick(saved: SavedQuestion): void;
}

/** Saved questions as chips. */
export function SavedQuestions({ draft, onPick }: Props) {
  const { t } = useI18n();
  const words = t.questions.saved;
  const saved = useSavedQuestions().data;
  const [open, setOpen] = useState<'list' | { text: string } | null>(null);
  if (!saved) return null;
  const chip = 'inline-flex h-8 max-w-full items-center rounded-full border border-line px-3 text-[0.88rem] text-ink-soft hover:border-accent hover:text-accent';
  return (
    <>
      <ul aria-label={words.title} className="flex min-w-0 flex-wrap gap-1.5" data-testid="saved-questions">
        {saved.map((one) => (
          <li key={one.id} className="min-w-0">
            <button type="button" className={chip} title={one.text} aria-label={words.use(one.name)} onClick={() => onPick(one)}>
              <span className="truncate">{one.name}</span>
            </button>
          </li>
        ))}
        {draft.trim() && (
          <li>
            <button type="button" className={`${chip} border-dashed`} onClick={() => setOpen({ text: draft.trim() })}>
              {words.save}
            </button>
          </li>
        )}
        <li>
          <button type="button" className={`${chip} border-dashed`} onClick={() => setOpen(saved.length > 0 ? 'list' : { text: '' })}>
            {saved.length > 0 ? words.manage : words.add}
          </button>
        </li>
      </ul>
      {open === 'list' && <ListDialog saved={saved} onClose={() => setOpen(null)} />}
      {open !== null && open !== 'list' && <EditDialog saved={null} text={open.text} onClose={() => setOpen(null)} />}
    </>
  );
}

function ListDialog({ saved, onClose }: { saved: SavedQuestion[]; onClose(): void }) {
  const { t } = useI18n();
  const words = t.questions.saved;
  const errorText = useErrorText();
  const remove = useRemoveQuestion();
  const [editing, setEditing] = useState<SavedQuestion | 'new' | null>(null);
  const [removing, setRemoving] = useState<SavedQuestion | null>(null);
  return (
    <Dialog title={words.title} wide testId="saved-dialog" onClose={onClose}>
      {saved.length === 0 && <p className="mt-3 text-ink-soft">{words.empty}</p>}
      <ul className="mt-3 max-h-80 divide-y divide-line overflow-y-auto">
        {saved.map((one) => (
          <li key={one.id} className="flex items-start gap-2 py-2">
            <div className="min-w-0 flex-1">
              <p className="font-medium break-words">{one.name}</p>
              <p className="text-[0.88rem] break-words text-ink-soft">{one.text}</p>
            </div>
            <IconButton icon="edit" label={words.edit(one.name)} onClick={() => setEditing(one)} />
            <IconButton icon="trash" label={words.remove(one.name)} onClick={() => setRemoving(one)} />
          </li>
        ))}
      </ul>
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={() => setEditing('new')}>{words.add}</Button>
        <Button kind="primary" onClick={onClose}>
          {t.common.close}
        </Button>
      </div>
      {editing && <EditDialog saved={editing === 'new' ? null : editing} text="" onClose={() => setEditing(null)} />}
      {removing && (
        <ConfirmDialog
          title={words.remove(removing.name)}
          text={words.removeText}
          confirmLabel={words.removeButton}
          busy={remove.isPending}
          onCancel={() => setRemoving(null)}
          onConfirm={() => remove.mutate(removing.id, { onError: (error) => toast(errorText(error), 'bad'), onSettled: () => setRemoving(null) })}
        />
      )}
    </Dialog>
  );
}

function EditDialog({ saved, text, onClose }: { saved: SavedQuestion | null; text: string; onClose(): void }) {
  const { t } = useI18n();
  const words = t.questions.saved;
  const errorText = useErrorText();
  const id = useId();
  const save = useSaveQuestion();
  return (
    <Dialog title={saved ? words.edit(saved.name) : words.add} testId="question-dialog" onClose={onClose}>
      <form
        className="mt-4 flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const data = new FormData(event.currentTarget);
          save.mutate(
            { id: saved?.id ?? null, name: String(data.get('name') ?? ''), text: String(data.get('text') ?? '') },
            {
              onSuccess: () => {
                toast(words.done);
                onClose();
              },
            },
          );
        }}
      >
        {save.isError && <Notice tone="bad">{errorText(save.error)}</Notice>}
        <div>
          <label className="label" htmlFor={`${id}-name`}>
            {words.name}
          </label>
          <input id={`${id}-name`} name="name" className="field" required maxLength={120} defaultValue={saved?.name ?? ''} autoComplete="off" />
        </div>
        <div>
          <label className="label" htmlFor={`${id}-text`}>
            {words.text}
          </label>
          <textarea id={`${id}-text`} name="text" rows={3} className="field h-auto py-2" required maxLength={2000} defaultValue={saved?.text ?? text} />
        </div>
        <div className="mt-2 flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" busy={save.isPending}>
            {t.common.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
