import { useEffect, useId, useState } from 'react';
import { useActiveCalls, useCancelCall, useRetryCall } from '../../api/calls';
import { refreshTracked, trackedStore, trackView, untrack, type TrackedCall } from '../../api/live';
import { useStore } from '../../api/store';
import { isFinished } from '../../api/types';
import { callHref } from '../../app/router';
import { usePollInterval } from '../../app/useLive';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { useErrorText } from '../../ui/States';
import { StatusBadge } from '../../ui/StatusBadge';
import { toast } from '../../ui/Toasts';
import { OverallBar, Stages } from './Stages';

const SHOWN_AT_FIRST = 4;

/** Calls being worked on, and those that ended since the page was opened, until they are hidden. */
export function ProgressView() {
  const { t } = useI18n();
  const titleId = useId();
  const active = useActiveCalls(usePollInterval());
  const tracked = useStore(trackedStore);
  const [expanded, setExpanded] = useState(false);

  useEffect(() => {
    const listed = active.data?.items;
    if (!listed) return;
    const ids = new Set(listed.map((call) => call.id));
    for (const call of listed) {
      // A frame of the live channel may be newer than this answer: progress never goes back.
      const known = trackedStore.get().get(call.id);
      if (!known || known.filename === null || isFinished(known.status) || known.progress <= call.progress) trackView(call);
    }
    // One that we believed at work and the server no longer lists has ended while we were not told.
    for (const call of trackedStore.get().values()) {
      if (!isFinished(call.status) && !ids.has(call.id)) void refreshTracked(call.id);
    }
  }, [active.data]);

  // One whose name never came has ended before we could ask: the list below has it.
  const calls = [...tracked.values()].filter((call) => call.filename !== null || !isFinished(call.status));
  if (calls.length === 0) return null;
  const working = calls.filter((call) => !isFinished(call.status)).length;
  // What runs comes first, then what ended, then what waits.
  const rank = (call: TrackedCall) => (call.status === 'processing' ? 0 : isFinished(call.status) ? 1 : 2);
  const sorted = calls.toSorted((a, b) => rank(a) - rank(b));
  const shown = expanded ? sorted : sorted.slice(0, SHOWN_AT_FIRST);
  const hidden = sorted.length - shown.length;
  return (
    <section aria-labelledby={titleId} className="card p-4 sm:p-5">
      <div className="mb-2 flex items-baseline justify-between gap-3">
        <h2 id={titleId} className="font-semibold">
          {t.progress.title}
        </h2>
        {working > 0 && <span className="text-ink-soft">{t.progress.count(working)}</span>}
      </div>
      <ul className="divide-y divide-line">
        {shown.map((call) => (
          <ProgressRow key={call.id} call={call} />
        ))}
      </ul>
      {(hidden > 0 || expanded) && (
        <Button kind="ghost" size="sm" className="mt-1" onClick={() => setExpanded(!expanded)}>
          {hidden > 0 ? t.progress.showAll(hidden) : t.progress.collapse}
        </Button>
      )}
    </section>
  );
}

function ProgressRow({ call }: { call: TrackedCall }) {
  const { t, fmt, errorText } = useI18n();
  const failureText = useErrorText();
  const cancel = useCancelCall();
  const retry = useRetryCall();
  const finished = isFinished(call.status);

  const act = (mutation: typeof cancel, done: string) =>
    mutation.mutate(call.id, {
      onSuccess: (view) => {
        trackView(view);
        toast(done);
      },
      onError: (error) => toast(failureText(error), 'bad'),
    });

  return (
    <li data-testid="progress-row" data-status={call.status} className="py-3 first:pt-1 last:pb-0">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <a
          href={callHref(call.id)}
          className="min-w-0 flex-1 truncate font-medium underline-offset-4 max-sm:basis-full hover:text-accent hover:underline"
          title={call.filename ?? call.id}
        >
          {call.filename ?? call.id}
        </a>
        {call.status === 'processing' && (
          <span className="tabular text-ink-soft">{fmt.percent(Math.round(call.progress * 100))}</span>
        )}
        <StatusBadge status={call.status} />
        {!finished && (
          <Button kind="ghost" size="sm" icon="close" busy={cancel.isPending} onClick={() => act(cancel, t.progress.cancelled)}>
            {t.progress.cancel}
          </Button>
        )}
        {(call.status === 'failed' || call.status === 'cancelled') && (
          <Button size="sm" icon="retry" busy={retry.isPending} onClick={() => act(retry, t.progress.retried)}>
            {t.progress.retry}
          </Button>
        )}
        {finished && (
          <IconButton icon="close" label={t.progress.dismiss} className="-my-1" onClick={() => untrack(call.id)} />
        )}
      </div>
      {call.status === 'failed' && call.error && <p className="mt-1 text-bad">{errorText(call.error)}</p>}
      {!finished && (
        <div className="mt-2">
          <OverallBar progress={call.progress} failed={false} />
        </div>
      )}
      <div className="mt-2">
        <Stages status={call.status} stage={call.stage} />
      </div>
    </li>
  );
}
