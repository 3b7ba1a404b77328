import { useEffect, useRef, useState } from 'react';
import { useWaveform } from '../../api/calls';
import { apiUrl } from '../../api/client';
import type { CallDetail } from '../../api/types';
import { callHref } from '../../app/router';
import { useI18n } from '../../i18n';
import { IconButton } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { Notice } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import type { PlayerController } from './controller';
import { laneColours } from './lanes';
import { Waveform, type Mark } from './Waveform';

const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2] as const;
const JUMP_MS = 5000;
const SPEED_KEY = 'call-analytics.speed';

interface Props {
  detail: CallDetail;
  player: PlayerController;
  marks: readonly Mark[];
}

function savedSpeed(): number {
  try {
    const saved = Number(localStorage.getItem(SPEED_KEY));
    return SPEEDS.includes(saved as (typeof SPEEDS)[number]) ? saved : 1;
  } catch {
    return 1;
  }
}

/** Stays at the bottom of the window: the sound is one key away wherever the reader is. */
export function PlayerBar({ detail, player, marks }: Props) {
  const { t, fmt } = useI18n();
  const { call, recording } = detail;
  const audioRef = useRef<HTMLAudioElement>(null);
  const clockRef = useRef<HTMLSpanElement>(null);
  const [playing, setPlaying] = useState(false);
  const [broken, setBroken] = useState(false);
  const [speed, setSpeed] = useState(savedSpeed);
  const [mediaMs, setMediaMs] = useState<number | null>(null);
  const waveform = useWaveform(call.id, call.duration_ms != null);
  const lanes = laneColours(detail, waveform.data);
  const durationMs = call.duration_ms ?? waveform.data?.duration_ms ?? mediaMs ?? 0;

  useEffect(() => {
    const audio = audioRef.current;
    return audio ? player.attach(audio) : undefined;
  }, [player]);

  useEffect(() => {
    player.setSpeed(speed);
    try {
      localStorage.setItem(SPEED_KEY, String(speed));
    } catch {
      // Kept until the page is closed.
    }
  }, [player, speed]);

  useEffect(() => {
    const show = (ms: number) => {
      const clock = clockRef.current;
      const text = fmt.clock(ms);
      if (clock && clock.textContent !== text) clock.textContent = text;
    };
    show(player.timeMs);
    return player.onTime(show);
  }, [player, fmt]);

  useSpaceKey(player);

  return (
    <section
      aria-label={t.player.label}
      className="sticky bottom-0 z-20 -mx-3 mt-auto border-t border-line bg-surface px-3 pt-2 pb-2.5 shadow-[0_-6px_20px_rgb(0_0_0/0.06)] sm:-mx-6 sm:px-6 lg:mx-0 lg:rounded-[14px] lg:border lg:px-4 lg:shadow-card"
    >
      {/* The transcript beside it is the caption of this sound. */}
      {/* oxlint-disable-next-line jsx-a11y/media-has-caption */}
      <audio
        ref={audioRef}
        data-testid="audio"
        preload="metadata"
        src={apiUrl(`/audio/${encodeURIComponent(call.id)}`)}
        onPlay={() => {
          setPlaying(true);
          player.setSpeed(speed);
        }}
        onPause={() => setPlaying(false)}
        onEnded={() => setPlaying(false)}
        onError={() => setBroken(true)}
        onLoadedMetadata={(event) => {
          setBroken(false);
          const seconds = event.currentTarget.duration;
          if (Number.isFinite(seconds)) setMediaMs(seconds * 1000);
        }}
      />
      {broken && (
        <div className="mb-2" role="alert">
          <Notice tone="fair">{t.player.cannotPlay}</Notice>
        </div>
      )}
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 lg:flex-nowrap">
        <div className="order-2 flex items-center gap-1 lg:order-1">
          <IconButton icon="back5" label={t.player.back} onClick={() => player.seekBy(-JUMP_MS)} />
          <button
            type="button"
            data-testid="play"
            aria-label={playing ? t.player.pause : t.player.play}
            className="inline-flex size-11 items-center justify-center rounded-full bg-accent text-accent-ink hover:bg-accent-hover"
            onClick={() => player.toggle()}
          >
            <Icon name={playing ? 'pause' : 'play'} className="size-5" />
          </button>
          <IconButton icon="forward5" label={t.player.forward} onClick={() => player.seekBy(JUMP_MS)} />
          <span className="tabular ml-1 whitespace-nowrap text-ink-soft sm:min-w-26">
            <span ref={clockRef} className="font-medium text-ink">
              0:00
            </span>{' '}
            / {fmt.clock(durationMs || null)}
          </span>
        </div>
        <div className="order-1 flex w-full min-w-0 items-stretch gap-2 lg:order-2 lg:flex-1">
          {(waveform.data?.channels.length ?? 0) > 1 && (
            <div aria-hidden="true" className="hidden w-18 flex-col justify-around text-right text-[0.75rem] text-ink-soft sm:flex">
              {waveform.data?.channels.map((_, lane) => (
                <span key={lane} className="truncate">
                  {laneName(lanes[lane], t.player.laneOperator, t.player.laneClient, t.player.lane(lane + 1))}
                </span>
              ))}
            </div>
          )}
          <Waveform player={player} waveform={waveform.data} durationMs={durationMs} lanes={lanes} marks={marks} />
        </div>
        <div className="order-3 ml-auto flex items-center gap-1">
          <label className="relative">
            <span className="sr-only">{t.player.speed}</span>
            <select
              className="field tabular h-9 w-20 px-2.5 sm:w-22"
              value={speed}
              onChange={(event) => setSpeed(Number(event.target.value))}
            >
              {SPEEDS.map((value) => (
                <option key={value} value={value}>
                  {fmt.number(value, 2)}×
                </option>
              ))}
            </select>
          </label>
          <IconButton
            icon="link"
            label={t.detail.copyLink}
            className="max-sm:hidden"
            onClick={() => {
              const link = new URL(callHref(call.id, { t: (player.timeMs / 1000).toFixed(1) }), location.href);
              copyText(link.toString()).then(
                () => toast(t.detail.linkCopied),
                () => toast(link.toString()),
              );
            }}
          />
          <a
            href={apiUrl(`/audio/${encodeURIComponent(call.id)}`)}
            download={call.filename}
            aria-label={t.detail.download}
            title={`${t.detail.download} · ${fmt.bytes(recording.size_bytes)}`}
            className="inline-flex size-9 items-center justify-center rounded-lg text-ink-soft hover:bg-sunken hover:text-ink"
          >
            <Icon name="download" className="size-[1.15rem]" />
          </a>
        </div>
      </div>
    </section>
  );
}

function laneName(lane: string | undefined, operator: string, client: string, other: string): string {
  return lane === '--operator' ? operator : lane === '--client' ? client : other;
}

/** The clipboard is closed to pages opened over plain http. */
async function copyText(text: string): Promise<void> {
  if (!navigator.clipboard) throw new Error('no clipboard');
  await navigator.clipboard.writeText(text);
}

/** Space plays and pauses, unless it belongs to the control that has the focus. */
function useSpaceKey(player: PlayerController): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key !== ' ' || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target instanceof Element ? event.target : null;
      if (target?.closest('input, textarea, select, button, a, summary, dialog, [role=option], [data-word]')) return;
      event.preventDefault();
      player.toggle();
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, [player]);
}
