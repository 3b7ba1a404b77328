/** How a percentage looks: three tones, a bar, a pill, a ring. The number is always there, never colour alone. */
import { useI18n } from '../i18n';

export type Tone = 'good' | 'fair' | 'bad' | 'none';

/** The limits of the colours. They are a look only; the score itself comes from the server. */
export function toneOf(percent: number | null | undefined): Tone {
  if (percent == null) return 'none';
  if (percent >= 80) return 'good';
  return percent >= 60 ? 'fair' : 'bad';
}

const TEXT: Record<Tone, string> = { good: 'text-good', fair: 'text-fair', bad: 'text-bad', none: 'text-ink-faint' };
const FILL: Record<Tone, string> = { good: 'bg-good-fill', fair: 'bg-fair-fill', bad: 'bg-bad-fill', none: 'bg-line' };
const SOFT: Record<Tone, string> = { good: 'bg-good-soft', fair: 'bg-fair-soft', bad: 'bg-bad-soft', none: 'bg-sunken' };
const STROKE: Record<Tone, string> = {
  good: 'stroke-good-fill',
  fair: 'stroke-fair-fill',
  bad: 'stroke-bad-fill',
  none: 'stroke-line',
};

type PercentProps = { percent: number | null | undefined };

export function ScoreText({ percent, className = '' }: PercentProps & { className?: string }) {
  const { fmt } = useI18n();
  return <span className={`tabular ${TEXT[toneOf(percent)]} ${className}`}>{fmt.percent(percent)}</span>;
}

export function ScorePill({ percent }: PercentProps) {
  const { fmt } = useI18n();
  const tone = toneOf(percent);
  return (
    <span className={`tabular inline-flex h-7 min-w-15 items-center justify-center rounded-full px-2.5 font-semibold ${SOFT[tone]} ${TEXT[tone]}`}>
      {fmt.percent(percent)}
    </span>
  );
}

export function ScoreBar({ percent, className = 'h-1.5' }: PercentProps & { className?: string }) {
  return (
    <span aria-hidden="true" className={`block overflow-hidden rounded-full bg-sunken ${className}`}>
      <span
        className={`block h-full rounded-full ${FILL[toneOf(percent)]}`}
        style={{ width: `${Math.max(0, Math.min(100, percent ?? 0))}%` }}
      />
    </span>
  );
}

export function ScoreRing({ percent, size = 104 }: PercentProps & { size?: number }) {
  const { fmt } = useI18n();
  const tone = toneOf(percent);
  const stroke = size / 11;
  const radius = (size - stroke) / 2;
  const length = 2 * Math.PI * radius;
  const value = Math.max(0, Math.min(100, percent ?? 0));
  return (
    <span className="relative inline-flex shrink-0 items-center justify-center">
      <svg aria-hidden="true" width={size} height={size} className="-rotate-90">
        <circle cx={size / 2} cy={size / 2} r={radius} fill="none" strokeWidth={stroke} className="stroke-sunken" />
        {value > 0 && (
          <circle
            cx={size / 2}
            cy={size / 2}
            r={radius}
            fill="none"
            strokeWidth={stroke}
            strokeLinecap="round"
            strokeDasharray={`${(length * value) / 100} ${length}`}
            className={STROKE[tone]}
          />
        )}
      </svg>
      <span className={`tabular absolute font-semibold ${TEXT[tone]}`} style={{ fontSize: size / 5.2 }}>
        {fmt.percent(percent)}
      </span>
    </span>
  );
}
