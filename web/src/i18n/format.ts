/** Dates, numbers, percents and times in the reader's language. */
import type { Dictionary } from './ru';

export interface Format {
  /** 0–100 as «87,5 %»; «—» for none. */
  percent(value: number | null | undefined): string;
  /** 0–1 as «43 %»; «—» for none. */
  number(value: number | null | undefined, digits?: number): string;
  /** 3:07 or 1:02:45: a length or a place in a recording. */
  clock(ms: number | null | undefined): string;
  /** «3 мин 7 с», «4,5 с»: a length in words. */
  span(ms: number | null | undefined): string;
  date(iso: string): string;
  dateTime(iso: string): string;
  time(iso: string): string;
  bytes(size: number): string;
  uptime(seconds: number): string;
}

const NBSP = ' ';

export function createFormat(lang: 'ru' | 'en', t: Dictionary): Format {
  const locale = lang === 'ru' ? 'ru-RU' : 'en-GB';
  const percentFormat = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
  const dateFormat = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
  const shortDateFormat = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
  const timeFormat = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
  const dash = t.common.dash;

  const number = (value: number | null | undefined, digits = 0) =>
    value == null ? dash : new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);

  const clock = (ms: number | null | undefined) => {
    if (ms == null || !Number.isFinite(ms)) return dash;
    const total = Math.max(0, Math.floor(ms / 1000));
    const hours = Math.floor(total / 3600);
    const minutes = Math.floor((total % 3600) / 60);
    const seconds = String(total % 60).padStart(2, '0');
    return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`;
  };

  const span = (ms: number | null | undefined) => {
    if (ms == null || !Number.isFinite(ms)) return dash;
    if (ms < 60_000) return `${number(ms / 1000, 1)}${NBSP}${t.units.seconds}`;
    const total = Math.round(ms / 1000);
    const hours = Math.floor(total / 3600);
    const minutes = Math.floor((total % 3600) / 60);
    const seconds = total % 60;
    if (hours > 0) return `${hours}${NBSP}${t.units.hours} ${minutes}${NBSP}${t.units.minutes}`;
    const tail = seconds > 0 ? ` ${seconds}${NBSP}${t.units.seconds}` : '';
    return `${minutes}${NBSP}${t.units.minutes}${tail}`;
  };

  const date = (iso: string) => {
    const when = new Date(iso);
    const sameYear = when.getFullYear() === new Date().getFullYear();
    return (sameYear ? shortDateFormat : dateFormat).format(when);
  };
  const time = (iso: string) => timeFormat.format(new Date(iso));

  return {
    percent: (value) => (value == null ? dash : percentFormat.format(value / 100)),
    number,
    clock,
    span,
    date,
    time,
    dateTime: (iso) => `${date(iso)}, ${time(iso)}`,
    bytes(size) {
      let value = size;
      let unit = 0;
      while (value >= 1024 && unit < t.units.bytes.length - 1) {
        value /= 1024;
        unit += 1;
      }
      return `${number(value, value < 10 && unit > 0 ? 1 : 0)}${NBSP}${t.units.bytes[unit] ?? ''}`;
    },
    uptime(seconds) {
      const days = Math.floor(seconds / 86_400);
      if (days > 0) return `${days}${NBSP}${t.units.days} ${Math.floor((seconds % 86_400) / 3600)}${NBSP}${t.units.hours}`;
      return span(seconds * 1000);
    },
  };
}
