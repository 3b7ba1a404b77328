/** Files that were dropped over SFTP. */
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { apiUrl, client, unwrap } from './client';
import type { DroppedFile, DroppedFiles, FilesFilter, FilesRemoved, FilesSelection, PreparedArchive, Processed } from './types';

export const filesKey = ['sftp-files'] as const;

export interface FilesQuery extends FilesFilter {
  sort: string;
  page: number;
  page_size: number;
}

export function useFiles(query: FilesQuery, refetchInterval: number | false) {
  return useQuery({
    queryKey: [...filesKey, query],
    queryFn: ({ signal }): Promise<DroppedFiles> => unwrap(client.GET('/sftp/files', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval,
  });
}

function useChange<Answer>(run: (files: FilesSelection) => Promise<Answer>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSettled: () => queries.invalidateQueries({ queryKey: filesKey }),
  });
}

export const useProcessFiles = () =>
  useChange((body): Promise<Processed> => unwrap(client.POST('/sftp/process', { body })));

export const useRemoveFiles = () =>
  useChange((body): Promise<FilesRemoved> => unwrap(client.POST('/sftp/delete', { body })));

/** The server keeps the choice; the archive itself is fetched by the browser, which writes it to disk as it comes. */
export function usePrepareArchive() {
  return useMutation({
    mutationFn: (body: FilesSelection): Promise<PreparedArchive> => unwrap(client.POST('/sftp/download/prepare', { body })),
  });
}

export const archiveUrl = (id: string) => apiUrl(`/sftp/download/${encodeURIComponent(id)}`);

/** `name` is ready for an address. */
export const fileUrl = (file: DroppedFile, what: 'stream' | 'download') =>
  apiUrl(`/sftp/files/${file.name}/${what}?user=${encodeURIComponent(file.user)}`);
