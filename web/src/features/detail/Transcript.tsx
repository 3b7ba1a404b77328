import { Fragment, memo, useCallback, useId, useMemo, useRef, useState } from 'react';
import type { CallDetail, Speaker, Transcript as TranscriptData, Turn, Word } from '../../api/types';
import { useI18n } from '../../i18n';
import { Icon } from '../../ui/Icon';
import { Notice } from '../../ui/States';
import type { PlayerController } from '../player/controller';
import { FindBar } from './FindBar';
import { useFollow } from './useFollow';
import { wordTimes } from './words';

interface Props {
  detail: CallDetail;
  transcript: TranscriptData;
  player: PlayerController;
  /** What the list was searched for: marked here too. */
  query: string;
}

/** What was said, by whom and when; every word can be heard, and the word being said is lit. */
export function Transcript({ detail, transcript, player, query }: Props) {
  const { t, fmt } = useI18n();
  const titleId = useId();
  const [follow, setFollow] = useState(true);
  const scrollerRef = useRef<HTMLDivElement>(null);
  const times = useMemo(() => wordTimes(transcript.turns), [transcript.turns]);
  const jumpTo = useFollow(scrollerRef, player, transcript.turns, times, follow);
  const plainWords = useMemo(
    () => transcript.turns.flatMap((turn) => turn.words.map((word) => word.text)),
    [transcript.turns],
  );
  const speakers = detail.call.speakers;

  const onWords = useCallback(
    (event: React.MouseEvent | React.KeyboardEvent) => {
      const word = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-word]') : null;
      if (!word) return;
      const index = Number(word.dataset['word']);
      if ('key' in event) {
        if (event.key === 'Enter' || event.key === ' ') {
          event.preventDefault();
          player.playFrom(times.startMs[index] ?? 0);
          return;
        }
        const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
        const next = step && scrollerRef.current?.querySelector<HTMLElement>(`[data-word="${index + step}"]`);
        if (!next) return;
        event.preventDefault();
        word.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
        return;
      }
      // Dragging over words selects text for copying; it does not start the sound.
      if (getSelection()?.toString()) return;
      player.playFrom(times.startMs[index] ?? 0);
    },
    [player, times],
  );

  return (
    <section aria-labelledby={titleId} className="card flex min-h-0 flex-1 flex-col">
      <div className="flex flex-col gap-2.5 border-b border-line p-4 sm:px-5">
        <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
          <h2 id={titleId} className="text-[1.05rem] font-semibold">
            {t.transcript.title}
          </h2>
          <label className="inline-flex cursor-pointer items-center gap-2 text-ink-soft">
            <input
              type="checkbox"
              className="size-4 accent-accent"
              checked={follow}
              onChange={(event) => setFollow(event.target.checked)}
            />
            {t.transcript.follow}
          </label>
        </div>
        <FindBar scrollerRef={scrollerRef} words={plainWords} initial={query} onShow={jumpTo} />
        {transcript.incomplete && (
          <Notice tone="fair">
            {t.transcript.incomplete}{' '}
            {transcript.coverage_percent != null && `(${t.transcript.coverage(fmt.percent(transcript.coverage_percent))})`}
          </Notice>
        )}
        {(speakers === 'diarized' || speakers === 'unseparated') && (
          <Notice tone={speakers === 'diarized' ? 'info' : 'fair'}>{t.speakers.by[speakers]}</Notice>
        )}
      </div>
      {/* The handlers stand here for all the words inside; each word is a button of its own. */}
      {/* oxlint-disable-next-line jsx-a11y/no-static-element-interactions */}
      <div
        ref={scrollerRef}
        className="relative min-h-0 flex-1 overflow-y-auto overscroll-contain p-4 sm:px-5"
        onClick={onWords}
        onKeyDown={onWords}
      >
        {transcript.turns.length === 0 ? (
          <p className="py-8 text-center text-ink-soft">{t.transcript.empty}</p>
        ) : (
          <ol className="flex flex-col gap-3" aria-describedby={`${titleId}-hint`}>
            {transcript.turns.map((turn, index) => (
              <TurnRow key={turn.index} turn={turn} firstWord={times.firstOfTurn[index] ?? 0} player={player} />
            ))}
          </ol>
        )}
        <p id={`${titleId}-hint`} className="sr-only">
          {t.transcript.keyboardHint}
        </p>
      </div>
    </section>
  );
}

const SIDES: Record<Speaker, { row: string; badge: string; bubble: string }> = {
  operator: { row: 'pr-6 sm:pr-14', badge: 'bg-operator text-surface', bubble: 'bg-operator-soft rounded-tl-sm' },
  client: {
    row: 'pl-6 sm:pl-14 flex-row-reverse text-right',
    badge: 'bg-client text-surface',
    bubble: 'bg-client-soft rounded-tr-sm',
  },
  unknown: { row: '', badge: 'bg-line-strong text-surface', bubble: 'bg-sunken rounded-tl-sm' },
};
const LABELS: Record<Speaker, string> = { operator: 'text-operator', client: 'text-client', unknown: 'text-ink-soft' };

const TurnRow = memo(function TurnRow(props: { turn: Turn; firstWord: number; player: PlayerController }) {
  const { turn, firstWord, player } = props;
  const { t, fmt } = useI18n();
  const side = SIDES[turn.speaker];
  const speaker = t.speakers[turn.speaker];
  const time = fmt.clock(turn.start_ms);
  return (
    <li data-testid="turn" data-turn={turn.index} data-speaker={turn.speaker} className={`turn flex gap-2.5 ${side.row}`}>
      <span
        aria-hidden="true"
        className={`mt-0.5 inline-flex size-7 shrink-0 items-center justify-center rounded-full text-[0.8rem] font-bold ${side.badge}`}
      >
        {t.speakers.short[turn.speaker]}
      </span>
      <div className="min-w-0">
        <div className={`mb-0.5 flex items-center gap-2 text-[0.82rem] ${turn.speaker === 'client' ? 'justify-end' : ''}`}>
          <span className={`font-semibold ${LABELS[turn.speaker]}`}>{speaker}</span>
          <button
            type="button"
            aria-label={t.transcript.playTurn(speaker, time)}
            className="tabular inline-flex items-center gap-1 rounded px-1 text-ink-faint hover:text-accent"
            onClick={() => player.playFrom(turn.start_ms)}
          >
            <Icon name="play" className="size-3" />
            {time}
          </button>
        </div>
        <p className={`bubble inline-block rounded-2xl px-3.5 py-2 text-left leading-relaxed ${side.bubble} ${LABELS[turn.speaker]}`}>
          <span className="text-ink">
            {turn.words.length > 0 ? <Words words={turn.words} first={firstWord} /> : turn.text}
          </span>
        </p>
      </div>
    </li>
  );
});

const UNSURE_BELOW = 0.4;

function Words({ words, first }: { words: readonly Word[]; first: number }) {
  const { t } = useI18n();
  return words.map((word, offset) => {
    const index = first + offset;
    const unsure = word.confidence < UNSURE_BELOW;
    return (
      <Fragment key={index}>
        {offset > 0 && ' '}
        <span
          role="button"
          data-testid="word"
          data-word={index}
          data-start-ms={word.start_ms}
          data-unsure={unsure || undefined}
          title={unsure ? t.transcript.lowConfidence : undefined}
          tabIndex={index === 0 ? 0 : -1}
          className="word"
        >
          {word.text.trim()}
        </span>
      </Fragment>
    );
  });
}
