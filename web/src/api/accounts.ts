/** Accounts, invitations, API keys, one's own sessions and second factor. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { client, unwrap } from './client';
import { sessionKey } from './session';
import type { Account, AccountPatch, ApiKey, ApiKeyRequest, Invitation, NewAccount, Session, User } from './types';

const accountsKey = ['accounts'] as const;
const invitationsKey = ['invitations'] as const;
const apiKeysKey = ['api-keys'] as const;
const sessionsKey = ['sessions'] as const;

export function useAccounts() {
  return useQuery({
    queryKey: accountsKey,
    queryFn: async ({ signal }): Promise<Account[]> => (await unwrap(client.GET('/accounts', { signal }))).items as Account[],
  });
}

export function useTeams(enabled: boolean) {
  return useQuery({
    queryKey: ['teams'],
    enabled,
    queryFn: async ({ signal }) => (await unwrap(client.GET('/teams', { signal }))).items,
  });
}

export function useInvitations() {
  return useQuery({
    queryKey: invitationsKey,
    queryFn: async ({ signal }): Promise<Invitation[]> =>
      (await unwrap(client.GET('/invitations', { signal }))).items as Invitation[],
  });
}

export function useApiKeys() {
  return useQuery({
    queryKey: apiKeysKey,
    queryFn: async ({ signal }) => {
      const found = await unwrap(client.GET('/api-keys', { signal }));
      return { items: found.items as ApiKey[], scopes: found.scopes };
    },
  });
}

export function useOwnSessions() {
  return useQuery({
    queryKey: sessionsKey,
    queryFn: async ({ signal }): Promise<Session[]> => (await unwrap(client.GET('/auth/sessions', { signal }))).items,
  });
}

function useChange<Input, Answer>(key: readonly string[], run: (input: Input) => Promise<Answer>) {
  const queries = useQueryClient();
  return useMutation({ mutationFn: run, onSettled: () => queries.invalidateQueries({ queryKey: key }) });
}

const named = (name: string) => ({ params: { path: { name } } });

export const useAddAccount = () => useChange(accountsKey, (body: NewAccount) => unwrap(client.POST('/accounts', { body })));

export const useInvite = () => useChange(invitationsKey, (body: NewAccount) => unwrap(client.POST('/invitations', { body })));

export const useRemoveInvitation = () =>
  useChange(invitationsKey, (name: string) => unwrap(client.DELETE('/invitations/{name}', named(name))));

export const useChangeAccount = () =>
  useChange(accountsKey, ({ name, body }: { name: string; body: AccountPatch }) =>
    unwrap(client.PATCH('/accounts/{name}', { ...named(name), body })),
  );

export const useRemoveAccount = () =>
  useChange(accountsKey, (name: string) => unwrap(client.DELETE('/accounts/{name}', named(name))));

export const useResetPassword = () =>
  useChange(accountsKey, (name: string) => unwrap(client.POST('/accounts/{name}/password', named(name))));

export const useResetFactor = () =>
  useChange(accountsKey, (name: string) => unwrap(client.DELETE('/accounts/{name}/second-factor', named(name))));

export const useEndSessions = () =>
  useChange(accountsKey, (name: string) => unwrap(client.DELETE('/accounts/{name}/sessions', named(name))));

export const useAddApiKey = () => useChange(apiKeysKey, (body: ApiKeyRequest) => unwrap(client.POST('/api-keys', { body })));

export const useRemoveApiKey = () =>
  useChange(apiKeysKey, (id: string) => unwrap(client.DELETE('/api-keys/{id}', { params: { path: { id } } })));

export const useEndOwnSession = () =>
  useChange(sessionsKey, (id: string) => unwrap(client.DELETE('/auth/sessions/{id}', { params: { path: { id } } })));

export const useEndOtherSessions = () => useChange(sessionsKey, () => unwrap(client.DELETE('/auth/sessions')));

export const useBeginFactor = () =>
  useMutation({ mutationFn: (password: string) => unwrap(client.POST('/auth/second-factor', { body: { password } })) });

export const useConfirmFactor = () =>
  useMutation({ mutationFn: (code: string) => unwrap(client.POST('/auth/second-factor/confirm', { body: { code } })) });

export const useRecoveryCodes = () =>
  useMutation({
    mutationFn: (password: string) => unwrap(client.POST('/auth/second-factor/recovery-codes', { body: { password } })),
  });

export const useRemoveFactor = () =>
  useChange(sessionKey, (password: string) => unwrap(client.POST('/auth/second-factor/remove', { body: { password } })));

export async function lookAtInvitation(token: string): Promise<Invitation> {
  return (await unwrap(client.POST('/auth/invitation', { body: { token } }))) as Invitation;
}

export async function acceptInvitation(token: string, password: string): Promise<User> {
  return (await unwrap(client.POST('/auth/invitation/accept', { body: { token, password } }))).user as User;
}
