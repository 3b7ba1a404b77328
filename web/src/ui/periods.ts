/** Days and numbers as filters have them. */

/** A Russian keyboard types the decimal comma. */
export function readNumber(text: string): number | null {
  const clean = text.trim().replace(',', '.');
  if (clean === '') return null;
  const value = Number(clean);
  return Number.isFinite(value) && value >= 0 ? value : null;
}

/** The moment a day begins or ends where the reader is. */
export function dayMoment(day: string, edge: 'start' | 'end'): string | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  if (!match) return null;
  const [year, month, date] = [Number(match[1]), Number(match[2]) - 1, Number(match[3])];
  const moment = edge === 'start' ? new Date(year, month, date) : new Date(year, month, date, 23, 59, 59, 999);
  return Number.isNaN(moment.getTime()) ? null : moment.toISOString();
}

export type Period = 'all' | 'today' | 'yesterday' | 'week' | 'month' | 'custom';

export function isoDay(date: Date): string {
  const month = String(date.getMonth() + 1).padStart(2, '0');
  return `${date.getFullYear()}-${month}-${String(date.getDate()).padStart(2, '0')}`;
}

export function periodDays(period: Exclude<Period, 'custom'>, now = new Date()): { from: string; to: string } {
  const day = (back: number) => isoDay(new Date(now.getFullYear(), now.getMonth(), now.getDate() - back));
  switch (period) {
    case 'all':
      return { from: '', to: '' };
    case 'today':
      return { from: day(0), to: day(0) };
    case 'yesterday':
      return { from: day(1), to: day(1) };
    case 'week':
      return { from: day(6), to: day(0) };
    case 'month':
      return { from: day(29), to: day(0) };
  }
}

export function periodOf(from: string, to: string, now = new Date()): Period {
  for (const period of ['all', 'today', 'yesterday', 'week', 'month'] as const) {
    const days = periodDays(period, now);
    if (days.from === from && days.to === to) return period;
  }
  return 'custom';
}
