import { useState } from 'react';
import { useDisputes } from '../../api/reviews';
import type { Dispute, DisputeState } from '../../api/types';
import { useDecides } from '../../app/may';
import { callHref } from '../../app/router';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Pagination } from '../../ui/Pagination';
import { Segmented } from '../../ui/Segmented';
import { ErrorState, Loading } from '../../ui/States';
import { ReviewDialog, type Step } from './ItemReview';
import { Section } from './Section';

const PAGE_SIZE = 10;
const STATES = ['open', 'accepted', 'declined', 'all'] as const;

/** Disputes over all calls; open ones can be settled here. */
export function DisputesSection() {
  const { t } = useI18n();
  const [state, setState] = useState<DisputeState | 'all'>('open');
  const [page, setPage] = useState(1);
  const query = useDisputes(state, page, PAGE_SIZE);
  const pages = Math.max(1, Math.ceil((query.data?.total ?? 0) / PAGE_SIZE));
  // The last dispute of a page may have been settled: then the page before it is shown.
  if (query.data && !query.isPlaceholderData && page > pages) setPage(pages);
  return (
    <Section title={t.quality.disputes} count={query.data?.open} testId="disputes">
      <Segmented
        legend={t.quality.disputes}
        testId="dispute-state"
        value={state}
        onChange={(next) => {
          setState(next);
          setPage(1);
        }}
        options={STATES.map((value) => ({ value, label: t.quality.disputeStates[value] }))}
      />
      {query.isPending && <Loading />}
      {query.isError && <ErrorState title={t.quality.disputesError} error={query.error} onRetry={() => void query.refetch()} />}
      {query.data?.items.length === 0 && <p className="mt-4 text-ink-soft">{t.quality.noDisputes[state]}</p>}
      <ul className={`mt-2 flex flex-col divide-y divide-line ${query.isPlaceholderData ? 'opacity-60' : ''}`}>
        {query.data?.items.map((dispute) => (
          <DisputeRow key={`${dispute.call_id} ${dispute.item} ${dispute.opened.at}`} dispute={dispute} />
        ))}
      </ul>
      {pages > 1 && (
        <div className="mt-3 flex justify-end">
          <Pagination page={page} pages={pages} onPage={setPage} />
        </div>
      )}
    </Section>
  );
}

function DisputeRow({ dispute }: { dispute: Dispute }) {
  const { t, fmt, nameOf } = useI18n();
  const [step, setStep] = useState<Step | null>(null);
  const decides = useDecides();
  const { opened, settled } = dispute;
  const name = nameOf(dispute);
  const verdict = dispute.verdict ?? opened.to;
  return (
    <li data-testid="dispute-row" data-state={dispute.state} className="flex flex-wrap items-start justify-between gap-x-6 gap-y-2 py-3">
      <div className="min-w-0 flex-1 basis-72">
        <p className="font-medium break-words">{name}</p>
        <p className="text-[0.88rem] text-ink-soft">
          <a className="font-medium text-accent underline-offset-4 hover:underline" href={callHref(dispute.call_id)}>
            {dispute.filename}
          </a>
          {dispute.operator && ` · ${dispute.operator}`} · {fmt.dateTime(dispute.call_at)}
        </p>
        <p className="mt-1 break-words whitespace-pre-line">{opened.comment}</p>
        <p className="text-[0.85rem] text-ink-faint">
          {t.review.disputed(opened.author, fmt.dateTime(opened.at))}
          {dispute.state === 'open' && ` · ${t.review.now(t.score.verdicts[verdict])}`}
          {dispute.machine_verdict && ` · ${t.review.machine(t.score.verdicts[dispute.machine_verdict])}`}
        </p>
        {settled && (
          <p className="mt-1 rounded-lg bg-sunken px-2.5 py-1.5 text-[0.9rem]">
            <span className="font-medium">
              {t.quality.settled(
                settled.act === 'accepted' ? t.quality.accepted : t.quality.declinedState,
                settled.author,
                fmt.dateTime(settled.at),
              )}
            </span>
            {settled.from !== settled.to &&
              ` · ${t.score.verdicts[settled.from].toLowerCase()} → ${t.score.verdicts[settled.to].toLowerCase()}`}
            <span className="block break-words whitespace-pre-line text-ink-soft">{settled.comment}</span>
          </p>
        )}
        {dispute.state === 'open' && dispute.verdict == null && <p className="text-[0.88rem] text-fair">{t.quality.goneItem}</p>}
      </div>
      {decides && dispute.state === 'open' && (
        <div className="flex gap-2">
          {dispute.verdict != null && (
            <Button size="sm" data-testid="dispute-accept" onClick={() => setStep('accept')}>
              {t.review.accept}
            </Button>
          )}
          <Button size="sm" data-testid="dispute-decline" onClick={() => setStep('decline')}>
            {t.review.decline}
          </Button>
        </div>
      )}
      {step && (
        <ReviewDialog
          step={step}
          subject={{ callId: dispute.call_id, item: dispute.item, name, verdict, revision: dispute.revision }}
          onClose={() => setStep(null)}
        />
      )}
    </li>
  );
}
