import { useId, useState } from 'react';
import { useRetryWith } from '../../api/calls';
import type { Criterion, Evidence, Item, Score, Verdict } from '../../api/types';
import { useMay } from '../../app/may';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Icon, type IconName } from '../../ui/Icon';
import { ScoreBar, ScoreRing, ScoreText } from '../../ui/score';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import type { PlayerController } from '../player/controller';
import { ItemReview } from '../quality/ItemReview';
import { reasonText } from './reason';

interface Props {
  score: Score;
  player: PlayerController;
  /** The call, where it can be scored again. */
  callId?: string;
}

export function ScorePanel({ score, player, callId }: Props) {
  const { t, fmt, nameOf } = useI18n();
  const titleId = useId();
  const [onlyFailed, setOnlyFailed] = useState(false);
  const failures = score.criteria.flatMap((criterion) => criterion.items).filter((item) => item.verdict === 'failed').length;
  return (
    <section aria-labelledby={titleId} className="flex flex-col gap-4">
      <div className="card p-4 sm:p-5">
        <h2 id={titleId} className="sr-only">
          {t.score.title}
        </h2>
        <div className="flex items-center gap-5">
          <span data-testid="score-overall" data-percent={score.overall_percent ?? ''} className="inline-flex">
            <span className="sr-only">{t.score.overall}: </span>
            <ScoreRing percent={score.overall_percent} size={108} />
          </span>
          <ul className="flex min-w-0 flex-1 flex-col gap-2.5">
            {score.criteria.map((criterion) => (
              <li key={criterion.key}>
                <div className="flex items-baseline justify-between gap-2">
                  <span className="truncate">{nameOf(criterion)}</span>
                  <ScoreText percent={criterion.percent} className="font-semibold" />
                </div>
                <ScoreBar percent={criterion.percent} className="mt-0.5 h-1.5" />
              </li>
            ))}
          </ul>
        </div>
        {score.changed_items > 0 && (
          <p data-testid="both-percents" className="mt-3 text-[0.92rem] text-ink-soft">
            {t.review.both(fmt.percent(score.machine_percent), fmt.percent(score.overall_percent))}
          </p>
        )}
        <div className="mt-4 flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-t border-line pt-3">
          <p className={`inline-flex items-center gap-1.5 font-medium ${failures > 0 ? 'text-bad' : 'text-good'}`}>
            <Icon name={failures > 0 ? 'warning' : 'check'} />
            {failures > 0 ? t.score.failedCount(failures) : t.score.allMet}
          </p>
          {failures > 0 && (
            <button
              type="button"
              aria-pressed={onlyFailed}
              className="rounded font-medium text-accent underline decoration-accent/40 underline-offset-4"
              onClick={() => setOnlyFailed(!onlyFailed)}
            >
              {onlyFailed ? t.score.showAll : t.score.onlyFailed}
            </button>
          )}
        </div>
        {score.stale && (
          <div className="mt-3">
            <Notice tone="fair" action={callId && <RescoreButton callId={callId} />}>
              {score.stale_because === 'transcript' ? t.again.staleTranscript : t.score.stale}
            </Notice>
          </div>
        )}
      </div>
      <p data-testid="score-level" data-level={score.level} className={`px-1 text-[0.88rem] ${score.level > 2 ? 'text-fair' : 'text-ink-soft'}`}>
        {t.levels.of(score.level)} {t.levels.long[score.level - 1]}
      </p>
      <DisputesNotice score={score} />
      <ModelNotice score={score} />
      {score.criteria.map((criterion) => (
        <CriterionCard key={criterion.key} criterion={criterion} onlyFailed={onlyFailed} player={player} callId={callId} />
      ))}
      <p className="px-1 text-[0.82rem] text-ink-faint">{t.score.scorecard(score.scorecard.name, score.scorecard.version)}</p>
    </section>
  );
}

/** Which items are disputed; a click leads to one. */
function DisputesNotice({ score }: { score: Score }) {
  const { t, nameOf } = useI18n();
  if (score.open_disputes === 0) return null;
  const disputed = score.criteria.flatMap((criterion) => criterion.items).filter((item) => item.dispute);
  const gone = score.open_disputes - disputed.length;
  return (
    <div data-testid="disputes-notice">
      <Notice tone="fair">
        {disputed.length > 0 && t.review.openDisputes(disputed.length)}
        <ul>
          {disputed.map((item) => (
            <li key={item.key}>
              <button
                type="button"
                className="rounded text-left underline underline-offset-4"
                onClick={() => document.getElementById(itemId(item))?.scrollIntoView({ block: 'center' })}
              >
                {nameOf(item)}
              </button>
            </li>
          ))}
        </ul>
        {gone > 0 && (
          <a className="underline underline-offset-4" href="#/quality">
            {t.review.goneDisputes(gone)}
          </a>
        )}
      </Notice>
    </div>
  );
}

function itemId(item: Item): string {
  return `item-${item.key}`;
}

/** What a language model has to do with the score, where one is used. */
function ModelNotice({ score }: { score: Score }) {
  const { t, fmt } = useI18n();
  const note = score.model;
  if (!note) return null;
  const words = t.score.model;
  if (note.state === 'judged')
    return (
      <p data-testid="model-note" className="px-1 text-[0.88rem] text-ink-soft">
        {words.judged(note.model, fmt.number(note.confirmed), fmt.number(note.quotes))}
        {note.prompt && ` ${words.prompt(note.prompt.name, note.prompt.version)}`}
      </p>
    );
  const codes: Record<string, string> = words.codes;
  const why = note.code ? (codes[note.code] ?? note.message) : null;
  return (
    <div data-testid="model-note">
      <Notice tone={note.state === 'failed' || why ? 'fair' : 'info'}>
        {note.state === 'failed' ? words.failed : words.waiting}
        {why && ` ${why}`}
      </Notice>
    </div>
  );
}

function RescoreButton({ callId }: { callId: string }) {
  const { t } = useI18n();
  const errorText = useErrorText();
  const retry = useRetryWith(callId);
  const may = useMay('calls:edit');
  if (!may) return null;
  return (
    <Button
      size="sm"
      icon="retry"
      busy={retry.isPending}
      onClick={() => retry.mutate({ from: 'score' }, { onError: (error) => toast(errorText(error), 'bad') })}
    >
      {t.again.rescore}
    </Button>
  );
}

const ORDER: Record<Verdict, number> = { failed: 0, unconfirmed: 1, met: 2, not_applicable: 3 };

interface CriterionProps {
  criterion: Criterion;
  onlyFailed: boolean;
  player: PlayerController;
  callId?: string;
}

function CriterionCard({ criterion, onlyFailed, player, callId }: CriterionProps) {
  const { t, fmt, nameOf } = useI18n();
  const titleId = useId();
  const items = criterion.items
    .filter((item) => !onlyFailed || item.verdict === 'failed' || item.verdict === 'unconfirmed' || item.dispute)
    .toSorted((a, b) => ORDER[a.verdict] - ORDER[b.verdict]);
  const counted = criterion.items.filter((item) => item.verdict !== 'not_applicable');
  const met = counted.filter((item) => item.verdict === 'met').length;
  return (
    <article
      aria-labelledby={titleId}
      data-testid={`criterion-${criterion.key}`}
      data-percent={criterion.percent ?? ''}
      className="card overflow-hidden"
    >
      <header className="px-4 pt-3.5 pb-3 sm:px-5">
        <div className="flex items-baseline justify-between gap-3">
          <h3 id={titleId} className="min-w-0 text-[1.05rem] font-semibold">
            {nameOf(criterion)}
          </h3>
          {criterion.percent == null ? (
            <span className="text-ink-faint">{t.score.notScored}</span>
          ) : (
            <ScoreText percent={criterion.percent} className="text-[1.2rem] font-semibold" />
          )}
        </div>
        <p className="text-[0.85rem] text-ink-faint">
          {t.score.metOf(met, counted.length)} · {t.score.weight(fmt.number(criterion.weight, 2))}
        </p>
        {criterion.auto_failed && (
          <div className="mt-2">
            <Notice tone="bad">{t.score.autoFailed}</Notice>
          </div>
        )}
      </header>
      {items.length > 0 && (
        <ul className="divide-y divide-line border-t border-line">
          {items.map((item) => (
            <ItemRow key={item.key} item={item} player={player} callId={callId} />
          ))}
        </ul>
      )}
    </article>
  );
}

const VERDICTS: Record<Verdict, { icon: IconName; className: string }> = {
  met: { icon: 'check', className: 'bg-good-soft text-good' },
  failed: { icon: 'close', className: 'bg-bad-soft text-bad' },
  not_applicable: { icon: 'minus', className: 'bg-sunken text-ink-faint' },
  unconfirmed: { icon: 'warning', className: 'bg-fair-soft text-fair' },
};
const SHOWN_EVIDENCE = 3;

function ItemRow({ item, player, callId }: { item: Item; player: PlayerController; callId?: string }) {
  const { t, fmt, nameOf } = useI18n();
  const [all, setAll] = useState(false);
  const look = VERDICTS[item.verdict];
  const evidence = all ? item.evidence : item.evidence.slice(0, SHOWN_EVIDENCE);
  const more = item.evidence.length - evidence.length;
  return (
    <li id={itemId(item)} data-testid={`item-${item.key}`} data-verdict={item.verdict} className="flex gap-3 px-4 py-3 sm:px-5">
      <span aria-hidden="true" className={`mt-px inline-flex size-6 shrink-0 items-center justify-center rounded-full ${look.className}`}>
        <Icon name={look.icon} />
      </span>
      <div className="min-w-0 flex-1">
        <div className="flex flex-wrap items-baseline gap-x-2">
          <span className={`font-medium ${item.verdict === 'not_applicable' ? 'text-ink-soft' : ''}`}>{nameOf(item)}</span>
          <span className="sr-only">{t.score.verdicts[item.verdict]}</span>
          {item.auto_fail && (
            <span className="rounded bg-sunken px-1.5 text-[0.76rem] font-medium text-ink-soft">{t.score.autoFail}</span>
          )}
        </div>
        <p className="text-[0.88rem] text-ink-soft">
          {reasonText(item.reason, t, fmt)}
          {item.weight !== 1 && <span className="text-ink-faint"> · {t.score.weight(fmt.number(item.weight, 2))}</span>}
        </p>
        {item.comment && (
          <p className="text-[0.88rem] text-ink-soft">
            <span className="text-ink-faint">{t.score.modelSays}</span> {item.comment}
          </p>
        )}
        {evidence.length > 0 && (
          <ul className="mt-1.5 flex flex-col gap-1.5">
            {evidence.map((one, index) => (
              <li key={index}>
                <EvidenceButton evidence={one} verdict={item.verdict} player={player} />
              </li>
            ))}
          </ul>
        )}
        {more > 0 && (
          <button type="button" className="mt-1 rounded text-[0.88rem] font-medium text-accent underline-offset-4 hover:underline" onClick={() => setAll(true)}>
            {t.progress.showAll(more)}
          </button>
        )}
        {callId && <ItemReview item={item} callId={callId} />}
      </div>
    </li>
  );
}

function EvidenceButton({ evidence, verdict, player }: { evidence: Evidence; verdict: Verdict; player: PlayerController }) {
  const { t, fmt } = useI18n();
  const time = fmt.clock(evidence.start_ms);
  const colour = verdict === 'failed' ? 'hover:border-bad-fill' : 'hover:border-accent';
  return (
    <button
      type="button"
      data-testid="evidence"
      data-kind={evidence.kind}
      data-start-ms={evidence.start_ms}
      title={t.score.listenFrom(time)}
      className={`group flex w-full items-start gap-2.5 rounded-lg border border-line bg-sunken/50 px-2.5 py-1.5 text-left transition-colors ${colour}`}
      onClick={() => player.playFrom(evidence.start_ms)}
    >
      <span className="tabular mt-px inline-flex shrink-0 items-center gap-1 rounded-full bg-surface px-1.5 py-px text-[0.82rem] font-medium text-accent">
        <Icon name="play" className="size-3" />
        {time}
      </span>
      <span className="min-w-0 flex-1 text-[0.92rem] leading-snug">
        <span className="text-[0.82rem] text-ink-faint">
          {evidence.kind !== 'quote' && `${t.score.evidenceKinds[evidence.kind]}`}
          {evidence.kind === 'moment' && `: ${fmt.span(evidence.end_ms - evidence.start_ms)}`}
          {evidence.speaker !== 'unknown' && `${evidence.kind === 'quote' ? '' : ' · '}${t.speakers[evidence.speaker]}`}{' '}
        </span>
        {evidence.quote && <q className="break-words">{evidence.quote}</q>}
      </span>
    </button>
  );
}
