/** The servers that recordings are pulled from: queries and mutations. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type { PullRuns, PullSources } from './types';

const key = ['pull'] as const;
const REFRESH_MS = 10_000;
const RUNNING_MS = 1_000;

export function usePullSources() {
  return useQuery({
    queryKey: [...key, 'sources'],
    queryFn: ({ signal }): Promise<PullSources> => unwrap(client.GET('/pull/sources', { signal })),
    refetchInterval: ({ state }) => (state.data?.items.some((source) => source.current) ? RUNNING_MS : REFRESH_MS),
  });
}

/** `running` asks more often. */
export function usePullRuns(source: string, running: boolean) {
  return useQuery({
    queryKey: [...key, 'runs', source],
    queryFn: ({ signal }): Promise<PullRuns> =>
      unwrap(client.GET('/pull/runs', { params: { query: { source, page_size: 10 } }, signal })),
    refetchInterval: running ? RUNNING_MS : REFRESH_MS,
  });
}

function useAsk(ask: (name: string) => Promise<unknown>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ask,
    onSettled: () => queries.invalidateQueries({ queryKey: key }),
  });
}

export function useRunPull() {
  return useAsk((name) => unwrap(client.POST('/pull/sources/{name}/run', { params: { path: { name } } })));
}

export function useStopPull() {
  return useAsk((name) => unwrap(client.POST('/pull/sources/{name}/stop', { params: { path: { name } } })));
}

export function useForgetHostKey() {
  return useAsk((name) => unwrap(client.DELETE('/pull/sources/{name}/host-key', { params: { path: { name } } })));
}
