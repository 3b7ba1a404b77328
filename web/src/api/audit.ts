/** The audit, and erasing what is kept of a person: queries and mutations. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { apiUrl, client, unwrap } from './client';
import type { AuditPage, ErasurePreview, Erasures, RetentionPreview, Verification } from './types';

const auditKey = ['audit'] as const;
const erasuresKey = ['erasures'] as const;
const RUNNING_MS = 1_000;

/** What the filter of the audit can say; an empty text says nothing. */
export interface AuditFilter {
  from: string;
  to: string;
  who: string;
  action: string;
  outcome: string;
  address: string;
  text: string;
}

export const noAuditFilter: AuditFilter = { from: '', to: '', who: '', action: '', outcome: '', address: '', text: '' };

/** Only what is said; days become moments of the reader's time zone. */
function query(filter: AuditFilter): Record<string, string> {
  const said = Object.entries(filter).filter(([, value]) => value !== '');
  const all = Object.fromEntries(said) as Record<string, string>;
  if (all.from) all.from = new Date(`${all.from}T00:00:00`).toISOString();
  if (all.to) {
    const end = new Date(`${all.to}T00:00:00`);
    end.setDate(end.getDate() + 1);
    all.to = end.toISOString();
  }
  return all;
}

export function useAudit(filter: AuditFilter) {
  return useInfiniteQuery({
    queryKey: [...auditKey, 'entries', filter],
    queryFn: ({ pageParam, signal }): Promise<AuditPage> =>
      unwrap(client.GET('/audit', { params: { query: { ...query(filter), ...(pageParam == null ? {} : { before: pageParam }) } }, signal })),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
  });
}

export function auditFileUrl(filter: AuditFilter, format: 'csv' | 'jsonl'): string {
  return apiUrl(`/audit/export?${new URLSearchParams({ format, ...query(filter) }).toString()}`);
}

/** Reads the whole audit: asked for, not by itself. */
export function useVerifyAudit() {
  return useMutation({
    mutationFn: (noted: string): Promise<Verification> =>
      unwrap(client.GET('/audit/verify', { params: { query: noted ? { noted } : {} } })),
  });
}

export function useErasures() {
  return useQuery({
    queryKey: erasuresKey,
    queryFn: ({ signal }): Promise<Erasures> => unwrap(client.GET('/erasures', { signal })),
    refetchInterval: ({ state }) => (state.data?.items.some((one) => !one.done) ? RUNNING_MS : false),
  });
}

export function usePreviewErasure() {
  return useMutation({
    mutationFn: (phone: string): Promise<ErasurePreview> => unwrap(client.POST('/erasures/preview', { body: { phone } })),
  });
}

export function useErase() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (phone: string) => unwrap(client.POST('/erasures', { body: { phone } })),
    onSettled: () => queries.invalidateQueries({ queryKey: erasuresKey }),
  });
}

export function useRetention() {
  return useQuery({
    queryKey: ['retention'],
    queryFn: ({ signal }): Promise<RetentionPreview> => unwrap(client.GET('/retention/preview', { signal })),
  });
}
