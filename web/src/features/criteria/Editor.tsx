import { useEffect, useRef, useState } from 'react';
import { checkCard, saveDraft, usePublish, useRemoveDraft, type CardKey } from '../../api/criteria';
import type { CardCriterion, CardDocument, CardDraft, CardFault, Scorecards } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { ConfirmDialog, Dialog } from '../../ui/Dialog';
import { Segmented } from '../../ui/Segmented';
import { Loading, Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { ChangesSince } from './Changes';
import { moved, newCriterion, newItem, replaced } from './document';
import { Faults } from './Faults';
import { Field, NumberField, PhrasesField } from './fields';
import { ItemForm } from './ItemForm';
import { TrialPanel } from './Trial';

const CHECK_AFTER_MS = 400;

interface Props {
  draft: CardDraft;
  base: CardKey | null;
  metrics: Scorecards['metrics'];
  onClose(): void;
  onPublished(): void;
}

type Edit = { text: string } | { document: CardDocument };

/** A draft: as a form or as a file; checked and saved as one types. */
export function Editor({ draft, base, metrics, onClose, onPublished }: Props) {
  const { t } = useI18n();
  const words = t.criteria.editor;
  const errorText = useErrorText();
  const [mode, setMode] = useState<'form' | 'file'>('form');
  const [text, setText] = useState(draft.text);
  const [document, setDocument] = useState<CardDocument | null>(null);
  const [faults, setFaults] = useState<readonly CardFault[] | null>(null);
  const [edit, setEdit] = useState<Edit>({ text: draft.text });
  const [saved, setSaved] = useState<'saved' | 'saving' | { failed: string }>('saved');
  const [publishing, setPublishing] = useState(false);
  const [discarding, setDiscarding] = useState(false);
  const revision = useRef(draft.revision);
  const kept = useRef(draft.text);
  const saving = useRef<Promise<void>>(Promise.resolve());
  const removeDraft = useRemoveDraft();

  useEffect(() => {
    let outdated = false;
    const timer = setTimeout(
      async () => {
        try {
          const checked = await checkCard(edit);
          if (outdated) return;
          setFaults(checked.faults);
          if ('text' in edit) setDocument(checked.document ?? null);
          else setText(checked.text);
          const next = 'text' in edit ? edit.text : checked.text;
          if (next === kept.current) {
            setSaved('saved');
            return;
          }
          // One after the other: each saving names the revision of the one before.
          saving.current = saving.current.then(async () => {
            const answer = await saveDraft({ id: draft.id, revision: revision.current, text: next, base });
            revision.current = answer.revision;
            kept.current = next;
          });
          await saving.current;
          if (!outdated) setSaved('saved');
        } catch (error) {
          saving.current = Promise.resolve();
          if (!outdated) setSaved({ failed: errorText(error) });
        }
      },
      kept.current === draft.text && 'text' in edit && edit.text === draft.text ? 0 : CHECK_AFTER_MS,
    );
    return () => {
      outdated = true;
      clearTimeout(timer);
    };
    // What a failure is called depends on the language only.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [edit, draft.id]);

  const change = (next: CardDocument) => {
    setDocument(next);
    setSaved('saving');
    setEdit({ document: next });
  };
  const type = (next: string) => {
    setText(next);
    setSaved('saving');
    setEdit({ text: next });
  };

  if (faults === null) return saved !== 'saved' && saved !== 'saving' ? <Notice tone="bad">{saved.failed}</Notice> : <Loading />;
  const clean = faults.length === 0 && saved === 'saved';
  const elsewhere = mode === 'form' && document ? faults.filter((fault) => fault.item == null) : faults;
  return (
    <div className="flex flex-col gap-4" data-testid="card-editor">
      <div className="card flex flex-wrap items-center gap-3 p-4">
        <Button icon="chevronLeft" kind="ghost" onClick={onClose}>
          {words.back}
        </Button>
        <Segmented
          legend={words.mode}
          value={mode}
          onChange={(next: 'form' | 'file') => setMode(next)}
          options={[
            { value: 'form', label: words.form },
            { value: 'file', label: words.file },
          ]}
        />
        <span role="status" className={`text-[0.88rem] ${typeof saved === 'string' ? 'text-ink-faint' : 'text-bad'}`}>
          {saved === 'saved' ? words.saved : saved === 'saving' ? words.saving : saved.failed}
        </span>
        <span className="ml-auto flex flex-wrap gap-2">
          <Button kind="danger-quiet" icon="trash" onClick={() => setDiscarding(true)}>
            {words.discard}
          </Button>
          <Button kind="primary" icon="check" disabled={!clean} onClick={() => setPublishing(true)}>
            {words.publish}
          </Button>
        </span>
      </div>
      <Faults faults={elsewhere} />
      {mode === 'file' && (
        <div className="card p-4">
          <Field label={words.fileLabel} hint={words.fileHint}>
            {(id) => (
              <textarea
                id={id}
                className="field h-[32rem] py-2 font-mono text-[0.82rem] leading-snug"
                spellCheck={false}
                value={text}
                aria-invalid={faults.length > 0 || undefined}
                onChange={(event) => type(event.target.value)}
              />
            )}
          </Field>
        </div>
      )}
      {mode === 'form' && !document && <Notice tone="fair">{words.unreadable}</Notice>}
      {mode === 'form' && document && <Form document={document} faults={faults} metrics={metrics} onChange={change} />}
      {document && <ChangesSince base={base} document={document} />}
      <TrialPanel scorecard={text} ready={clean} />
      {publishing && (
        <PublishDialog
          text={text}
          draftId={draft.id}
          onClose={() => setPublishing(false)}
          onPublished={() => {
            setPublishing(false);
            onPublished();
          }}
        />
      )}
      {discarding && (
        <ConfirmDialog
          title={words.discardTitle}
          text={words.discardText}
          confirmLabel={words.discard}
          busy={removeDraft.isPending}
          onCancel={() => setDiscarding(false)}
          onConfirm={() =>
            removeDraft.mutate(draft.id, { onSuccess: onClose, onError: (error) => toast(errorText(error), 'bad') })
          }
        />
      )}
    </div>
  );
}

interface FormProps {
  document: CardDocument;
  faults: readonly CardFault[];
  metrics: Scorecards['metrics'];
  onChange(document: CardDocument): void;
}

function Form({ document, faults, metrics, onChange }: FormProps) {
  const { t } = useI18n();
  const words = t.criteria.editor;
  const lists = Object.keys(document.lexicons ?? {}).toSorted();
  const set = (change: Partial<CardDocument>) => onChange({ ...document, ...change });
  const setCriterion = (index: number, criterion: CardCriterion | null) => set({ criteria: replaced(document.criteria, index, criterion) });
  return (
    <>
      <div className="card p-4">
        <Field label={words.name}>
          {(id) => <input id={id} className="field max-w-xl" value={document.name} onChange={(event) => set({ name: event.target.value })} />}
        </Field>
      </div>
      {document.criteria.map((criterion, index) => (
        <section key={criterion.key} className="card overflow-hidden" data-testid={`edit-criterion-${criterion.key}`}>
          <div className="flex flex-wrap items-end gap-3 p-4">
            <Field label={words.criterion} className="min-w-48 flex-1">
              {(id) => (
                <input
                  id={id}
                  className="field font-semibold"
                  value={criterion.name}
                  onChange={(event) => setCriterion(index, { ...criterion, name: event.target.value })}
                />
              )}
            </Field>
            <NumberField
              label={words.weight}
              className="w-28"
              value={criterion.weight ?? null}
              invalid={faults.some((fault) => fault.code === 'bad_weight' && fault.criterion === index && fault.item == null)}
              onChange={(weight) => setCriterion(index, { ...criterion, weight: weight ?? 0 })}
            />
            <span className="flex pb-0.5">
              <IconButton icon="arrowUp" label={t.criteria.item.up} disabled={index === 0} onClick={() => set({ criteria: moved(document.criteria, index, -1) })} />
              <IconButton
                icon="arrowDown"
                label={t.criteria.item.down}
                disabled={index === document.criteria.length - 1}
                onClick={() => set({ criteria: moved(document.criteria, index, 1) })}
              />
              <IconButton icon="trash" label={words.removeCriterion} onClick={() => setCriterion(index, null)} />
            </span>
          </div>
          <ul>
            {criterion.items.map((item, at) => (
              <ItemForm
                key={item.key}
                item={item}
                lists={lists}
                metrics={metrics}
                faults={faults.filter((fault) => fault.criterion === index && fault.item === at)}
                first={at === 0}
                last={at === criterion.items.length - 1}
                onChange={(next) => setCriterion(index, { ...criterion, items: replaced(criterion.items, at, next) })}
                onMove={(step) => setCriterion(index, { ...criterion, items: moved(criterion.items, at, step) })}
                onRemove={() => setCriterion(index, { ...criterion, items: replaced(criterion.items, at, null) })}
              />
            ))}
          </ul>
          <div className="border-t border-line p-3">
            <Button
              size="sm"
              onClick={() => setCriterion(index, { ...criterion, items: [...criterion.items, newItem(document, words.newItem)] })}
            >
              {words.addItem}
            </Button>
          </div>
        </section>
      ))}
      <div>
        <Button onClick={() => set({ criteria: [...document.criteria, newCriterion(document, words.newCriterion, words.newItem)] })}>
          {words.addCriterion}
        </Button>
      </div>
      <Lists document={document} onChange={onChange} />
    </>
  );
}

/** Lists of phrases that several items share, and what tells the parties apart. */
function Lists({ document, onChange }: { document: CardDocument; onChange(document: CardDocument): void }) {
  const { t } = useI18n();
  const words = t.criteria.editor;
  const [name, setName] = useState('');
  const lists = Object.entries(document.lexicons ?? {}).toSorted(([a], [b]) => a.localeCompare(b));
  const free = name.trim() !== '' && !(name.trim() in (document.lexicons ?? {}));
  return (
    <details className="card p-4">
      <summary className="cursor-pointer font-semibold">{words.lists}</summary>
      <div className="mt-3 flex flex-col gap-4">
        {lists.map(([key, phrases]) => (
          <div key={key} className="flex items-start gap-2">
            <div className="flex-1">
              <PhrasesField
                label={key}
                value={phrases}
                onChange={(next) => onChange({ ...document, lexicons: { ...document.lexicons, [key]: next } })}
              />
            </div>
            <IconButton
              icon="trash"
              label={words.removeList(key)}
              onClick={() => {
                const { [key]: _gone, ...rest } = document.lexicons ?? {};
                onChange({ ...document, lexicons: rest });
              }}
            />
          </div>
        ))}
        <div className="flex flex-wrap items-end gap-2">
          <Field label={words.newList}>{(id) => <input id={id} className="field" value={name} onChange={(event) => setName(event.target.value)} />}</Field>
          <Button
            disabled={!free}
            onClick={() => {
              onChange({ ...document, lexicons: { ...document.lexicons, [name.trim()]: [] } });
              setName('');
            }}
          >
            {words.addList}
          </Button>
        </div>
        <PhrasesField label={words.hold} value={document.hold ?? []} onChange={(hold) => onChange({ ...document, hold })} />
        <PhrasesField
          label={words.marks}
          value={document.operator_marks ?? []}
          onChange={(operator_marks) => onChange({ ...document, operator_marks })}
        />
        <PhrasesField
          label={words.backChannels}
          value={document.back_channels ?? []}
          onChange={(back_channels) => onChange({ ...document, back_channels })}
        />
      </div>
    </details>
  );
}

function PublishDialog(props: { text: string; draftId: string; onClose(): void; onPublished(): void }) {
  const { t } = useI18n();
  const words = t.criteria.editor;
  const errorText = useErrorText();
  const publish = usePublish();
  const [comment, setComment] = useState('');
  return (
    <Dialog title={words.publishTitle} text={words.publishText} onClose={props.onClose} testId="publish-dialog">
      <form
        className="mt-4 flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          publish.mutate(
            { text: props.text, comment, activate: true, draft_id: props.draftId },
            { onSuccess: props.onPublished },
          );
        }}
      >
        <Field label={words.comment}>
          {(id) => <input id={id} className="field" maxLength={500} value={comment} onChange={(event) => setComment(event.target.value)} />}
        </Field>
        {publish.isError && <Notice tone="bad">{errorText(publish.error)}</Notice>}
        <div className="flex justify-end gap-2">
          <Button onClick={props.onClose}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" busy={publish.isPending}>
            {words.publish}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
