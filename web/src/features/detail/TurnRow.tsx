import { Fragment, memo } from 'react';
import type { Speaker, Turn, Word } from '../../api/types';
import { useI18n } from '../../i18n';
import { IconButton } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import type { PlayerController } from '../player/controller';

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

interface Props {
  turn: Turn;
  /** Place of its first word in the row of all words. */
  firstWord: number;
  player: PlayerController;
  /** Opens the turn for correction; absent where nothing can be corrected. */
  onEdit?: ((turn: Turn) => void) | undefined;
}

/** One turn: who, when, and words that can be heard. */
export const TurnRow = memo(function TurnRow({ turn, firstWord, player, onEdit }: Props) {
  const { t, fmt } = useI18n();
  const side = SIDES[turn.speaker];
  const speaker = t.speakers[turn.speaker];
  const time = fmt.clock(turn.start_ms);
  const corrected = turn.words.some((word) => word.corrected);
  return (
    <li data-testid="turn" data-turn={turn.index} data-speaker={turn.speaker} className={`turn group/turn flex gap-2.5 ${side.row}`}>
      <span
        aria-hidden="true"
        className={`mt-0.5 inline-flex size-7 shrink-0 items-center justify-center rounded-full text-[0.8rem] font-bold ${side.badge}`}
      >
        {t.speakers.short[turn.speaker]}
      </span>
      <div className="min-w-0">
        <div className={`mb-0.5 flex flex-wrap items-center gap-x-2 text-[0.82rem] ${turn.speaker === 'client' ? 'justify-end' : ''}`}>
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
          {onEdit && (
            <IconButton
              icon="edit"
              label={t.editing.edit(speaker, time)}
              data-testid="turn-edit"
              className="-my-1 size-7! lg:opacity-0 lg:group-hover/turn:opacity-100 lg:focus-visible:opacity-100"
              iconClassName="size-3.5"
              onClick={() => onEdit(turn)}
            />
          )}
          {corrected && (
            <span data-testid="turn-corrected" className="inline-flex items-center gap-1 text-ink-faint">
              <Icon name="check" className="size-3" />
              {t.editing.corrected}
            </span>
          )}
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
          data-corrected={word.corrected || undefined}
          title={word.corrected ? t.editing.correctedWord : unsure ? t.transcript.lowConfidence : undefined}
          tabIndex={index === 0 ? 0 : -1}
          className="word"
        >
          {word.text.trim()}
        </span>
      </Fragment>
    );
  });
}
