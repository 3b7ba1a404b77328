import { useId, useState } from 'react';
import { useErase, useErasures, usePreviewErasure, useRetention } from '../../api/audit';
import type { DoomedCall, Erasure, ErasurePreview } from '../../api/types';
import { callHref } from '../../app/router';
import { useI18n, type Dictionary } from '../../i18n';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { Section } from '../settings/parts';

/** Erasing what is kept of a client's number: first shown, then done, with reports. */
export function ErasureSection() {
  const { t } = useI18n();
  const words = t.erasure;
  const errorText = useErrorText();
  const id = useId();
  const [phone, setPhone] = useState('');
  const [asking, setAsking] = useState(false);
  const preview = usePreviewErasure();
  const erase = useErase();
  const found = preview.data;
  const nothing = found && found.total + found.notices + found.dropped_files + found.pulled_names === 0;
  return (
    <Section title={words.title}>
      <p className="mb-3 text-ink-soft">{words.about}</p>
      <form
        className="flex flex-wrap items-end gap-3"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          preview.mutate(phone);
        }}
      >
        <div className="min-w-52 flex-1">
          <label className="label" htmlFor={id}>
            {words.phone}
          </label>
          <input
            id={id}
            className="field"
            inputMode="tel"
            autoComplete="off"
            value={phone}
            onChange={(event) => {
              setPhone(event.target.value);
              preview.reset();
            }}
          />
        </div>
        <Button type="submit" busy={preview.isPending} disabled={phone.trim() === ''}>
          {words.find}
        </Button>
      </form>
      <div role="status" className="mt-3">
        {preview.isError && <Notice tone="bad">{errorText(preview.error)}</Notice>}
        {found && <Found found={found} />}
      </div>
      {found && !nothing && (
        <Button kind="danger" className="mt-3" onClick={() => setAsking(true)}>
          {words.erase}
        </Button>
      )}
      <Reports />
      {asking && found && (
        <ConfirmDialog
          title={words.confirmTitle}
          text={words.confirmText(found.total, found.masked)}
          confirmLabel={words.erase}
          busy={erase.isPending}
          onCancel={() => setAsking(false)}
          onConfirm={() =>
            erase.mutate(phone, {
              onSuccess: () => {
                toast(words.ordered);
                setPhone('');
                preview.reset();
              },
              onError: (error) => toast(errorText(error), 'bad'),
              onSettled: () => setAsking(false),
            })
          }
        />
      )}
    </Section>
  );
}

function Found({ found }: { found: ErasurePreview }) {
  const { t } = useI18n();
  const words = t.erasure;
  return (
    <>
      <p className="font-medium">{words.found(found.total)}</p>
      <p className="text-ink-soft">{words.besides(found.notices, found.dropped_files, found.pulled_names)}</p>
      <DoomedCalls calls={found.calls} total={found.total} />
    </>
  );
}

/** Where the number is, or which rule it is. */
function reasonText(reason: string, t: Dictionary): string {
  const rule = /^rule (\d+)$/.exec(reason)?.[1];
  return rule ? t.retention.byRule(rule) : (t.erasure.reasons[reason] ?? reason);
}

function DoomedCalls({ calls, total }: { calls: readonly DoomedCall[]; total: number }) {
  const { t, fmt } = useI18n();
  const words = t.erasure;
  if (calls.length === 0) return null;
  return (
    <>
      <ul className="mt-2 max-h-72 overflow-y-auto rounded-lg border border-line">
        {calls.map((call) => (
          <li key={call.id} className="flex flex-wrap gap-x-3 border-b border-line px-3 py-2 last:border-0">
            <a className="min-w-0 truncate font-medium text-accent hover:underline" href={callHref(call.id)}>
              <bdi>{call.filename}</bdi>
            </a>
            <span className="text-ink-soft">
              {fmt.dateTime(call.at)} · {reasonText(call.reason, t)}
            </span>
          </li>
        ))}
      </ul>
      {calls.length < total && <p className="mt-1 text-ink-soft">{words.shown(calls.length)}</p>}
    </>
  );
}

function Reports() {
  const { t } = useI18n();
  const words = t.erasure;
  const erasures = useErasures().data;
  if (!erasures) return null;
  return (
    <div className="mt-5">
      <h3 className="mb-2 font-medium">{words.reports}</h3>
      {erasures.items.length === 0 ? (
        <p className="text-ink-soft">{words.noReports}</p>
      ) : (
        <ul className="flex flex-col gap-2" data-testid="erasure-reports">
          {erasures.items.map((one) => (
            <Report key={one.id} one={one} />
          ))}
        </ul>
      )}
    </div>
  );
}

function Report({ one }: { one: Erasure }) {
  const { t, fmt } = useI18n();
  const words = t.erasure;
  return (
    <li>
      <span className="font-medium">{one.masked}</span>{' '}
      <span className="text-ink-soft">
        {fmt.dateTime(one.ordered_at)} · {one.done ? words.report(one.removed.calls, one.author) : words.running}
      </span>
      {one.left.map(({ reason, detail }) => (
        <Notice key={reason + detail} tone="bad">
          {words.left}: {[words.leftBy[reason], detail].filter(Boolean).join(' — ')}
        </Notice>
      ))}
    </li>
  );
}

/** For how long calls are kept, and what goes next. */
export function RetentionSection() {
  const { t } = useI18n();
  const words = t.retention;
  const retention = useRetention().data;
  if (!retention) return null;
  const sources: Record<string, string> = t.outside.sources;
  const statuses: Record<string, string> = t.status;
  return (
    <Section title={words.title}>
      {retention.rules.length === 0 ? (
        <p className="text-ink-soft">{words.none}</p>
      ) : (
        <>
          <p className="mb-2 text-ink-soft">{words.nightly(retention.at)}</p>
          <ol className="mb-3 list-decimal pl-5">
            {retention.rules.map((rule, index) => (
              <li key={index}>
                {words.rule(
                  rule.days,
                  rule.source ? (sources[rule.source] ?? rule.source) : words.anySource,
                  rule.status ? (statuses[rule.status] ?? rule.status) : words.anyStatus,
                )}
              </li>
            ))}
          </ol>
          <p className="font-medium">{words.due(retention.total)}</p>
          <DoomedCalls calls={retention.calls} total={retention.total} />
        </>
      )}
    </Section>
  );
}
