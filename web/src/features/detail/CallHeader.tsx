import { useState, type ReactNode } from 'react';
import { useCancelCall, useDeleteCall, usePatchCall } from '../../api/calls';
import { untrack } from '../../api/live';
import { isFinished, type CallDetail } from '../../api/types';
import { useMay } from '../../app/may';
import { lastListHref, navigate } from '../../app/router';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Icon } from '../../ui/Icon';
import { OperatorCombobox } from '../../ui/OperatorCombobox';
import { useErrorText } from '../../ui/States';
import { StatusBadge } from '../../ui/StatusBadge';
import { toast } from '../../ui/Toasts';
import { RetryDialog } from './RetryDialog';

/** What the call is, and what can be done with it. */
export function CallHeader({ detail }: { detail: CallDetail }) {
  const { t, fmt } = useI18n();
  const { call, recording } = detail;
  const languages: Record<string, string> = t.detail.languages;
  const language = detail.transcript?.language ?? call.language;
  const { channels } = recording;
  const file = [
    recording.codec ?? recording.container,
    recording.sample_rate_hz ? `${fmt.number(recording.sample_rate_hz / 1000, 1)} ${t.units.kHz}` : null,
    channels ? t.detail.channels(channels) : null,
    recording.dual_mono ? t.detail.dualMono : null,
    fmt.bytes(recording.size_bytes),
    call.media === 'video' ? t.results.video : null,
  ].filter(Boolean);

  return (
    <header className="flex flex-col gap-3">
      <a href={lastListHref()} className="inline-flex items-center gap-1 self-start rounded font-medium text-ink-soft hover:text-accent">
        <Icon name="chevronLeft" />
        {t.detail.back}
      </a>
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
          <h1 className="min-w-0 text-[1.35rem] leading-tight font-semibold break-all sm:text-2xl">{call.filename}</h1>
          <StatusBadge status={call.status} />
        </div>
        <Actions detail={detail} />
      </div>
      <dl className="flex flex-wrap gap-x-8 gap-y-2.5">
        <Fact name={t.detail.operator}>
          <OperatorEditor key={call.operator ?? ''} id={call.id} operator={call.operator ?? ''} />
        </Fact>
        {call.started_at && <Fact name={t.detail.startedAt}>{fmt.dateTime(call.started_at)}</Fact>}
        <Fact name={t.detail.uploadedAt}>{fmt.dateTime(call.created_at)}</Fact>
        <Fact name={t.detail.duration}>
          <span className="tabular">{fmt.clock(call.duration_ms)}</span>
        </Fact>
        {call.direction && <Fact name={t.direction.label}>{t.direction[call.direction]}</Fact>}
        <Fact name={t.detail.language}>{language ? (languages[language] ?? language) : '—'}</Fact>
        <Fact name={t.detail.file}>{file.join(' · ')}</Fact>
      </dl>
    </header>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-[0.8rem] text-ink-faint">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </div>
  );
}

function OperatorEditor({ id, operator }: { id: string; operator: string }) {
  const { t } = useI18n();
  const errorText = useErrorText();
  const patch = usePatchCall(id);
  const [editing, setEditing] = useState(false);
  const [draft, setDraft] = useState(operator);
  const may = useMay('calls:edit');

  const save = () =>
    patch.mutate(
      { operator: draft.trim() || null },
      {
        onSuccess: () => {
          setEditing(false);
          toast(t.detail.operatorSaved);
        },
        onError: (error) => toast(errorText(error), 'bad'),
      },
    );

  if (!editing) {
    return (
      <span className="inline-flex items-center gap-1">
        <span className={operator ? 'font-medium' : 'text-ink-faint'}>{operator || t.results.unknownOperator}</span>
        {may && <IconButton
          icon="edit"
          label={t.detail.editOperator}
          className="-my-2 size-8!"
          iconClassName="size-4"
          onClick={() => {
            setDraft(operator);
            setEditing(true);
          }}
        />}
      </span>
    );
  }
  return (
    <form
      className="flex flex-wrap items-center gap-1.5"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <div className="w-60">
        <OperatorCombobox label={t.detail.operator} hideLabel takesFocus value={draft} onChange={setDraft} onEscape={() => setEditing(false)} />
      </div>
      <Button kind="primary" type="submit" busy={patch.isPending}>
        {t.common.save}
      </Button>
      <Button kind="ghost" onClick={() => setEditing(false)}>
        {t.common.cancel}
      </Button>
    </form>
  );
}

function Actions({ detail }: { detail: CallDetail }) {
  const { t } = useI18n();
  const errorText = useErrorText();
  const { call } = detail;
  const patch = usePatchCall(call.id);
  const cancel = useCancelCall();
  const remove = useDeleteCall();
  const [asking, setAsking] = useState(false);
  const [again, setAgain] = useState(false);
  const finished = isFinished(call.status);
  const onError = (error: unknown) => toast(errorText(error), 'bad');
  const edits = useMay('calls:edit');
  const deletes = useMay('calls:delete');
  const canSwap = edits && finished && detail.transcript != null && (call.speakers === 'channels' || call.speakers === 'diarized');

  return (
    <div className="flex flex-wrap gap-2">
      {canSwap && (
        <Button
          size="sm"
          icon="swap"
          title={t.detail.swapHint}
          busy={patch.isPending}
          data-testid="swap-speakers"
          onClick={() => patch.mutate({ swap_speakers: true, version: detail.transcript?.version }, { onSuccess: () => toast(t.detail.swapped), onError })}
        >
          {patch.isPending ? t.detail.swapping : t.detail.swap}
        </Button>
      )}
      {edits && (finished ? (
        <Button size="sm" icon="retry" data-testid="retry" onClick={() => setAgain(true)}>
          {t.again.open}
        </Button>
      ) : (
        <Button
          size="sm"
          icon="close"
          busy={cancel.isPending}
          onClick={() => cancel.mutate(call.id, { onSuccess: () => toast(t.progress.cancelled), onError })}
        >
          {t.progress.cancel}
        </Button>
      ))}
      {deletes && <Button size="sm" kind="danger-quiet" icon="trash" data-testid="delete" onClick={() => setAsking(true)}>
        {t.detail.delete}
      </Button>}
      {again && <RetryDialog detail={detail} onClose={() => setAgain(false)} />}
      {asking && (
        <ConfirmDialog
          title={t.detail.deleteTitle}
          text={t.detail.deleteText(call.filename)}
          confirmLabel={t.detail.delete}
          busy={remove.isPending}
          onCancel={() => setAsking(false)}
          onConfirm={() =>
            remove.mutate(call.id, {
              onSuccess: () => {
                untrack(call.id);
                toast(t.detail.deleted);
                navigate(lastListHref(), 'replace');
              },
              onError: (error) => {
                setAsking(false);
                onError(error);
              },
            })
          }
        />
      )}
    </div>
  );
}
