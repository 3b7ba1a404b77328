import { useEffect, useRef, useState } from 'react';
import { useWaveform } from '../../api/calls';
import { fileUrl } from '../../api/files';
import type { DroppedFile } from '../../api/types';
import { useI18n } from '../../i18n';
import { IconButton } from '../../ui/Button';
import { Notice } from '../../ui/States';
import { PlayerController } from '../player/controller';
import { Waveform } from '../player/Waveform';

const JUMP_MS = 5000;
const LANES = ['--accent', '--client'] as const;

/** The sound of one file, below its row. It plays as soon as it is opened. */
export function FilePlayer({ file }: { file: DroppedFile }) {
  const { t, fmt } = useI18n();
  const audioRef = useRef<HTMLAudioElement>(null);
  const clockRef = useRef<HTMLSpanElement>(null);
  const [player] = useState(() => new PlayerController());
  const [playing, setPlaying] = useState(false);
  const [broken, setBroken] = useState(false);
  const [mediaMs, setMediaMs] = useState<number | null>(null);
  // Only what was decoded has a picture; before that the line alone shows the place.
  const waveform = useWaveform(file.call_id ?? '', file.call_id != null && file.duration_ms != null).data;
  const durationMs = mediaMs ?? file.duration_ms ?? 0;

  useEffect(() => {
    const audio = audioRef.current;
    if (!audio) return;
    const detach = player.attach(audio);
    player.play();
    return detach;
  }, [player]);
  useEffect(
    () =>
      player.onTime((ms) => {
        if (clockRef.current) clockRef.current.textContent = fmt.clock(ms);
      }),
    [player, fmt],
  );

  return (
    <section aria-label={`${t.player.label}: ${file.path}`} className="flex flex-col gap-2" data-testid="file-player">
      {/* What was said stands on the page of the call, once there is one. */}
      {/* oxlint-disable-next-line jsx-a11y/media-has-caption */}
      <audio
        ref={audioRef}
        data-testid="audio"
        preload="metadata"
        src={fileUrl(file, 'stream')}
        onPlay={() => setPlaying(true)}
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
        <div role="alert">
          <Notice tone="fair">{t.player.cannotPlay}</Notice>
        </div>
      )}
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1 md:flex-nowrap">
        <IconButton icon="back5" label={t.player.back} onClick={() => player.seekBy(-JUMP_MS)} />
        <IconButton
          icon={playing ? 'pause' : 'play'}
          label={playing ? t.player.pause : t.player.play}
          className="bg-accent text-accent-ink! hover:bg-accent-hover!"
          data-testid="play"
          onClick={() => player.toggle()}
        />
        <IconButton icon="forward5" label={t.player.forward} onClick={() => player.seekBy(JUMP_MS)} />
        <span className="tabular whitespace-nowrap text-ink-soft">
          <span ref={clockRef} className="font-medium text-ink">
            0:00
          </span>{' '}
          / {fmt.clock(durationMs || null)}
        </span>
        <div className="w-full min-w-0 md:w-auto md:flex-1">
          <Waveform player={player} waveform={waveform} durationMs={durationMs} lanes={LANES} marks={[]} />
        </div>
      </div>
    </section>
  );
}
