import { describe, expect, it } from 'vitest';
import { isoDay, periodDays, periodOf, readNumber } from '../../ui/periods';
import { hasFilters, NO_FILTERS, readFilters, toQuery, writeFilters } from './filters';

describe('filters in the address', () => {
  it('come back as they were written', () => {
    const filters = { ...NO_FILTERS, q: 'скидка & 10 %', operator: 'Анна', status: 'queued,processing', score_max: '60', sort: 'score', page: 3 };
    expect(readFilters(new URLSearchParams(writeFilters(filters).toString()))).toEqual(filters);
  });

  it('leave a clean address when there are none', () => {
    expect(writeFilters(NO_FILTERS).toString()).toBe('');
    expect(hasFilters({ ...NO_FILTERS, sort: 'score', page: 2 })).toBe(false);
  });

  it.each(['0', '-1', 'x', '1.5'])('take page %s for the first one', (page) => {
    expect(readFilters(new URLSearchParams({ page })).page).toBe(1);
  });
});

describe('the question to the server', () => {
  it('has minutes as seconds and understands the decimal comma', () => {
    expect(toQuery({ ...NO_FILTERS, duration_min: '1,5', score_min: '40' })).toMatchObject({ duration_min: 90, score_min: 40 });
  });

  it('has whole days of the reader, both ends included', () => {
    const query = toQuery({ ...NO_FILTERS, from: '2026-03-05', to: '2026-03-05' });
    expect(query.date_from).toBe(new Date(2026, 2, 5).toISOString());
    expect(query.date_to).toBe(new Date(2026, 2, 5, 23, 59, 59, 999).toISOString());
  });

  it('asks for what is told of a call as it is written', () => {
    const filters = { ...NO_FILTERS, callerphone: ' 8 916 123-45-67 ', order_id: 'A-7', source: 'mango', tag: 'горячий' };
    expect(readFilters(writeFilters(filters))).toEqual(filters);
    expect(hasFilters(filters)).toBe(true);
    expect(toQuery(filters)).toMatchObject({ callerphone: '8 916 123-45-67', order_id: 'A-7', source: 'mango', tag: 'горячий' });
  });

  it('asks for calls with or without open disputes', () => {
    for (const [disputed, asked] of [['true', true], ['false', false], ['', undefined], ['perhaps', undefined]] as const) {
      expect(toQuery({ ...NO_FILTERS, disputed }).disputed).toBe(asked);
    }
    expect(readFilters(writeFilters({ ...NO_FILTERS, disputed: 'true' })).disputed).toBe('true');
  });

  it('leaves out what is empty or senseless', () => {
    const query = toQuery({ ...NO_FILTERS, q: '  ', from: 'yesterday', score_min: 'abc' });
    expect(Object.keys(query).toSorted()).toEqual(['page', 'page_size', 'sort']);
  });
});

describe('periods', () => {
  const now = new Date(2026, 2, 1, 10);

  it('cross the month', () => {
    expect(periodDays('yesterday', now)).toEqual({ from: '2026-02-28', to: '2026-02-28' });
    expect(periodDays('week', now)).toEqual({ from: '2026-02-23', to: '2026-03-01' });
  });

  it('are recognised by their days', () => {
    expect(periodOf('', '', now)).toBe('all');
    expect(periodOf(isoDay(now), isoDay(now), now)).toBe('today');
    expect(periodOf('2026-01-01', '', now)).toBe('custom');
  });
});

it('reads numbers as people type them', () => {
  expect(readNumber('1,5')).toBe(1.5);
  expect(readNumber('')).toBeNull();
  expect(readNumber('-3')).toBeNull();
});
