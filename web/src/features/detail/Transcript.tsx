import { useCallback, useId, useMemo, useRef, useState } from 'react';
import { usePatchCall } from '../../api/calls';
import { isFinished, type CallDetail, type TimeSpan, type Transcript as TranscriptData, type Turn } from '../../api/types';
import { useMay } from '../../app/may';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import type { PlayerController } from '../player/controller';
import { ExportMenu } from './ExportMenu';
import { FindBar } from './FindBar';
import { TurnEditor } from './TurnEditor';
import { TurnRow } from './TurnRow';
import { useFollow } from './useFollow';
import { VersionsDialog } from './VersionsDialog';
import { wordTimes } from './words';

interface Props {
  detail: CallDetail;
  transcript: TranscriptData;
  player: PlayerController;
  /** What the list was searched for: marked here too. */
  query: string;
}

/** Below this it is said that the roles are not certain. */
const SURE_FROM = 0.7;

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
  const { call } = detail;
  const speakers = call.speakers;
  const may = useMay('calls:edit');
  const editable = may && isFinished(call.status);
  // A turn is known by its start: its number changes when others are divided or joined.
  const [editedMs, setEditedMs] = useState<number | null>(null);
  const [history, setHistory] = useState(false);
  const edit = useCallback((turn: Turn) => setEditedMs(turn.start_ms), []);
  const stopEditing = useCallback(() => setEditedMs(null), []);
  const edited = editable ? transcript.turns.find((turn) => turn.start_ms === editedMs) : undefined;
  const rows = useMemo(() => rowsOf(transcript.turns, transcript.doubtful), [transcript.turns, transcript.doubtful]);

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
          <div className="flex flex-1 flex-wrap items-center justify-end gap-2">
            <label className="mr-auto sm:mr-1 inline-flex cursor-pointer items-center gap-2 text-ink-soft">
              <input
                type="checkbox"
                className="size-4 accent-accent"
                checked={follow}
                onChange={(event) => setFollow(event.target.checked)}
              />
              {t.transcript.follow}
            </label>
            <div className="flex gap-2">
              <Button size="sm" icon="clock" data-testid="history" onClick={() => setHistory(true)}>
                {t.versions.open}
              </Button>
              <ExportMenu callId={call.id} />
            </div>
          </div>
        </div>
        <FindBar scrollerRef={scrollerRef} words={plainWords} initial={query} onShow={jumpTo} />
        {transcript.incomplete && (
          <Notice tone="fair">
            {t.transcript.incomplete}{' '}
            {transcript.coverage_percent != null && `(${t.transcript.coverage(fmt.percent(transcript.coverage_percent))})`}
          </Notice>
        )}
        {(speakers === 'diarized' || speakers === 'unseparated') && (
          <Notice tone={speakers === 'diarized' ? 'info' : 'fair'}>{transcript.voices > 2 ? `${t.speakers.by[speakers]}. ${t.speakers.colleague}` : t.speakers.by[speakers]}</Notice>
        )}
        {transcript.operator_confidence != null && transcript.operator_confidence < SURE_FROM && (
          <Notice tone="fair" action={editable && <SwapButton callId={call.id} version={transcript.version} />}>
            {t.editing.rolesUnsure}
          </Notice>
        )}
      </div>
      {history && <VersionsDialog callId={call.id} onClose={() => setHistory(false)} />}
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
            {rows.map((row) =>
              'doubtful' in row ? (
                <DoubtfulRow key={`doubtful-${row.doubtful.start_ms}`} span={row.doubtful} player={player} />
              ) : row.turn === edited ? (
                <TurnEditor
                  key={keyOf(row.turn)}
                  callId={call.id}
                  turn={row.turn}
                  version={transcript.version}
                  unseparated={speakers === 'unseparated'}
                  onClose={stopEditing}
                />
              ) : (
                <TurnRow
                  key={keyOf(row.turn)}
                  turn={row.turn}
                  firstWord={times.firstOfTurn[row.turn.index] ?? 0}
                  player={player}
                  onEdit={editable ? edit : undefined}
                />
              ),
            )}
          </ol>
        )}
        <p id={`${titleId}-hint`} className="sr-only">
          {t.transcript.keyboardHint}
        </p>
      </div>
    </section>
  );
}

function keyOf(turn: Turn): string {
  return `${turn.start_ms}-${turn.end_ms}-${turn.speaker}`;
}

type Row = { turn: Turn } | { doubtful: TimeSpan };

/** The turns, with the places where words may be missing between them. */
function rowsOf(turns: readonly Turn[], doubtful: readonly TimeSpan[]): Row[] {
  const rows: Row[] = turns.map((turn) => ({ turn }));
  for (const span of doubtful.toReversed()) {
    const after = turns.findLastIndex((turn) => turn.start_ms <= span.start_ms);
    rows.splice(after + 1, 0, { doubtful: span });
  }
  return rows;
}

/** A thin line where words may be missing; it plays what is heard there. */
function DoubtfulRow({ span, player }: { span: TimeSpan; player: PlayerController }) {
  const { t, fmt } = useI18n();
  const time = fmt.clock(span.start_ms);
  return (
    <li data-testid="doubtful" className="flex items-center gap-2.5 text-[0.82rem] text-fair">
      <span aria-hidden="true" className="h-px flex-1 border-t border-dashed border-fair-fill" />
      <button
        type="button"
        aria-label={t.editing.playDoubtful(time)}
        className="inline-flex items-center gap-1.5 rounded px-1 hover:underline"
        onClick={() => player.playFrom(span.start_ms)}
      >
        <Icon name="play" className="size-3" />
        <span className="tabular">{time}</span>
        {t.editing.doubtful}
      </button>
      <span aria-hidden="true" className="h-px flex-1 border-t border-dashed border-fair-fill" />
    </li>
  );
}

function SwapButton({ callId, version }: { callId: string; version: number }) {
  const { t } = useI18n();
  const errorText = useErrorText();
  const patch = usePatchCall(callId);
  return (
    <Button
      size="sm"
      icon="swap"
      busy={patch.isPending}
      onClick={() =>
        patch.mutate(
          { swap_speakers: true, version },
          { onSuccess: () => toast(t.detail.swapped), onError: (error) => toast(errorText(error), 'bad') },
        )
      }
    >
      {t.detail.swap}
    </Button>
  );
}
