/** What people say of an item: the word in force, the dispute, and the buttons to say something. */
import { useId, useState } from 'react';
import { ApiError } from '../../api/client';
import { useReviewItem, useReviews } from '../../api/reviews';
import type { Item, ReviewRequest, Verdict } from '../../api/types';
import { useDecides, useMay } from '../../app/may';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { Icon } from '../../ui/Icon';
import { ErrorState, Loading, Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';

export type Step = Exclude<ReviewRequest['act'], 'confirm'>;

/** What a review is about: an item of a score, or a dispute in the list. */
export interface Subject {
  callId: string;
  item: string;
  name: string;
  verdict: Verdict;
  revision: number;
}

export function ItemReview({ item, callId }: { item: Item; callId: string }) {
  const { t, fmt, nameOf } = useI18n();
  const errorText = useErrorText();
  const review = useReviewItem(callId);
  const [open, setOpen] = useState<Step | 'history' | null>(null);
  const name = nameOf(item);
  const subject: Subject = { callId, item: item.key, name, verdict: item.verdict, revision: item.revision };
  const word = item.review;
  const agree = () =>
    review.mutate(
      { item: item.key, act: 'confirm', seen_verdict: item.verdict, revision: item.revision },
      { onSuccess: () => toast(t.review.done.confirm), onError: (error) => toast(errorText(error), 'bad') },
    );
  const action = (step: Step, label: string) => (
    <Action key={step} testId={`review-${step}`} label={label} onClick={() => setOpen(step)} />
  );
  const may = useMay('reviews:write');
  const decides = useDecides();
  const canAgree = decides && !word && item.verdict !== 'unconfirmed';
  return (
    <div className="mt-2 flex flex-col gap-1.5">
      {word && <WordNote item={item} />}
      {item.dispute && (
        <div data-testid="dispute">
          <Notice tone="fair">
            {t.review.disputed(item.dispute.author, fmt.dateTime(item.dispute.at))}
            <span className="block break-words whitespace-pre-line text-ink">{item.dispute.comment}</span>
          </Notice>
        </div>
      )}
      <div role="group" aria-label={t.review.actions(name)} className="-ml-1.5 flex flex-wrap items-center gap-x-1">
        {!may ? null : item.dispute ? (
          decides && <>
            {action('accept', t.review.accept)}
            {action('decline', t.review.decline)}
          </>
        ) : (
          <>
            {canAgree && (
              <Action testId="review-confirm" icon label={t.review.agree} title={t.review.agreeHint} busy={review.isPending} onClick={agree} />
            )}
            {decides && action('change', t.review.change)}
            {decides && word && action('withdraw', t.review.withdraw)}
            {action('dispute', t.review.dispute)}
          </>
        )}
        {item.revision > 0 && <Action testId="review-history" label={t.review.history} onClick={() => setOpen('history')} />}
      </div>
      {open === 'history' && <HistoryDialog subject={subject} onClose={() => setOpen(null)} />}
      {open && open !== 'history' && <ReviewDialog step={open} subject={subject} onClose={() => setOpen(null)} />}
    </div>
  );
}

interface ActionProps {
  testId: string;
  label: string;
  title?: string;
  icon?: boolean;
  busy?: boolean;
  onClick(): void;
}

/** Quiet until it is looked for: there are three at each of two dozen items. */
function Action({ testId, label, title, icon, busy, onClick }: ActionProps) {
  return (
    <button
      type="button"
      data-testid={testId}
      title={title}
      disabled={busy}
      className="inline-flex h-7 items-center gap-1 rounded-md px-1.5 text-[0.82rem] font-medium text-ink-faint transition-colors hover:bg-sunken hover:text-accent max-sm:h-9 disabled:opacity-60"
      onClick={onClick}
    >
      {icon && <Icon name="check" className="size-3.5" />}
      {label}
    </button>
  );
}

/** Who said what, when and why; both verdicts, where they differ. */
function WordNote({ item }: { item: Item }) {
  const { t, fmt } = useI18n();
  const word = item.review;
  if (!word) return null;
  const when = fmt.dateTime(word.at);
  const differs = item.verdict !== item.machine_verdict;
  const head =
    word.act === 'confirmed'
      ? t.review.confirmed(word.author, when)
      : word.act === 'declined'
        ? t.review.declined(word.author, when)
        : t.review.changed(word.author, when);
  return (
    <div
      data-testid="review-word"
      data-act={word.act}
      className={`rounded-lg px-2.5 py-1.5 text-[0.88rem] ${differs ? 'bg-accent-soft' : 'bg-sunken/60'}`}
    >
      <p className="flex flex-wrap items-baseline gap-x-2">
        <span className={differs ? 'font-medium text-accent' : 'text-ink-soft'}>{head}</span>
        {differs && (
          <span className="text-ink-soft">
            <s>{t.review.machine(t.score.verdicts[item.machine_verdict])}</s> → {t.review.human(t.score.verdicts[item.verdict])}
          </span>
        )}
      </p>
      {word.comment && <p className="break-words whitespace-pre-line">{word.comment}</p>}
      {(word.other_scorecard || word.machine_changed) && (
        <p className="mt-0.5 text-fair">
          {word.other_scorecard && t.review.otherCard(word.scorecard_version)}{' '}
          {word.machine_changed && t.review.machineChanged(t.score.verdicts[word.machine_then])}
        </p>
      )}
    </div>
  );
}

const CHOICES = ['met', 'failed', 'not_applicable'] as const;

/** Asks for the verdict where one is needed, and for the reason. */
export function ReviewDialog({ step, subject, onClose }: { step: Step; subject: Subject; onClose(): void }) {
  const { t } = useI18n();
  const errorText = useErrorText();
  const id = useId();
  const review = useReviewItem(subject.callId);
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [comment, setComment] = useState('');
  const [fault, setFault] = useState<string | null>(null);
  const chooses = step === 'change' || step === 'accept';
  const choices = CHOICES.filter((choice) => choice !== subject.verdict);
  const optional = step === 'withdraw';
  const stale = review.error instanceof ApiError && review.error.code === 'stale_review';

  function submit(event: React.FormEvent) {
    event.preventDefault();
    const problem =
      chooses && !(verdict && verdict !== subject.verdict) ? t.review.needVerdict : !optional && !comment.trim() ? t.review.needComment : null;
    setFault(problem);
    if (problem) return;
    review.mutate(
      {
        item: subject.item,
        act: step,
        ...(chooses && verdict && { verdict }),
        comment: comment.trim(),
        seen_verdict: subject.verdict,
        revision: subject.revision,
      },
      {
        onSuccess: () => {
          toast(t.review.done[step]);
          onClose();
        },
      },
    );
  }

  return (
    <Dialog title={t.review.dialogs[step]} text={t.review.explain[step]} testId="review-dialog" onClose={onClose}>
      <form className="mt-4 flex flex-col gap-4" noValidate onSubmit={submit}>
        <div className="rounded-lg bg-sunken px-3 py-2">
          <p className="font-medium break-words">{subject.name}</p>
          <p className="text-[0.88rem] text-ink-soft">{t.review.now(t.score.verdicts[subject.verdict])}</p>
        </div>
        {chooses && (
          <fieldset>
            <legend className="label">{t.review.verdict}</legend>
            <div className="flex flex-col gap-1.5">
              {choices.map((choice) => (
                <label key={choice} className="flex cursor-pointer items-center gap-2">
                  <input type="radio" name={`${id}-verdict`} checked={verdict === choice} onChange={() => setVerdict(choice)} />
                  {t.score.verdicts[choice]}
                </label>
              ))}
            </div>
          </fieldset>
        )}
        <div>
          <label className="label" htmlFor={`${id}-comment`}>
            {optional ? t.review.commentOptional : t.review.comment}
          </label>
          <textarea
            id={`${id}-comment`}
            data-testid="review-comment"
            className="field h-auto! py-2"
            rows={3}
            maxLength={2000}
            value={comment}
            aria-invalid={fault === t.review.needComment || undefined}
            onChange={(event) => setComment(event.target.value)}
          />
        </div>
        <div role="alert" hidden={!fault && !review.isError}>
          {fault ? (
            <Notice tone="bad">{fault}</Notice>
          ) : (
            review.isError && (
              <Notice tone="bad">
                {errorText(review.error)} {stale && t.review.staleNow(t.score.verdicts[subject.verdict])}
              </Notice>
            )
          )}
        </div>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" busy={review.isPending} data-testid="review-submit">
            {t.review.submit}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** All that people did about an item, the newest first. */
function HistoryDialog({ subject, onClose }: { subject: Subject; onClose(): void }) {
  const { t, fmt } = useI18n();
  const query = useReviews(subject.callId);
  const entries = query.data?.find((one) => one.item === subject.item)?.entries ?? [];
  return (
    <Dialog title={t.review.historyOf(subject.name)} wide testId="review-history-dialog" onClose={onClose}>
      {query.isPending && <Loading />}
      {query.isError && <ErrorState title={t.review.history} error={query.error} onRetry={() => void query.refetch()} />}
      <ol className="mt-4 flex max-h-[60vh] flex-col divide-y divide-line overflow-y-auto">
        {entries.toReversed().map((entry, index) => (
          <li key={index} className="py-2.5">
            <p>
              <span className="font-medium">{entry.author}</span> {t.review.acts[entry.act]}
              {entry.from !== entry.to && (
                <span className="text-ink-soft">
                  : {t.score.verdicts[entry.from].toLowerCase()} → {t.score.verdicts[entry.to].toLowerCase()}
                </span>
              )}
            </p>
            {entry.comment && <p className="break-words whitespace-pre-line text-ink-soft">{entry.comment}</p>}
            <p className="text-[0.82rem] text-ink-faint">
              {fmt.dateTime(entry.at)} · {t.review.machine(t.score.verdicts[entry.machine])} ·{' '}
              {t.review.onVersion(entry.scorecard_version, entry.transcript_version == null ? t.common.dash : String(entry.transcript_version))}
            </p>
          </li>
        ))}
      </ol>
      <div className="mt-5 flex justify-end">
        <Button onClick={onClose}>{t.common.close}</Button>
      </div>
    </Dialog>
  );
}
