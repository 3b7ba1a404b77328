/** The filters of the list of files, as they stand in the address and as the server wants them. */
import type { FilesQuery } from '../../api/files';
import type { DropState, FilesFilter } from '../../api/types';
import { dayMoment } from '../../ui/periods';

export const PAGE_SIZE = 50;
export const DEFAULT_SORT = '-arrived_at';

export const STATES = ['receiving', 'incomplete', 'waiting', 'taken', 'known', 'other', 'refused', 'deleted'] as const satisfies readonly DropState[];

/** What the server takes as it is written. */
export const TOLD_KEYS = ['callerphone', 'calledphone', 'operatorphone', 'order_id', 'tag'] as const;
const TEXT_KEYS = ['q', 'state', 'user', 'operator', 'from', 'to', 'duration_min', 'duration_max', 'source', ...TOLD_KEYS] as const;
type TextKey = (typeof TEXT_KEYS)[number];

/** Every name is also the name in the address; empty means "no filter". Days are of the reader's time zone, durations in seconds. */
export interface Filters extends Record<TextKey, string> {
  sort: string;
  page: number;
}

export const NO_FILTERS: Filters = {
  ...(Object.fromEntries(TEXT_KEYS.map((key) => [key, ''])) as Record<TextKey, string>),
  sort: DEFAULT_SORT,
  page: 1,
};

export function readFilters(params: URLSearchParams): Filters {
  const filters = { ...NO_FILTERS };
  for (const key of TEXT_KEYS) filters[key] = params.get(key) ?? '';
  filters.sort = params.get('sort') || DEFAULT_SORT;
  const page = Number(params.get('page'));
  filters.page = Number.isInteger(page) && page > 1 ? page : 1;
  return filters;
}

export function writeFilters(filters: Filters): URLSearchParams {
  const params = new URLSearchParams();
  for (const key of TEXT_KEYS) if (filters[key]) params.set(key, filters[key]);
  if (filters.sort !== DEFAULT_SORT) params.set('sort', filters.sort);
  if (filters.page > 1) params.set('page', String(filters.page));
  return params;
}

export function hasFilters(filters: Filters): boolean {
  return TEXT_KEYS.some((key) => filters[key] !== '');
}

/** What is asked for, without order and page: also names "all that match". */
export function toFilter(filters: Filters): FilesFilter {
  const wanted: FilesFilter = {};
  for (const key of ['q', 'state', 'user', 'operator', 'source', ...TOLD_KEYS] as const) {
    const text = filters[key].trim();
    if (text) wanted[key] = text;
  }
  wanted.date_from = dayMoment(filters.from, 'start') ?? undefined;
  wanted.date_to = dayMoment(filters.to, 'end') ?? undefined;
  for (const key of ['duration_min', 'duration_max'] as const) {
    const seconds = filters[key] === '' ? NaN : Number(filters[key]);
    if (seconds >= 0) wanted[key] = seconds;
  }
  return wanted;
}

export function toQuery(filters: Filters): FilesQuery {
  return { ...toFilter(filters), sort: filters.sort, page: filters.page, page_size: PAGE_SIZE };
}
