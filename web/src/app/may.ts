/** What the person who is signed in may do; the page offers nothing else. The server decides by itself. */
import { createContext, useContext } from 'react';

/** As `permissions` of `/auth/me`. */
export type Permission =
  | 'calls:upload'
  | 'calls:edit'
  | 'calls:delete'
  | 'reviews:write'
  | 'questions:ask'
  | 'settings'
  | 'accounts'
  | 'audit:read'
  | 'erasure';

interface Rights {
  permissions: readonly string[];
  role: string;
  reach?: { teams?: readonly string[] | null };
}

/** Null: nothing is known, and nothing is hidden. */
export const RightsContext = createContext<Rights | null>(null);

export function useMay(permission: Permission): boolean {
  return useContext(RightsContext)?.permissions.includes(permission) ?? true;
}

/** An operator can dispute a verdict; only others decide about it. */
export function useDecides(): boolean {
  const rights = useContext(RightsContext);
  return !rights || (rights.permissions.includes('reviews:write') && rights.role !== 'operator');
}

/** Whether a call must name an operator for the person to see it: theirs are the calls of some teams only. */
export function useMustName(): boolean {
  return Boolean(useContext(RightsContext)?.reach?.teams);
}
