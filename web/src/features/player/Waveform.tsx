import { useEffect, useRef, useState } from 'react';
import type { Waveform as WaveformData } from '../../api/types';
import { useI18n } from '../../i18n';
import type { PlayerController } from './controller';
import { barsOf, gainOf } from './peaks';

export interface Mark {
  ms: number;
  kind: 'met' | 'failed';
}

interface Props {
  player: PlayerController;
  waveform: WaveformData | undefined;
  durationMs: number;
  /** Colours of the lanes, as names of CSS variables, in the order of the channels. */
  lanes: readonly string[];
  marks: readonly Mark[];
}

const BAR_PX = 3;
const STEP_MS = 5000;
const PAGE_MS = 30_000;

/** The picture of the sound, one lane a channel; click, drag or arrows move the place. */
export function Waveform({ player, waveform, durationMs, lanes, marks }: Props) {
  const { t, fmt } = useI18n();
  const boxRef = useRef<HTMLDivElement>(null);
  const playedRef = useRef<HTMLDivElement>(null);
  const headRef = useRef<HTMLDivElement>(null);
  const backRef = useRef<HTMLCanvasElement>(null);
  const frontRef = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);

  useEffect(() => {
    const box = boxRef.current;
    if (!box || typeof ResizeObserver === 'undefined') return;
    const observer = new ResizeObserver(() => setWidth(box.clientWidth));
    observer.observe(box);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const draw = () => {
      const box = boxRef.current;
      if (!box || width === 0) return;
      const style = getComputedStyle(box);
      const muted = style.getPropertyValue('--line-strong').trim();
      paint(backRef.current, width, box.clientHeight, waveform?.channels ?? [], () => muted, 0.55);
      const colours = lanes.map((name) => style.getPropertyValue(name).trim());
      paint(frontRef.current, width, box.clientHeight, waveform?.channels ?? [], (lane) => colours[lane] ?? muted, 1);
    };
    draw();
    // Another theme has other colours.
    const observer = new MutationObserver(draw);
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => observer.disconnect();
  }, [waveform, width, lanes]);

  useEffect(() => {
    let spoken = -1;
    const show = (ms: number) => {
      const part = durationMs > 0 ? Math.min(1, ms / durationMs) : 0;
      if (playedRef.current) playedRef.current.style.width = `${part * 100}%`;
      if (headRef.current) headRef.current.style.left = `${part * 100}%`;
      const second = Math.floor(ms / 1000);
      if (second === spoken) return;
      spoken = second;
      boxRef.current?.setAttribute('aria-valuenow', String(second));
      boxRef.current?.setAttribute('aria-valuetext', t.player.positionText(fmt.clock(ms), fmt.clock(durationMs)));
    };
    show(player.timeMs);
    return player.onTime(show);
  }, [player, durationMs, t, fmt]);

  const seekTo = (clientX: number) => {
    const box = boxRef.current?.getBoundingClientRect();
    if (box && box.width > 0) player.seek(Math.max(0, Math.min(1, (clientX - box.left) / box.width)) * durationMs);
  };

  const onKeyDown = (event: React.KeyboardEvent) => {
    const moves: Record<string, () => void> = {
      ArrowLeft: () => player.seekBy(-STEP_MS),
      ArrowDown: () => player.seekBy(-STEP_MS),
      ArrowRight: () => player.seekBy(STEP_MS),
      ArrowUp: () => player.seekBy(STEP_MS),
      PageDown: () => player.seekBy(-PAGE_MS),
      PageUp: () => player.seekBy(PAGE_MS),
      Home: () => player.seek(0),
      End: () => player.seek(durationMs),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };

  return (
    <div
      ref={boxRef}
      data-testid="waveform"
      role="slider"
      tabIndex={0}
      aria-label={t.player.position}
      aria-valuemin={0}
      aria-valuemax={Math.floor(durationMs / 1000)}
      aria-valuenow={0}
      className="relative h-14 w-full cursor-pointer touch-none rounded-lg select-none"
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        seekTo(event.clientX);
      }}
      onPointerMove={(event) => {
        if (event.currentTarget.hasPointerCapture(event.pointerId)) seekTo(event.clientX);
      }}
    >
      <canvas ref={backRef} className="absolute inset-0" />
      <div ref={playedRef} className="absolute inset-y-0 left-0 w-0 overflow-hidden">
        <canvas ref={frontRef} />
      </div>
      {marks.map((mark) => (
        <span
          key={`${mark.kind}-${mark.ms}`}
          className={`pointer-events-none absolute -top-0.5 h-2 w-1 -translate-x-1/2 rounded-b-full ${mark.kind === 'failed' ? 'bg-bad-fill' : 'bg-good-fill'}`}
          style={{ left: `${Math.min(100, (mark.ms / Math.max(1, durationMs)) * 100)}%` }}
        />
      ))}
      <div ref={headRef} className="pointer-events-none absolute inset-y-0 left-0 w-0.5 -translate-x-1/2 rounded bg-ink" />
    </div>
  );
}

function paint(
  canvas: HTMLCanvasElement | null,
  width: number,
  height: number,
  channels: readonly (readonly number[])[],
  colourOf: (lane: number) => string,
  alpha: number,
): void {
  const context = canvas?.getContext('2d');
  if (!canvas || !context) return;
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  context.scale(scale, scale);
  context.globalAlpha = alpha;
  const lanes = Math.max(1, channels.length);
  const laneHeight = height / lanes;
  const count = Math.floor(width / BAR_PX);
  const gain = gainOf(channels);
  for (let lane = 0; lane < lanes; lane++) {
    const bars = barsOf(channels[lane] ?? [], count);
    const middle = laneHeight * (lane + 0.5);
    context.fillStyle = colourOf(lane);
    for (let bar = 0; bar < count; bar++) {
      const size = Math.max(1.5, (bars[bar] ?? 0) * gain * (laneHeight - 4));
      context.fillRect(bar * BAR_PX, middle - size / 2, BAR_PX - 1, size);
    }
  }
}
