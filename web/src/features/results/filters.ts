/** The filters of the list, as they stand in the address and as the server wants them. */
import type { ResultsQuery } from '../../api/calls';
import { dayMoment, readNumber } from '../../ui/periods';

export const PAGE_SIZE = 25;
export const DEFAULT_SORT = '-created_at';
export const WORST_FIRST = 'score';

/** Every name is also the name in the address. Empty means "no filter". */
export interface Filters {
  q: string;
  operator: string;
  status: string;
  /** YYYY-MM-DD, days of the reader's time zone, both inclusive. */
  from: string;
  to: string;
  score_min: string;
  score_max: string;
  /** Minutes. */
  duration_min: string;
  duration_max: string;
  callerphone: string;
  calledphone: string;
  operatorphone: string;
  order_id: string;
  source: string;
  tag: string;
  external_id: string;
  /** Levels of scoring, 1 to 4, separated by commas. */
  level: string;
  /** 'true', 'false' or any. */
  disputed: string;
  /** Key of a tracker. */
  topic: string;
  sort: string;
  page: number;
}

export const NO_FILTERS: Filters = {
  q: '',
  operator: '',
  status: '',
  from: '',
  to: '',
  score_min: '',
  score_max: '',
  duration_min: '',
  duration_max: '',
  callerphone: '',
  calledphone: '',
  operatorphone: '',
  order_id: '',
  source: '',
  tag: '',
  external_id: '',
  level: '',
  disputed: '',
  topic: '',
  sort: DEFAULT_SORT,
  page: 1,
};

/** What is told of a call; the server takes each as it is written. */
export const TOLD_KEYS = ['callerphone', 'calledphone', 'operatorphone', 'order_id', 'tag', 'external_id'] as const;
const TEXT_KEYS = [
  'q', 'operator', 'status', 'from', 'to', 'score_min', 'score_max', 'duration_min', 'duration_max', 'source', 'level', 'disputed', 'topic', ...TOLD_KEYS,
] as const;

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

/** Days become moments of the reader's time zone, so that "today" is the reader's today. */
export function toQuery(filters: Filters): ResultsQuery {
  const query: ResultsQuery = { sort: filters.sort, page: filters.page, page_size: PAGE_SIZE };
  if (filters.q.trim()) query.q = filters.q.trim();
  if (filters.operator) query.operator = filters.operator;
  if (filters.status) query.status = filters.status;
  const from = dayMoment(filters.from, 'start');
  if (from) query.date_from = from;
  const to = dayMoment(filters.to, 'end');
  if (to) query.date_to = to;
  if (filters.source) query.source = filters.source;
  if (filters.level) query.level = filters.level;
  if (filters.disputed === 'true' || filters.disputed === 'false') query.disputed = filters.disputed === 'true';
  if (filters.topic) query.topic = filters.topic;
  for (const key of TOLD_KEYS) if (filters[key].trim()) query[key] = filters[key].trim();
  const numbers = [
    ['score_min', filters.score_min, 1],
    ['score_max', filters.score_max, 1],
    ['duration_min', filters.duration_min, 60],
    ['duration_max', filters.duration_max, 60],
  ] as const;
  for (const [key, text, factor] of numbers) {
    const value = readNumber(text);
    if (value !== null) query[key] = value * factor;
  }
  return query;
}
