/** Signing in and out, and who is signed in. */
import { useQuery } from '@tanstack/react-query';
import { ApiError, client, unwrap } from './client';
import type { Health, User } from './types';

export const sessionKey = ['session'] as const;

/** Null when nobody is signed in: that is an answer, not an error. */
export function useSession() {
  return useQuery({
    queryKey: sessionKey,
    queryFn: async (): Promise<User | null> => {
      try {
        return await unwrap(client.GET('/auth/me'));
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return null;
        throw error;
      }
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export async function signIn(username: string, password: string, code?: string): Promise<User> {
  const response = await unwrap(client.POST('/auth/login', { body: { username, password, code } }));
  return response.user as User;
}

export async function signOut(): Promise<void> {
  await unwrap(client.POST('/auth/logout'));
}

export async function changePassword(currentPassword: string, newPassword: string): Promise<void> {
  await unwrap(
    client.POST('/auth/password', { body: { current_password: currentPassword, new_password: newPassword } }),
  );
}

export function useHealth(refetchInterval: number | false) {
  return useQuery({
    queryKey: ['server'],
    queryFn: (): Promise<Health> => unwrap(client.GET('/server')),
    refetchInterval,
    retry: false,
  });
}
