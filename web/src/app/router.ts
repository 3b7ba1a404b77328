/** Hash routing: `#/`, `#/calls/<id>`, `#/files`, `#/questions`, `#/criteria`, `#/quality`, `#/settings`, `#/access`, `#/invitation/<token>`, each with an optional `?query`. */
import { useSyncExternalStore } from 'react';

export type Route =
  | { page: 'calls'; params: URLSearchParams }
  | { page: 'call'; id: string; params: URLSearchParams }
  | { page: 'files'; params: URLSearchParams }
  | { page: 'criteria'; params: URLSearchParams }
  | { page: 'quality' }
  | { page: 'questions'; params: URLSearchParams }
  | { page: 'settings' }
  | { page: 'audit' }
  | { page: 'access' }
  | { page: 'invitation'; token: string }
  | { page: 'not-found' };

export function parseHash(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  const params = new URLSearchParams(query);
  const parts = path.split('/').filter(Boolean);
  if (parts.length === 0) return { page: 'calls', params };
  if (parts[0] === 'calls' && parts[1] && parts.length === 2) {
    return { page: 'call', id: safeDecode(parts[1]), params };
  }
  if (parts[0] === 'files' && parts.length === 1) return { page: 'files', params };
  if (parts[0] === 'criteria' && parts.length === 1) return { page: 'criteria', params };
  if (parts[0] === 'quality' && parts.length === 1) return { page: 'quality' };
  if (parts[0] === 'questions' && parts.length === 1) return { page: 'questions', params };
  if (parts[0] === 'settings' && parts.length === 1) return { page: 'settings' };
  if (parts[0] === 'audit' && parts.length === 1) return { page: 'audit' };
  if (parts[0] === 'access' && parts.length === 1) return { page: 'access' };
  if (parts[0] === 'invitation' && parts[1] && parts.length === 2) return { page: 'invitation', token: parts[1] };
  return { page: 'not-found' };
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function callHref(id: string, params?: Record<string, string>): string {
  const query = new URLSearchParams(params).toString();
  return `#/calls/${encodeURIComponent(id)}${query ? `?${query}` : ''}`;
}

export function listHref(params: URLSearchParams): string {
  const query = params.toString();
  return query ? `#/?${query}` : '#/';
}

export function filesHref(params: URLSearchParams): string {
  const query = params.toString();
  return query ? `#/files?${query}` : '#/files';
}

let lastList = '#/';

/** Where the list was left, filters and all: the way back from a call. */
export function lastListHref(): string {
  return lastList;
}

export function rememberList(params: URLSearchParams): void {
  lastList = listHref(params);
}

const listeners = new Set<() => void>();

export function navigate(href: string, how: 'push' | 'replace' = 'push'): void {
  if (href === location.hash) return;
  if (how === 'push') history.pushState(null, '', href);
  else history.replaceState(null, '', href);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener('hashchange', listener);
  addEventListener('popstate', listener);
  return () => {
    listeners.delete(listener);
    removeEventListener('hashchange', listener);
    removeEventListener('popstate', listener);
  };
}

export function useHash(): string {
  return useSyncExternalStore(subscribe, () => location.hash);
}
