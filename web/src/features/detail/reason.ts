import type { Reason } from '../../api/types';
import type { Dictionary, Format } from '../../i18n';

/** A measured number with its unit, as a reader says it. */
export function measure(value: number, unit: string | null | undefined, t: Dictionary, fmt: Format): string {
  switch (unit) {
    case 'ms':
      return fmt.span(value);
    case 's':
    case 'seconds':
      return fmt.span(value * 1000);
    case 'percent':
    case '%':
      return fmt.percent(value);
    case 'ratio':
      return `${fmt.number(value, 2)}${t.units.times}`;
    case 'wpm':
      return `${fmt.number(value)} ${t.units.wpm}`;
    case 'per_min':
      return `${fmt.number(value, 1)} ${t.units.perMin}`;
    case 'count':
    case 'times':
      return t.metrics.times(value);
    case 'dbfs':
    case 'db':
      return `${fmt.number(value, 1)} ${t.units.dbfs}`;
    default:
      return unit ? `${fmt.number(value, 2)} ${unit}` : fmt.number(value, 2);
  }
}

/** Why an item was met or failed, in one sentence with its numbers. */
export function reasonText(reason: Reason, t: Dictionary, fmt: Format): string {
  const base = t.score.reasons[reason.code];
  if (reason.value == null) return base;
  const value = measure(reason.value, reason.unit, t, fmt);
  if (reason.threshold == null) return `${base}: ${value}`;
  const threshold = measure(reason.threshold, reason.unit, t, fmt);
  const norm =
    reason.code === 'metric_exceeded'
      ? t.score.upTo(threshold)
      : reason.code === 'metric_below'
        ? t.score.atLeast(threshold)
        : threshold;
  return `${base}: ${t.score.measured(value, norm)}`;
}
