import { useEffect, useRef, useState } from 'react';
import { useI18n } from '../../i18n';

/** Seconds; most calls are short, so the steps grow. Beyond the last one is everything. */
const STOPS = [0, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200, 1800, 2700, 3600] as const;
const LAST = STOPS.length;
const RESTS_MS = 300;

interface Props {
  /** Seconds as text; empty for no bound. */
  min: string;
  max: string;
  onValues(min: string, max: string): void;
}

/** The stop nearest to what stands in the address. */
function stopOf(seconds: string, none: number): number {
  const value = Number(seconds);
  if (seconds === '' || !Number.isFinite(value)) return none;
  return STOPS.reduce<number>((best, stop, index) => (Math.abs(stop - value) < Math.abs((STOPS[best] ?? 0) - value) ? index : best), 0);
}

const secondsAt = (stop: number) => (stop <= 0 || stop >= LAST ? '' : String(STOPS[stop]));

/** Two thumbs on one line: two range inputs, so that arrows, Home and End work. */
export function DurationSlider({ min, max, onValues }: Props) {
  const { t, fmt } = useI18n();
  const words = t.files;
  const [low, setLow] = useState(() => stopOf(min, 0));
  const [high, setHigh] = useState(() => stopOf(max, LAST));
  const sent = useRef({ min, max });
  const latest = useRef(onValues);
  useEffect(() => {
    latest.current = onValues;
  });
  useEffect(() => {
    // The address changed by another hand: the back button, "reset".
    if (min === sent.current.min && max === sent.current.max) return;
    sent.current = { min, max };
    setLow(stopOf(min, 0));
    setHigh(stopOf(max, LAST));
  }, [min, max]);
  useEffect(() => {
    const next = { min: secondsAt(low), max: secondsAt(high) };
    const shown = { min: secondsAt(stopOf(sent.current.min, 0)), max: secondsAt(stopOf(sent.current.max, LAST)) };
    if (next.min === shown.min && next.max === shown.max) return;
    const timer = setTimeout(() => {
      sent.current = next;
      latest.current(next.min, next.max);
    }, RESTS_MS);
    return () => clearTimeout(timer);
  }, [low, high]);

  const span = (stop: number) => fmt.span((STOPS[stop] ?? 0) * 1000);
  const text =
    low > 0 && high < LAST
      ? words.durationBetween(span(low), span(high))
      : low > 0
        ? words.durationOver(span(low))
        : high < LAST
          ? words.durationUpTo(span(high))
          : words.durationAny;
  const thumbs = [
    { label: words.durationFrom, value: low, text: low > 0 ? span(low) : words.durationAny, set: (stop: number) => setLow(Math.min(stop, high - 1)) },
    { label: words.durationTo, value: high, text: high < LAST ? span(high) : words.durationAny, set: (stop: number) => setHigh(Math.max(stop, low + 1)) },
  ];
  return (
    <fieldset className="min-w-0" data-testid="filter-duration">
      <legend className="label">
        {words.duration}: <span className="tabular text-ink">{text}</span>
      </legend>
      <div className="double-range">
        <span
          aria-hidden="true"
          className="double-range-part"
          style={{ left: `${(low / LAST) * 100}%`, right: `${100 - (high / LAST) * 100}%` }}
        />
        {thumbs.map(({ label, value, text: spoken, set }) => (
          <input
            key={label}
            type="range"
            min={0}
            max={LAST}
            step={1}
            value={value}
            aria-label={label}
            aria-valuetext={spoken}
            onChange={(event) => set(Number(event.target.value))}
          />
        ))}
      </div>
    </fieldset>
  );
}
