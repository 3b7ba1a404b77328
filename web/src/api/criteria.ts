/** Scorecards, prompts, trials and scoring the past again: queries and mutations. */
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { keys } from './calls';
import { client, unwrap } from './client';
import type {
  CardCheck,
  CardContent,
  CardDocument,
  CardDraft,
  CardVersion,
  CallFilter,
  NewPrompt,
  Prompt,
  PromptPatch,
  Prompts,
  Rescoring,
  RescoringReport,
  Scorecards,
  Trial,
} from './types';

const cards = ['scorecards'] as const;
const prompts = ['prompts'] as const;
const rescorings = ['rescorings'] as const;
const RUNNING_MS = 1_000;

export interface CardKey {
  id: string;
  version: number;
}

export function useScorecards() {
  return useQuery({
    queryKey: [...cards, 'list'],
    queryFn: ({ signal }): Promise<Scorecards> => unwrap(client.GET('/scorecards', { signal })),
  });
}

/** `null` is the one that came with the program. A version never changes. */
export function fetchCard(key: CardKey | null, signal?: AbortSignal): Promise<CardContent> {
  if (!key) return unwrap(client.GET('/scorecards/default', { signal }));
  const path = { id: key.id, version: key.version };
  return unwrap(client.GET('/scorecards/{id}/versions/{version}', { params: { path }, signal }));
}

export function useCard(key: CardKey | null) {
  return useQuery({
    queryKey: [...cards, 'content', key],
    queryFn: ({ signal }) => fetchCard(key, signal),
    enabled: key !== null,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function checkCard(body: { text: string } | { document: CardDocument }): Promise<CardCheck> {
  return unwrap(client.POST('/scorecards/check', { body: body as never }));
}

export function saveDraft(draft: { id: string; revision: number; text: string; base: CardKey | null }): Promise<CardDraft> {
  const body = { text: draft.text, revision: draft.revision, base_id: draft.base?.id, base_version: draft.base?.version };
  return unwrap(client.PUT('/scorecard-drafts/{id}', { params: { path: { id: draft.id } }, body }));
}

function useCardChange<Input, Output>(change: (input: Input) => Promise<Output>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: async () => {
      await queries.invalidateQueries({ queryKey: [...cards, 'list'] });
      // Another scorecard in force makes scores stale.
      await queries.invalidateQueries({ queryKey: keys.all });
    },
  });
}

export function useAddDraft() {
  return useCardChange(
    ({ text, base }: { text: string; base: CardKey | null }): Promise<CardDraft> =>
      unwrap(client.POST('/scorecard-drafts', { body: { text, base_id: base?.id, base_version: base?.version } })),
  );
}

export function useRemoveDraft() {
  return useCardChange(async (id: string): Promise<void> => {
    await unwrap(client.DELETE('/scorecard-drafts/{id}', { params: { path: { id } } }));
  });
}

export function usePublish() {
  return useCardChange(
    (body: { text: string; comment: string; activate: boolean; draft_id: string }): Promise<CardVersion> =>
      unwrap(client.POST('/scorecards', { body })),
  );
}

export function useActivate() {
  return useCardChange(
    ({ id, version }: CardKey): Promise<Scorecards> =>
      unwrap(client.POST('/scorecards/{id}/versions/{version}/activate', { params: { path: { id, version } } })),
  );
}

export function usePrompts() {
  return useQuery({
    queryKey: [...prompts, 'list'],
    queryFn: ({ signal }): Promise<Prompts> => unwrap(client.GET('/prompts', { signal })),
  });
}

export function usePromptVersions(id: string, enabled: boolean) {
  return useQuery({
    queryKey: [...prompts, 'versions', id],
    queryFn: async ({ signal }): Promise<Prompt[]> =>
      (await unwrap(client.GET('/prompts/{id}/versions', { params: { path: { id } }, signal }))).items,
    enabled,
  });
}

function usePromptChange<Input, Output>(change: (input: Input) => Promise<Output>) {
  const queries = useQueryClient();
  return useMutation({ mutationFn: change, onSettled: () => queries.invalidateQueries({ queryKey: prompts }) });
}

export function useAddPrompt() {
  return usePromptChange((body: NewPrompt): Promise<Prompt> => unwrap(client.POST('/prompts', { body })));
}

export function useChangePrompt() {
  return usePromptChange(
    ({ id, ...body }: PromptPatch & { id: string }): Promise<Prompt> =>
      unwrap(client.PUT('/prompts/{id}', { params: { path: { id } }, body })),
  );
}

export function useRemovePrompt() {
  return usePromptChange(async (id: string): Promise<void> => {
    await unwrap(client.DELETE('/prompts/{id}', { params: { path: { id } } }));
  });
}

export function tryDraft(body: { call_id: string; scorecard?: string; prompt?: string; engine: 'rules' | 'model' }): Promise<Trial> {
  return unwrap(client.POST('/trials', { body }));
}

export function useRescorings() {
  return useQuery({
    queryKey: [...rescorings, 'list'],
    queryFn: async ({ signal }): Promise<Rescoring[]> => (await unwrap(client.GET('/rescorings', { signal }))).items as Rescoring[],
    refetchInterval: ({ state }) => (state.data?.some((order) => order.state === 'running') ? RUNNING_MS : false),
  });
}

export function useRescoringReport(id: string, page: number, running: boolean) {
  return useQuery({
    queryKey: [...rescorings, 'report', id, page, running],
    queryFn: ({ signal }): Promise<RescoringReport> =>
      unwrap(client.GET('/rescorings/{id}', { params: { path: { id }, query: { page, page_size: 25 } }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: running ? 2 * RUNNING_MS : false,
  });
}

export function useBeginRescoring() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (filter: CallFilter): Promise<Rescoring> => unwrap(client.POST('/rescorings', { body: { filter } })),
    onSettled: () => queries.invalidateQueries({ queryKey: rescorings }),
  });
}

export function useCancelRescoring() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string): Promise<Rescoring> => unwrap(client.POST('/rescorings/{id}/cancel', { params: { path: { id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: rescorings }),
  });
}
