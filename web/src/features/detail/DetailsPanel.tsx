import { useId, useState, type ReactNode } from 'react';
import { usePayloads } from '../../api/outside';
import type { Details, Source } from '../../api/types';
import { useI18n, type Dictionary, type Format } from '../../i18n';
import { Button } from '../../ui/Button';
import { ErrorState, Loading } from '../../ui/States';

type Name = keyof Dictionary['outside']['details']['names'];

/** Whether anything is told of the call beside its sound. */
export function hasDetails(details: Details): boolean {
  return Boolean(details.caller || details.called || details.operator_name || details.external_ids.length > 0 || details.tags.length > 0);
}

/** What is told of a call besides its sound: by the name of the file, the exchange, the advertising system. */
export function DetailsPanel({ callId, source, details }: { callId: string; source: Source; details: Details }) {
  const { t, fmt } = useI18n();
  const titleId = useId();
  const [open, setOpen] = useState(false);
  return (
    <section aria-labelledby={titleId} data-testid="call-details" className="card p-4 sm:p-5">
      <h2 id={titleId} className="text-[1.05rem] font-semibold">
        {t.outside.details.title}
      </h2>
      <dl className="mt-2 divide-y divide-line">
        {rows(source, details, t, fmt).map(([name, value]) => (
          <div key={name} data-detail={name} className="flex items-baseline justify-between gap-4 py-1.5">
            <dt className="min-w-0 text-ink-soft">{t.outside.details.names[name]}</dt>
            <dd className="max-w-[65%] text-right font-medium break-words">{value}</dd>
          </div>
        ))}
      </dl>
      <Button size="sm" className="mt-3" aria-expanded={open} data-testid="show-payloads" onClick={() => setOpen(!open)}>
        {t.outside.details.showPayloads}
      </Button>
      {open && <PayloadList callId={callId} />}
    </section>
  );
}

function PayloadList({ callId }: { callId: string }) {
  const { t, fmt } = useI18n();
  const query = usePayloads(callId);
  if (query.isError) return <ErrorState title={t.outside.details.payloads} error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Loading />;
  if (query.data.items.length === 0) return <p className="mt-3 text-ink-soft">{t.outside.details.noPayloads}</p>;
  return (
    <ol aria-label={t.outside.details.payloads} className="mt-3 flex flex-col gap-3">
      {query.data.items.map((payload) => (
        <li key={`${payload.received_at} ${payload.method}`} data-testid="payload">
          <p className="text-[0.85rem] text-ink-soft">
            {fmt.dateTime(payload.received_at)} · {payload.method}
          </p>
          <pre className="mt-1 overflow-x-auto rounded-lg bg-sunken p-3 text-[0.82rem] break-all whitespace-pre-wrap">{payload.body}</pre>
        </li>
      ))}
    </ol>
  );
}

function rows(source: Source, d: Details, t: Dictionary, fmt: Format): [Name, ReactNode][] {
  const words = t.outside.details;
  const flag = (value: boolean | null | undefined) => (value == null ? null : value ? words.yes : words.no);
  const span = (value: number | null | undefined) => (value == null ? null : fmt.span(value));
  const traffic = [d.traffic.source, d.traffic.medium, d.traffic.campaign, d.traffic.content].filter(Boolean).join(' · ');
  const name = d.name_recognised == null ? null : d.name_recognised ? words.recognised(d.name_pattern ?? '') : words.unrecognised;
  const all: [Name, ReactNode][] = [
    ['source', t.outside.sources[source]],
    ['caller', d.caller?.text],
    ['called', d.called?.text],
    ['operator_phone', d.operator_phone?.text],
    ['extension', d.extension],
    ['operator_name', d.operator_name],
    ['operator_by', d.operator_by && words.operatorBy[d.operator_by]],
    ['line', d.line?.text],
    ['redirect', d.redirect?.text],
    ['order_ids', d.order_ids.join(', ')],
    ['traffic', traffic],
    ['keyword', d.traffic.keyword],
    ['tags', d.tags.join(', ')],
    ['unique', flag(d.unique)],
    ['target', flag(d.target)],
    ['answered', flag(d.answered)],
    ['waiting', span(d.waiting_ms)],
    ['told_duration', span(d.told_duration_ms)],
    ['url', d.url],
    ['comment', d.comment],
    ['external_ids', d.external_ids.map((one) => `${one.system}: ${one.id}`).join(', ')],
    ['name_pattern', name],
  ];
  return all.filter(([, value]) => value != null && value !== '');
}
