/** Questions, answers, analyses, summaries and topics. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { keys } from './calls';
import { apiUrl, client, unwrap } from './client';
import type { Analysis, AnalysisPage, AnalysisRequest, Answer, AnswerEvent, CallInsight, Estimate, SavedQuestion, TrackerDraft, Trackers } from './types';

const savedKey = ['questions'] as const;
const analysesKey = ['analyses'] as const;
export const trackersKey = ['trackers'] as const;
const WORKING_MS = 1500;
const OWED_MS = 5000;
const TRACKERS_MS = 2000;
export const ROWS = 25;

/** Below the call's own key: what refreshes the call refreshes this. */
export const answersKey = (id: string) => [...keys.detail(id), 'answers'] as const;
const insightKey = (id: string) => [...keys.detail(id), 'insight'] as const;

export function useAnswers(id: string) {
  return useQuery({
    queryKey: answersKey(id),
    queryFn: async ({ signal }): Promise<Answer[]> =>
      (await unwrap(client.GET('/results/{id}/answers', { params: { path: { id } }, signal }))).items as Answer[],
    // Should the stream of an answer fail for good, the answer comes this way.
    refetchInterval: (query) => (query.state.data?.some((one) => !one.answer) ? OWED_MS : false),
  });
}

export function useAsk(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ question, saved_id }: { question: string; saved_id?: string }): Promise<Answer> => {
      const asked = await unwrap(client.POST('/analysis/custom-query', { body: { call_id: id, question, saved_id } }));
      return asked.answer as Answer;
    },
    onSuccess: (answer) => queries.setQueryData<Answer[]>(answersKey(id), (known) => [answer, ...(known ?? [])]),
  });
}

export function useDeleteAnswer(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (answer: string) => unwrap(client.DELETE('/results/{id}/answers/{answer}', { params: { path: { id, answer } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: answersKey(id) }),
  });
}

/** Hears an answer while it is written. Returns what stops listening; a lost connection comes back by itself. */
export function listen(call: string, answer: string, hear: (event: AnswerEvent) => void): () => void {
  const source = new EventSource(apiUrl(`/results/${encodeURIComponent(call)}/answers/${encodeURIComponent(answer)}/events`));
  source.addEventListener('open', () => hear({ kind: 'again' }));
  source.addEventListener('message', (message: MessageEvent<string>) => {
    let event: AnswerEvent;
    try {
      event = JSON.parse(message.data) as AnswerEvent;
    } catch {
      return;
    }
    if (event.kind === 'done') source.close();
    hear(event);
  });
  return () => source.close();
}

export function useSavedQuestions() {
  return useQuery({
    queryKey: savedKey,
    queryFn: async ({ signal }): Promise<SavedQuestion[]> => (await unwrap(client.GET('/questions', { signal }))).items,
    staleTime: 30_000,
  });
}

export function useSaveQuestion() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ id, name, text }: { id: string | null; name: string; text: string }): Promise<SavedQuestion> =>
      id === null
        ? unwrap(client.POST('/questions', { body: { name, text } }))
        : unwrap(client.PUT('/questions/{id}', { params: { path: { id } }, body: { name, text } })),
    onSettled: () => queries.invalidateQueries({ queryKey: savedKey }),
  });
}

export function useRemoveQuestion() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => unwrap(client.DELETE('/questions/{id}', { params: { path: { id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: savedKey }),
  });
}

export function useAnalyses() {
  return useQuery({
    queryKey: analysesKey,
    queryFn: async ({ signal }): Promise<Analysis[]> => (await unwrap(client.GET('/analysis', { signal }))).items as Analysis[],
    refetchInterval: (query) => (query.state.data?.some((one) => one.state === 'running') ? WORKING_MS : false),
  });
}

export function useAnalysis(id: string, page: number) {
  return useQuery({
    queryKey: [...analysesKey, id, page],
    queryFn: ({ signal }): Promise<AnalysisPage> =>
      unwrap(client.GET('/analysis/{id}', { params: { path: { id }, query: { page, page_size: ROWS } }, signal })) as Promise<AnalysisPage>,
    refetchInterval: (query) => (query.state.data?.analysis.state === 'running' ? WORKING_MS : false),
  });
}

export function useEstimate(request: AnalysisRequest) {
  return useQuery({
    queryKey: ['estimate', request],
    queryFn: ({ signal }): Promise<Estimate> => unwrap(client.POST('/analysis/estimate', { body: request, signal })) as Promise<Estimate>,
    staleTime: 10_000,
  });
}

export function useStartAnalysis() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (request: AnalysisRequest): Promise<Analysis> => unwrap(client.POST('/analysis/start', { body: request })) as Promise<Analysis>,
    onSettled: () => queries.invalidateQueries({ queryKey: analysesKey }),
  });
}

export function useCancelAnalysis() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => unwrap(client.POST('/analysis/{id}/cancel', { params: { path: { id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: analysesKey }),
  });
}

export function useDeleteAnalysis() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => unwrap(client.DELETE('/analysis/{id}', { params: { path: { id } } })),
    onSuccess: (_nothing, id) => {
      queries.removeQueries({ queryKey: [...analysesKey, id] });
      void queries.invalidateQueries({ queryKey: analysesKey, exact: true });
    },
  });
}

export function tableUrl(id: string, format: 'csv' | 'json', lang: string): string {
  return apiUrl(`/analysis/${encodeURIComponent(id)}/export?format=${format}&lang=${lang}`);
}

export function useInsight(id: string) {
  return useQuery({
    queryKey: insightKey(id),
    queryFn: ({ signal }): Promise<CallInsight> =>
      unwrap(client.GET('/results/{id}/insight', { params: { path: { id } }, signal })) as Promise<CallInsight>,
  });
}

export function useSumUp(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (): Promise<CallInsight> => unwrap(client.POST('/results/{id}/insight', { params: { path: { id } } })) as Promise<CallInsight>,
    onSuccess: (insight) => queries.setQueryData(insightKey(id), insight),
  });
}

export function useTrackers() {
  return useQuery({
    queryKey: trackersKey,
    queryFn: ({ signal }): Promise<Trackers> => unwrap(client.GET('/trackers', { signal })) as Promise<Trackers>,
    staleTime: 30_000,
    refetchInterval: (query) => ((query.state.data?.waiting ?? 0) > 0 ? TRACKERS_MS : false),
  });
}

export function useSaveTracker() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ key, ...body }: TrackerDraft & { key: string | null }): Promise<Trackers> =>
      (key === null
        ? unwrap(client.POST('/trackers', { body }))
        : unwrap(client.PUT('/trackers/{id}', { params: { path: { id: key } }, body }))) as Promise<Trackers>,
    onSuccess: (trackers) => queries.setQueryData(trackersKey, trackers),
  });
}

export function useRemoveTracker() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (key: string) => unwrap(client.DELETE('/trackers/{id}', { params: { path: { id: key } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: trackersKey }),
  });
}

export function useResetTrackers() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (): Promise<Trackers> => unwrap(client.POST('/trackers/reset')) as Promise<Trackers>,
    onSuccess: (trackers) => queries.setQueryData(trackersKey, trackers),
  });
}
