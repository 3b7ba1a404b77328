/** Files that were dropped over SFTP. */
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type { DroppedFiles, DropState, Processed } from './types';

const filesKey = ['sftp-files'] as const;
/** New files show by themselves. */
const REFRESH_MS = 5000;

export interface FilesQuery {
  q: string;
  state: DropState | '';
  page: number;
  pageSize: number;
}

export function useFiles({ q, state, page, pageSize }: FilesQuery) {
  return useQuery({
    queryKey: [...filesKey, q, state, page, pageSize],
    queryFn: ({ signal }): Promise<DroppedFiles> =>
      unwrap(
        client.GET('/sftp/files', {
          params: { query: { q: q || undefined, state: state || undefined, page, page_size: pageSize } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  });
}

export function useProcessFiles() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (files: { user: string; path: string }[]): Promise<Processed> => unwrap(client.POST('/sftp/process', { body: { files } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: filesKey }),
  });
}
