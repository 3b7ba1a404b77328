/** What people say of scores: reviews of a call, disputes, agreement, scores over time. */
import { keepPreviousData, useMutation, useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { keys as callKeys } from './calls';
import { client, unwrap } from './client';
import type { Agreement, CallDetail, DisputesPage, DisputeState, Dynamics, Engine, ItemReviews, PeriodStep, ReviewRequest } from './types';

/** How often it is looked whether others disputed or settled something. */
const LOOK_MS = 60_000;

const keys = {
  all: ['reviews'] as const,
  disputes: (state: DisputeState | 'all', page: number, size: number) => ['reviews', 'disputes', state, page, size] as const,
  agreement: (query: AgreementQuery) => ['reviews', 'agreement', query] as const,
  dynamics: (query: DynamicsQuery) => ['reviews', 'dynamics', query] as const,
  call: (id: string) => [...callKeys.detail(id), 'reviews'] as const,
};

export interface AgreementQuery {
  operator?: string;
  from?: string;
  to?: string;
  engine?: Engine;
}

export interface DynamicsQuery {
  operator?: string;
  from?: string;
  to?: string;
  step: PeriodStep;
}

export function useReviewItem(callId: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (body: ReviewRequest): Promise<CallDetail> =>
      unwrap(client.POST('/results/{id}/reviews', { params: { path: { id: callId } }, body })),
    onSuccess: (detail) => {
      queryClient.setQueryData(callKeys.detail(callId), detail);
      void queryClient.invalidateQueries({ queryKey: callKeys.lists });
      void queryClient.invalidateQueries({ queryKey: keys.call(callId) });
      void queryClient.invalidateQueries({ queryKey: keys.all });
    },
    // Perhaps somebody else was faster: what they said is shown.
    onError: () => {
      void queryClient.invalidateQueries({ queryKey: callKeys.detail(callId) });
      void queryClient.invalidateQueries({ queryKey: keys.all });
    },
  });
}

export function useReviews(callId: string) {
  return useQuery({
    queryKey: keys.call(callId),
    queryFn: async ({ signal }): Promise<ItemReviews[]> =>
      (await unwrap(client.GET('/results/{id}/reviews', { params: { path: { id: callId } }, signal }))).items as ItemReviews[],
  });
}

export function useDisputes(state: DisputeState | 'all', page: number, size: number) {
  return useQuery({
    queryKey: keys.disputes(state, page, size),
    queryFn: ({ signal }): Promise<DisputesPage> =>
      unwrap(
        client.GET('/disputes', {
          params: { query: { page, page_size: size, ...(state !== 'all' && { state }) } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: LOOK_MS,
  });
}

/** How many disputes wait; undefined until that is known. */
export function useOpenDisputes(): number | undefined {
  const query = useQuery({
    queryKey: keys.disputes('open', 1, 1),
    queryFn: ({ signal }): Promise<DisputesPage> =>
      unwrap(client.GET('/disputes', { params: { query: { state: 'open', page: 1, page_size: 1 } }, signal })),
    refetchInterval: LOOK_MS,
  });
  return query.data?.open;
}

export function useAgreement(query: AgreementQuery) {
  return useQuery({
    queryKey: keys.agreement(query),
    queryFn: ({ signal }): Promise<Agreement> => unwrap(client.GET('/quality/agreement', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

/** One answer an operator, in their order; '' stands for all of them. */
export function useDynamics(operators: readonly string[], query: Omit<DynamicsQuery, 'operator'>) {
  return useQueries({
    queries: operators.map((operator) => {
      const one: DynamicsQuery = operator ? { ...query, operator } : query;
      return {
        queryKey: keys.dynamics(one),
        queryFn: ({ signal }: { signal: AbortSignal }): Promise<Dynamics> =>
          unwrap(client.GET('/quality/dynamics', { params: { query: one }, signal })),
        placeholderData: keepPreviousData,
      };
    }),
  });
}
