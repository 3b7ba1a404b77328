import { useRef, useState } from 'react';
import { fetchCard, useActivate, useAddDraft, useCard, useScorecards, type CardKey } from '../../api/criteria';
import type { CardDraft, CardVersion } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { ErrorState, Loading, Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { ChangeList } from './Changes';
import { diffCards } from './diff';
import { Editor } from './Editor';

const FIRST_SHOWN = 8;

/** Versions of the scorecard, the one in force, and drafts of the next. */
export function ScorecardTab({ onPublished }: { onPublished(): void }) {
  const { t } = useI18n();
  const words = t.criteria;
  const errorText = useErrorText();
  const list = useScorecards();
  const addDraft = useAddDraft();
  const [open, setOpen] = useState<CardDraft | null>(null);
  const file = useRef<HTMLInputElement>(null);

  if (list.isPending) return <Loading />;
  if (list.isError) return <ErrorState title={words.title} error={list.error} onRetry={() => void list.refetch()} />;
  const { versions, drafts, metrics, from_file } = list.data;
  const inForce = versions.find((version) => version.in_force) ?? null;
  if (open)
    return (
      <Editor
        key={open.id}
        draft={open}
        base={open.base_id && open.base_version ? { id: open.base_id, version: open.base_version } : null}
        metrics={metrics}
        onClose={() => {
          setOpen(null);
          void list.refetch();
        }}
        onPublished={() => {
          setOpen(null);
          toast(words.published);
          onPublished();
        }}
      />
    );

  const begin = (text: string, base: CardKey | null) =>
    addDraft.mutate({ text, base }, { onSuccess: setOpen, onError: (error) => toast(errorText(error), 'bad') });
  const beginFrom = async (key: CardKey | null) => {
    try {
      const content = await fetchCard(key);
      begin(content.text, key ?? inForce);
    } catch (error) {
      toast(errorText(error), 'bad');
    }
  };
  return (
    <div className="flex flex-col gap-4">
      {from_file && <Notice tone="info">{words.fromFile}</Notice>}
      <section className="card p-4 sm:p-5" data-testid="card-in-force">
        <p className="text-[0.88rem] text-ink-faint">{words.inForce}</p>
        <h2 className="text-lg font-semibold">{inForce ? words.versionOf(inForce.name, inForce.version) : '—'}</h2>
        <div className="mt-3 flex flex-wrap gap-2">
          <Button kind="primary" icon="edit" busy={addDraft.isPending} disabled={!inForce} onClick={() => inForce && void beginFrom(inForce)}>
            {words.edit}
          </Button>
          <Button icon="upload" onClick={() => file.current?.click()}>
            {words.import}
          </Button>
          <Button onClick={() => void beginFrom(null)}>{words.fromDefault}</Button>
          <input
            ref={file}
            type="file"
            accept=".toml,application/toml,text/plain"
            className="sr-only"
            aria-label={words.import}
            tabIndex={-1}
            onChange={(event) => {
              const chosen = event.target.files?.[0];
              event.target.value = '';
              if (chosen) void chosen.text().then((text) => begin(text, inForce));
            }}
          />
        </div>
      </section>
      {drafts.length > 0 && (
        <section className="card p-4" data-testid="card-drafts">
          <h3 className="font-semibold">{words.drafts}</h3>
          <ul className="mt-1">
            {drafts.map((draft) => (
              <DraftLine key={draft.id} draft={draft} onOpen={() => setOpen(draft)} />
            ))}
          </ul>
        </section>
      )}
      <Versions versions={versions} />
    </div>
  );
}

function DraftLine({ draft, onOpen }: { draft: CardDraft; onOpen(): void }) {
  const { t, fmt } = useI18n();
  return (
    <li className="flex items-center gap-3 border-t border-line py-2 first:border-0">
      <span className="min-w-0 flex-1">
        <span className="font-medium">{draft.name ?? t.criteria.unreadableDraft}</span>{' '}
        <span className="text-[0.85rem] text-ink-faint">{t.criteria.savedBy(draft.author, fmt.dateTime(draft.saved_at))}</span>
      </span>
      <Button size="sm" icon="edit" onClick={onOpen}>
        {t.criteria.goOn}
      </Button>
    </li>
  );
}

function Versions({ versions }: { versions: readonly CardVersion[] }) {
  const { t, fmt } = useI18n();
  const words = t.criteria;
  const errorText = useErrorText();
  const activate = useActivate();
  const [all, setAll] = useState(false);
  const [asked, setAsked] = useState<CardVersion | null>(null);
  const [compared, setCompared] = useState<CardVersion | null>(null);
  const inForce = versions.find((version) => version.in_force) ?? null;
  const shown = all ? versions : versions.slice(0, FIRST_SHOWN);
  return (
    <section className="card p-4" data-testid="card-versions">
      <h3 className="font-semibold">{words.versions}</h3>
      <ul className="mt-1">
        {shown.map((version) => (
          <li key={`${version.id} ${version.version}`} className="border-t border-line py-2 first:border-0">
            <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
              <span className="min-w-48 flex-1">
                <span className="font-medium">{words.versionOf(version.name, version.version)}</span>
                {version.in_force && <span className="ml-2 rounded bg-good-soft px-1.5 text-[0.8rem] font-medium text-good">{words.current}</span>}
                <span className="block text-[0.85rem] text-ink-faint">
                  {version.origin ? words.origins[version.origin] : words.origins.built_in}
                  {version.author && `, ${version.author}`}
                  {version.created_at && `, ${fmt.dateTime(version.created_at)}`}
                  {version.comment && ` · ${version.comment}`}
                </span>
              </span>
              {!version.in_force && (
                <Button size="sm" onClick={() => setCompared(compared === version ? null : version)} aria-expanded={compared === version}>
                  {words.compare}
                </Button>
              )}
              <a
                className="inline-flex h-8 items-center rounded-lg border border-line px-2.5 text-[0.85rem] font-medium hover:bg-sunken"
                href={`api/v1/scorecards/${encodeURIComponent(version.id)}/versions/${version.version}/file`}
                download
              >
                {words.export}
              </a>
              {!version.in_force && (
                <Button size="sm" onClick={() => setAsked(version)}>
                  {words.activate}
                </Button>
              )}
            </div>
            {compared === version && inForce && <Comparison version={version} inForce={inForce} />}
          </li>
        ))}
      </ul>
      {versions.length > shown.length && (
        <Button size="sm" kind="ghost" onClick={() => setAll(true)}>
          {t.progress.showAll(versions.length - shown.length)}
        </Button>
      )}
      {asked && (
        <ConfirmDialog
          title={words.activateTitle}
          text={words.activateText(asked.name, asked.version)}
          confirmLabel={words.activate}
          busy={activate.isPending}
          onCancel={() => setAsked(null)}
          onConfirm={() =>
            activate.mutate(
              { id: asked.id, version: asked.version },
              { onSuccess: () => setAsked(null), onError: (error) => toast(errorText(error), 'bad') },
            )
          }
        />
      )}
    </section>
  );
}

/** What returning to a version would change. */
function Comparison({ version, inForce }: { version: CardKey; inForce: CardKey }) {
  const { t } = useI18n();
  const errorText = useErrorText();
  const before = useCard(inForce);
  const after = useCard(version);
  if (before.isError || after.isError) return <Notice tone="bad">{errorText(before.error ?? after.error)}</Notice>;
  if (!before.data || !after.data) return <Loading />;
  return <ChangeList title={t.criteria.changesTo(inForce.version, version.version)} changes={diffCards(before.data.document, after.data.document)} />;
}
