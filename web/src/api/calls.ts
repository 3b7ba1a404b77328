/** Queries and mutations on calls, as hooks. Every key starts with 'calls', so one call refreshes all. */
import { keepPreviousData, useMutation, useQueries, useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type {
  CallDetail,
  CallPatch,
  CallStatusView,
  CallView,
  Models,
  OperatorsPage,
  ResultsPage,
  Stage,
  Transcript,
  TurnPatch,
  Version,
  Waveform,
} from './types';

export interface ResultsQuery {
  operator?: string;
  date_from?: string;
  date_to?: string;
  score_min?: number;
  score_max?: number;
  status?: string;
  duration_min?: number;
  duration_max?: number;
  q?: string;
  callerphone?: string;
  calledphone?: string;
  operatorphone?: string;
  order_id?: string;
  source?: string;
  tag?: string;
  external_id?: string;
  level?: string;
  disputed?: boolean;
  topic?: string;
  sort?: string;
  page?: number;
  page_size?: number;
}

export const keys = {
  all: ['calls'] as const,
  lists: ['calls', 'list'] as const,
  list: (query: ResultsQuery) => ['calls', 'list', query] as const,
  active: ['calls', 'active'] as const,
  detail: (id: string) => ['calls', 'detail', id] as const,
  waveform: (id: string) => ['calls', 'waveform', id] as const,
  byOperator: (query: ResultsQuery) => ['calls', 'by-operator', query] as const,
  versions: (id: string) => ['calls', 'versions', id] as const,
  version: (id: string, version: number) => ['calls', 'version', id, version] as const,
  models: ['models'] as const,
  operators: (q: string) => ['calls', 'operators', q] as const,
};

export function fetchResults(query: ResultsQuery, signal?: AbortSignal): Promise<ResultsPage> {
  return unwrap(client.GET('/results', { params: { query }, signal }));
}

export function fetchStatus(id: string): Promise<CallStatusView> {
  return unwrap(client.GET('/status/{id}', { params: { path: { id } } }));
}

export function useResults(query: ResultsQuery, refetchInterval: number | false) {
  return useQuery({
    queryKey: keys.list(query),
    queryFn: ({ signal }) => fetchResults(query, signal),
    placeholderData: keepPreviousData,
    refetchInterval,
  });
}

export function useActiveCalls(refetchInterval: number | false) {
  return useQuery({
    queryKey: keys.active,
    queryFn: ({ signal }) =>
      fetchResults({ status: 'queued,processing', sort: 'created_at', page_size: 100 }, signal),
    refetchInterval,
  });
}

export function useCallDetail(id: string, refetchInterval: number | false) {
  return useQuery({
    queryKey: keys.detail(id),
    queryFn: ({ signal }): Promise<CallDetail> =>
      unwrap(client.GET('/results/{id}', { params: { path: { id } }, signal })),
    refetchInterval,
  });
}

/** The waveform never changes once the file is decoded, so it is fetched once. */
export function useWaveform(id: string, ready: boolean) {
  return useQuery({
    queryKey: keys.waveform(id),
    queryFn: ({ signal }): Promise<Waveform> =>
      unwrap(client.GET('/waveform/{id}', { params: { path: { id } }, signal })),
    enabled: ready,
    staleTime: Number.POSITIVE_INFINITY,
    retry: 1,
  });
}

export function useOperators(q: string, enabled: boolean) {
  return useQuery({
    queryKey: keys.operators(q),
    queryFn: ({ signal }): Promise<OperatorsPage> =>
      unwrap(client.GET('/operators', { params: { query: { q } }, signal })),
    enabled,
    placeholderData: keepPreviousData,
    staleTime: 15_000,
  });
}

/** The operators with the most calls; asking for each is one request. */
const OPERATORS_COMPARED = 20;

/** Averages of each operator under the same filters, from one small page of results each. */
export function useOperatorAverages(query: ResultsQuery) {
  const operators = useOperators('', true);
  const names = (operators.data?.items ?? [])
    .toSorted((a, b) => b.calls - a.calls)
    .slice(0, OPERATORS_COMPARED)
    .map((operator) => operator.name);
  return useQueries({
    queries: names.map((operator) => {
      const one: ResultsQuery = { ...query, operator, page: 1, page_size: 1 };
      return {
        queryKey: keys.byOperator(one),
        queryFn: async ({ signal }: { signal: AbortSignal }) => {
          const { total, averages } = await fetchResults(one, signal);
          return { operator, total, averages };
        },
        placeholderData: keepPreviousData,
        staleTime: 15_000,
        refetchInterval: 60_000,
      };
    }),
    combine: (results) => results.flatMap((result) => (result.data && result.data.total > 0 ? [result.data] : [])),
  });
}

function refreshCall(queryClient: QueryClient, id: string): void {
  void queryClient.invalidateQueries({ queryKey: keys.detail(id) });
  void queryClient.invalidateQueries({ queryKey: keys.lists });
  void queryClient.invalidateQueries({ queryKey: keys.active });
}

export function useCancelCall() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (id: string): Promise<CallView> =>
      unwrap(client.POST('/results/{id}/cancel', { params: { path: { id } } })),
    onSettled: (_call, _error, id) => refreshCall(queryClient, id),
  });
}

export function useRetryCall() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (id: string): Promise<CallView> =>
      unwrap(client.POST('/results/{id}/retry', { params: { path: { id } } })),
    onSettled: (_call, _error, id) => refreshCall(queryClient, id),
  });
}

export function useDeleteCall() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => unwrap(client.DELETE('/results/{id}', { params: { path: { id } } })),
    onSuccess: (_nothing, id) => {
      void queryClient.invalidateQueries({ queryKey: keys.lists });
      void queryClient.invalidateQueries({ queryKey: keys.active });
      queryClient.removeQueries({ queryKey: keys.detail(id) });
    },
  });
}

export function usePatchCall(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (patch: CallPatch): Promise<CallDetail> =>
      unwrap(client.PATCH('/results/{id}', { params: { path: { id } }, body: patch as never })),
    onSuccess: (detail) => {
      queryClient.setQueryData(keys.detail(id), detail);
      void queryClient.invalidateQueries({ queryKey: keys.lists });
      void queryClient.invalidateQueries({ queryKey: ['calls', 'operators'] });
    },
  });
}

/** What every change of a transcript answers: the whole call, with its new score. */
function takeDetail(queryClient: QueryClient, id: string, detail: CallDetail): void {
  queryClient.setQueryData(keys.detail(id), detail);
  void queryClient.invalidateQueries({ queryKey: keys.lists });
  void queryClient.invalidateQueries({ queryKey: keys.versions(id) });
}

export function usePatchTurn(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: ({ index, patch }: { index: number; patch: TurnPatch }): Promise<CallDetail> =>
      unwrap(client.PATCH('/results/{id}/turns/{index}', { params: { path: { id, index } }, body: patch })),
    onSuccess: (detail) => takeDetail(queryClient, id, detail),
    // Perhaps somebody else was faster: what they wrote is shown.
    onError: () => queryClient.invalidateQueries({ queryKey: keys.detail(id) }),
  });
}

export function useVersions(id: string) {
  return useQuery({
    queryKey: keys.versions(id),
    queryFn: async ({ signal }): Promise<Version[]> =>
      (await unwrap(client.GET('/results/{id}/versions', { params: { path: { id } }, signal }))).items as Version[],
  });
}

/** A version never changes. */
export function useVersion(id: string, version: number) {
  return useQuery({
    queryKey: keys.version(id, version),
    queryFn: ({ signal }): Promise<Transcript> =>
      unwrap(client.GET('/results/{id}/versions/{version}', { params: { path: { id, version } }, signal })),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function useRestoreVersion(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: ({ version, seen }: { version: number; seen: number }): Promise<CallDetail> =>
      unwrap(
        client.POST('/results/{id}/versions/{version}/restore', {
          params: { path: { id, version } },
          body: { version: seen },
        }),
      ),
    onSuccess: (detail) => takeDetail(queryClient, id, detail),
    onError: () => {
      void queryClient.invalidateQueries({ queryKey: keys.detail(id) });
      void queryClient.invalidateQueries({ queryKey: keys.versions(id) });
    },
  });
}

export function useModels() {
  return useQuery({
    queryKey: keys.models,
    queryFn: ({ signal }): Promise<Models> => unwrap(client.GET('/models', { signal })),
  });
}

/** Works on a call again; what is left out is as the server has it. */
export function useRetryWith(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (query: { from?: Stage; model?: string; language?: string }): Promise<CallView> =>
      unwrap(client.POST('/results/{id}/retry', { params: { path: { id }, query } })),
    onSettled: () => {
      refreshCall(queryClient, id);
      void queryClient.invalidateQueries({ queryKey: keys.versions(id) });
    },
  });
}
