import { useId, useState, type ReactNode } from 'react';
import { useCalltouch, useMango, useResume, useSync, type System } from '../../api/outside';
import type { Lane } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { isoDay } from '../../ui/periods';
import { Facts, Section } from './parts';

/** MANGO OFFICE: where it sends events, and how the downloads stand. */
export function MangoSection() {
  const { t } = useI18n();
  const words = t.outside.mango;
  const mango = useMango().data;
  if (!mango) return null;
  return (
    <Section title={words.title}>
      {mango.enabled ? (
        <>
          <Address label={words.address} hint={words.addressHint} path={mango.events_path} />
          {mango.lane && <LaneState lane={mango.lane} system="mango" />}
          <SyncForm system="mango" />
        </>
      ) : (
        <p className="text-ink-soft">{words.off}</p>
      )}
    </Section>
  );
}

/** Calltouch: the address of the webhook, and how the downloads stand. */
export function CalltouchSection() {
  const { t } = useI18n();
  const words = t.outside.calltouch;
  const calltouch = useCalltouch().data;
  if (!calltouch) return null;
  return (
    <Section title={words.title}>
      <Address label={words.webhook} hint={words.webhookHint} path={calltouch.webhook_path} />
      {calltouch.lanes.length === 0 ? (
        <p className="mt-4 text-ink-soft">{words.noSites}</p>
      ) : (
        <>
          {calltouch.lanes.map((lane) => (
            <LaneState key={lane.name} lane={lane} system="calltouch" title={words.site(lane.name.replace('calltouch/', ''))} />
          ))}
          {calltouch.sync_at && <p className="mt-3 text-ink-soft">{words.syncAt(calltouch.sync_at)}</p>}
          <SyncForm system="calltouch" />
        </>
      )}
    </Section>
  );
}

function Address({ label, hint, path }: { label: string; hint: string; path: string }) {
  const { t } = useI18n();
  const id = useId();
  const address = new URL(path, document.baseURI).toString();
  return (
    <div>
      <label className="label" htmlFor={id}>
        {label}
      </label>
      <div className="flex gap-2">
        <input id={id} className="field font-mono text-[0.85rem]" readOnly value={address} onFocus={(event) => event.target.select()} />
        <Button
          onClick={() =>
            // Without HTTPS a browser has no clipboard: the field can be copied by hand.
            void navigator.clipboard?.writeText(address).then(() => toast(t.outside.calltouch.copied))
          }
        >
          {t.outside.calltouch.copy}
        </Button>
      </div>
      <p className="mt-1 text-[0.85rem] text-ink-faint">{hint}</p>
    </div>
  );
}

function LaneState({ lane, system, title }: { lane: Lane; system: System; title?: string }) {
  const { t, fmt } = useI18n();
  const words = t.outside.lanes;
  const errorText = useErrorText();
  const resume = useResume(system);
  const rows: [string, ReactNode][] = [
    [words.waiting, lane.waiting],
    [words.failed, lane.failed],
    [words.synced, lane.synced_at ? `${fmt.dateTime(lane.synced_at)} · ${lane.synced ?? ''}` : words.never],
  ];
  if (lane.paused_until) rows.push([words.paused, fmt.dateTime(lane.paused_until)]);
  if (lane.last_error && lane.last_error_at) rows.push([words.lastError, `${fmt.dateTime(lane.last_error_at)} · ${lane.last_error}`]);
  return (
    <div className="mt-4" data-testid={`lane-${lane.name}`}>
      {title && <h3 className="mb-2 font-semibold">{title}</h3>}
      {lane.stopped && (
        <div className="mb-3">
          <Notice tone="bad">
            {words.stopped}. {lane.stopped}
          </Notice>
        </div>
      )}
      <Facts rows={rows} />
      {lane.errands.length > 0 && (
        <details className="mt-2">
          <summary className="cursor-pointer font-medium">{words.errands}</summary>
          <ul className="mt-2 flex max-h-60 flex-col gap-1 overflow-y-auto text-[0.85rem]">
            {lane.errands.map((errand) => (
              <li key={errand.name} className="break-all">
                {errand.name} · {words.attempts(errand.attempts)}
                {errand.error && ` · ${errand.error}`}
                {errand.next_at && ` · ${fmt.dateTime(errand.next_at)}`}
              </li>
            ))}
          </ul>
        </details>
      )}
      {(lane.stopped || lane.failed > 0) && (
        <Button
          className="mt-3"
          busy={resume.isPending}
          onClick={() =>
            resume.mutate(undefined, {
              onSuccess: (n) => toast(words.resumed(n)),
              onError: (error) => toast(errorText(error), 'bad'),
            })
          }
        >
          {words.resume}
        </Button>
      )}
    </div>
  );
}

function SyncForm({ system }: { system: System }) {
  const { t } = useI18n();
  const words = t.outside.lanes;
  const errorText = useErrorText();
  const id = useId();
  const [from, setFrom] = useState(() => isoDay(new Date()));
  const [to, setTo] = useState(() => isoDay(new Date()));
  const sync = useSync(system);
  return (
    <form
      className="mt-4 flex flex-wrap items-end gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        sync.mutate({ date_from: from, date_to: to }, { onSuccess: (n) => toast(words.begun(n)) });
      }}
    >
      {(
        [
          ['from', words.from, from, setFrom],
          ['to', words.to, to, setTo],
        ] as const
      ).map(([name, label, value, set]) => (
        <div key={name}>
          <label className="label" htmlFor={`${id}-${name}`}>
            {label}
          </label>
          <input id={`${id}-${name}`} type="date" className="field" value={value} required onChange={(event) => set(event.target.value)} />
        </div>
      ))}
      <Button type="submit" busy={sync.isPending}>
        {words.sync}
      </Button>
      {sync.isError && <Notice tone="bad">{errorText(sync.error)}</Notice>}
    </form>
  );
}
