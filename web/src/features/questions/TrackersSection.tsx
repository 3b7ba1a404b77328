import { useId, useState } from 'react';
import { useRemoveTracker, useResetTrackers, useSaveTracker, useTrackers } from '../../api/questions';
import { ApiError } from '../../api/client';
import type { Tracker } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { ConfirmDialog, Dialog } from '../../ui/Dialog';
import { ErrorState, Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { Section } from '../settings/parts';
import { trackerFault } from './faults';

/** What is looked for in every call. */
export function TrackersSection() {
  const { t, fmt, nameOf } = useI18n();
  const words = t.questions.trackers;
  const errorText = useErrorText();
  const query = useTrackers();
  const remove = useRemoveTracker();
  const reset = useResetTrackers();
  const [editing, setEditing] = useState<Tracker | 'new' | null>(null);
  const [removing, setRemoving] = useState<Tracker | 'all' | null>(null);
  const onError = (error: unknown) => toast(errorText(error), 'bad');
  const items = query.data?.items ?? [];
  const waiting = query.data?.waiting ?? 0;
  return (
    <Section title={words.title}>
      <p className="mb-3 text-ink-soft">{words.hint}</p>
      {query.isError && <ErrorState title={words.title} error={query.error} onRetry={() => void query.refetch()} />}
      {items.length > 0 && (
        <div className="mb-4 overflow-x-auto rounded-lg border border-line">
          <table className="w-full text-left" data-testid="trackers">
            <thead className="bg-sunken text-[0.85rem] text-ink-soft">
              <tr>
                <th scope="col" className="px-3 py-2 font-medium">
                  {words.columns.name}
                </th>
                <th scope="col" className="px-3 py-2 font-medium max-sm:hidden">
                  {words.columns.who}
                </th>
                <th scope="col" className="px-3 py-2 text-right font-medium max-sm:hidden">
                  {words.columns.phrases}
                </th>
                <th scope="col" className="px-3 py-2 text-right font-medium">
                  {words.columns.calls}
                </th>
                <th scope="col" className="w-0">
                  <span className="sr-only">{t.outside.employees.actions}</span>
                </th>
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {items.map((tracker) => (
                <tr key={tracker.key} data-testid="tracker">
                  <td className="px-3 py-2 font-medium">{nameOf(tracker)}</td>
                  <td className="px-3 py-2 max-sm:hidden">{tracker.speaker ? t.speakers[tracker.speaker] : words.anybody}</td>
                  <td className="tabular px-3 py-2 text-right max-sm:hidden">{fmt.number(tracker.phrases.length)}</td>
                  <td className="tabular px-3 py-2 text-right">{fmt.number(tracker.calls)}</td>
                  <td className="px-1 py-1 whitespace-nowrap">
                    <IconButton icon="edit" label={words.edit(nameOf(tracker))} onClick={() => setEditing(tracker)} />
                    <IconButton icon="trash" label={words.remove(nameOf(tracker))} onClick={() => setRemoving(tracker)} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div className="flex flex-wrap items-center gap-2">
        <Button kind="primary" data-testid="tracker-add" onClick={() => setEditing('new')}>
          {words.add}
        </Button>
        <Button onClick={() => setRemoving('all')}>{words.reset}</Button>
        <p role="status" className="text-[0.88rem] text-ink-soft">
          {waiting > 0 && words.waiting(waiting)}
        </p>
      </div>
      {editing && <TrackerDialog tracker={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />}
      {removing && (
        <ConfirmDialog
          title={removing === 'all' ? words.reset : words.remove(nameOf(removing))}
          text={removing === 'all' ? words.resetText : words.removeText}
          confirmLabel={removing === 'all' ? words.reset : words.removeButton}
          busy={remove.isPending || reset.isPending}
          onCancel={() => setRemoving(null)}
          onConfirm={() => {
            const done = { onError, onSettled: () => setRemoving(null) };
            if (removing === 'all') reset.mutate(undefined, done);
            else remove.mutate(removing.key, done);
          }}
        />
      )}
    </Section>
  );
}

const lines = (text: FormDataEntryValue | null) =>
  String(text ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

function TrackerDialog({ tracker, onClose }: { tracker: Tracker | null; onClose(): void }) {
  const { t } = useI18n();
  const words = t.questions.trackers;
  const errorText = useErrorText();
  const id = useId();
  const save = useSaveTracker();
  const faults = save.error instanceof ApiError && save.error.code === 'bad_tracker' ? save.error.message.split('\n') : null;
  return (
    <Dialog title={tracker ? words.edit(tracker.name) : words.add} wide testId="tracker-dialog" onClose={onClose}>
      <form
        className="mt-4 flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const data = new FormData(event.currentTarget);
          const speaker = String(data.get('speaker') ?? '');
          save.mutate(
            {
              key: tracker?.key ?? null,
              name: String(data.get('name') ?? ''),
              name_en: String(data.get('name_en') ?? '').trim() || undefined,
              speaker: speaker === 'operator' || speaker === 'client' ? speaker : undefined,
              phrases: lines(data.get('phrases')),
              except: lines(data.get('except')),
            },
            {
              onSuccess: () => {
                toast(words.saved);
                onClose();
              },
            },
          );
        }}
      >
        {save.isError && (
          <div role="alert">
            <Notice tone="bad">
              {faults ? (
                <>
                  {words.faults}
                  <ul className="list-disc pl-5">
                    {faults.map((fault) => (
                      <li key={fault} className="break-words">
                        {trackerFault(fault, t)}
                      </li>
                    ))}
                  </ul>
                </>
              ) : (
                errorText(save.error)
              )}
            </Notice>
          </div>
        )}
        <div className="grid gap-3 sm:grid-cols-3">
          <Field id={`${id}-name`} label={words.name}>
            <input id={`${id}-name`} name="name" className="field" required maxLength={120} defaultValue={tracker?.name ?? ''} autoComplete="off" />
          </Field>
          <Field id={`${id}-en`} label={words.nameEn}>
            <input id={`${id}-en`} name="name_en" className="field" maxLength={120} defaultValue={tracker?.name_en ?? ''} autoComplete="off" />
          </Field>
          <Field id={`${id}-who`} label={words.columns.who}>
            <select id={`${id}-who`} name="speaker" className="field" defaultValue={tracker?.speaker ?? ''}>
              <option value="">{words.anybody}</option>
              <option value="operator">{t.speakers.operator}</option>
              <option value="client">{t.speakers.client}</option>
            </select>
          </Field>
        </div>
        <Field id={`${id}-phrases`} label={words.phrases}>
          <textarea id={`${id}-phrases`} name="phrases" rows={6} required className="field h-auto py-2 font-mono text-[0.88rem]" defaultValue={tracker?.phrases.join('\n') ?? ''} />
        </Field>
        <Field id={`${id}-except`} label={words.except}>
          <textarea id={`${id}-except`} name="except" rows={2} className="field h-auto py-2 font-mono text-[0.88rem]" defaultValue={tracker?.except.join('\n') ?? ''} />
        </Field>
        <p className="text-[0.85rem] text-ink-faint">{words.signs}</p>
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

function Field({ id, label, children }: { id: string; label: string; children: React.ReactNode }) {
  return (
    <div>
      <label className="label" htmlFor={id}>
        {label}
      </label>
      {children}
    </div>
  );
}
