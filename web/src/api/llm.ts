/** The language model: how it stands and what was sent to it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type { EgressPage, Llm, Spending } from './types';

const key = ['llm'] as const;
const REFRESH_MS = 10_000;

export function useLlm() {
  return useQuery({
    queryKey: [...key, 'standing'],
    queryFn: ({ signal }): Promise<Llm> => unwrap(client.GET('/llm', { signal })),
    refetchInterval: REFRESH_MS,
  });
}

export function useEgress(page: number, enabled: boolean) {
  return useQuery({
    queryKey: [...key, 'egress', page],
    queryFn: ({ signal }): Promise<EgressPage> =>
      unwrap(client.GET('/llm/egress', { params: { query: { page, page_size: 10 } }, signal })),
    enabled,
  });
}

export function useSpending(enabled: boolean) {
  return useQuery({
    queryKey: [...key, 'spending'],
    queryFn: ({ signal }): Promise<Spending> => unwrap(client.GET('/llm/spending', { signal })),
    enabled,
  });
}

export function useResumeLlm() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => unwrap(client.POST('/llm/resume')),
    onSettled: () => queries.invalidateQueries({ queryKey: key }),
  });
}
