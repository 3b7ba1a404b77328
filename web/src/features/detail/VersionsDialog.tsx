import { useState } from 'react';
import { useRestoreVersion, useVersion, useVersions } from '../../api/calls';
import type { Version } from '../../api/types';
import { useMay } from '../../app/may';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { ErrorState, Loading, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';

/** Every version of the transcript: who made it, when and how; any can be read and put back. */
export function VersionsDialog({ callId, onClose }: { callId: string; onClose(): void }) {
  const { t } = useI18n();
  const query = useVersions(callId);
  const newest = query.data?.[0]?.version ?? 0;
  return (
    <Dialog title={t.versions.title} wide testId="versions" onClose={onClose}>
      {query.isError && <ErrorState title={t.versions.title} error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Loading />}
      <ol className="mt-4 flex max-h-[60vh] flex-col divide-y divide-line overflow-y-auto">
        {query.data?.map((version) => (
          <VersionRow key={version.version} callId={callId} version={version} newest={newest} onRestored={onClose} />
        ))}
      </ol>
      <div className="mt-5 flex justify-end">
        <Button onClick={onClose}>{t.common.close}</Button>
      </div>
    </Dialog>
  );
}

function VersionRow(props: { callId: string; version: Version; newest: number; onRestored(): void }) {
  const { callId, version, newest, onRestored } = props;
  const { t, fmt } = useI18n();
  const errorText = useErrorText();
  const restore = useRestoreVersion(callId);
  const may = useMay('calls:edit');
  const [shown, setShown] = useState(false);
  const { edit } = version;
  const what = {
    recognized: () => t.versions.recognized(version.model),
    swapped: () => t.versions.swapped,
    restored: () => t.versions.restored(String(version.restored_from ?? '')),
    edited: () => {
      const time = fmt.clock(edit?.start_ms);
      return edit?.speaker_changed ? t.versions.editedSpeaker(time) : t.versions.edited(time);
    },
  }[version.change]();
  return (
    <li data-testid="version" data-version={version.version} className="py-3">
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <div className="min-w-0">
          <p className="font-medium">
            {t.versions.number(version.version)}
            {version.current && (
              <span className="ml-2 rounded bg-good-soft px-1.5 text-[0.8rem] text-good">{t.versions.current}</span>
            )}
            <span className="ml-2 font-normal text-ink-soft">{what}</span>
          </p>
          <p className="text-[0.85rem] text-ink-faint">
            {version.author ?? t.versions.program} · {version.made_at ? fmt.dateTime(version.made_at) : t.versions.unknownTime}
          </p>
        </div>
        <div className="flex gap-2">
          <Button size="sm" kind="ghost" aria-expanded={shown} aria-label={t.versions.showThis(version.version)} onClick={() => setShown(!shown)}>
            {shown ? t.versions.hide : t.versions.show}
          </Button>
          {may && !version.current && (
            <Button
              size="sm"
              aria-label={t.versions.restoreThis(version.version)}
              data-testid="restore"
              busy={restore.isPending}
              onClick={() =>
                restore.mutate(
                  { version: version.version, seen: newest },
                  {
                    onSuccess: () => {
                      toast(t.versions.done);
                      onRestored();
                    },
                    onError: (error) => toast(errorText(error), 'bad'),
                  },
                )
              }
            >
              {t.versions.restore}
            </Button>
          )}
        </div>
      </div>
      {edit && edit.before !== edit.after && (
        <p className="mt-1.5 text-[0.9rem]">
          {edit.after ? <Difference before={edit.before} after={edit.after} /> : (
            <>
              <del className="text-ink-faint">{edit.before}</del> <em>{t.versions.removed}</em>
            </>
          )}
        </p>
      )}
      {shown && <VersionText callId={callId} version={version.version} />}
    </li>
  );
}

/** Two texts in one: what is the same at both ends stands once. */
function Difference({ before, after }: { before: string; after: string }) {
  const [old, now] = [before.split(' '), after.split(' ')];
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  const gone = old.slice(head, old.length - tail).join(' ');
  const come = now.slice(head, now.length - tail).join(' ');
  return (
    <>
      {now.slice(0, head).join(' ')} {gone && <del className="text-ink-faint">{gone}</del>}{' '}
      {come && <ins className="rounded bg-good-soft px-1 text-good no-underline">{come}</ins>}{' '}
      {tail > 0 && now.slice(-tail).join(' ')}
    </>
  );
}

function VersionText({ callId, version }: { callId: string; version: number }) {
  const { t, fmt } = useI18n();
  const errorText = useErrorText();
  const query = useVersion(callId, version);
  if (query.isPending) return <Loading />;
  if (query.isError) return <p role="alert">{errorText(query.error)}</p>;
  return (
    <div className="mt-2 max-h-72 overflow-y-auto rounded-lg bg-sunken p-3 text-[0.92rem]">
      <p className="mb-1 text-ink-faint">{t.versions.turns(query.data.turns.length)}</p>
      {query.data.turns.map((turn) => (
        <p key={turn.index}>
          <span className="tabular text-ink-faint">{fmt.clock(turn.start_ms)}</span>{' '}
          <span className="font-medium">{t.speakers[turn.speaker]}:</span> {turn.text}
        </p>
      ))}
    </div>
  );
}
