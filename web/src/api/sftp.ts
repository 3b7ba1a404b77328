/** The SFTP server and who may send recordings to it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { client, unwrap } from './client';
import type { NewSftpUser, SftpServer, SftpUser, SftpUserChange, SftpUserChanged } from './types';

const usersKey = ['sftp-users'] as const;

export function useSftpServer() {
  return useQuery({
    queryKey: ['sftp-server'],
    queryFn: ({ signal }): Promise<SftpServer> => unwrap(client.GET('/sftp/server', { signal })),
  });
}

export function useSftpUsers() {
  return useQuery({
    queryKey: usersKey,
    queryFn: async ({ signal }): Promise<SftpUser[]> => (await unwrap(client.GET('/sftp/users', { signal }))).items as SftpUser[],
  });
}

function useChange<Input, Answer>(run: (input: Input) => Promise<Answer>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSuccess: () => queries.invalidateQueries({ queryKey: usersKey }),
  });
}

export const useAddSftpUser = () =>
  useChange((body: NewSftpUser): Promise<SftpUserChanged> => unwrap(client.POST('/sftp/users', { body })));

export const useChangeSftpUser = () =>
  useChange(
    ({ name, change }: { name: string; change: SftpUserChange }): Promise<SftpUserChanged> =>
      unwrap(client.PUT('/sftp/users/{name}', { params: { path: { name } }, body: change })),
  );

export const useRemoveSftpUser = () =>
  useChange((name: string) => unwrap(client.DELETE('/sftp/users/{name}', { params: { path: { name } } })));
