/** Employees, names of files, MANGO and Calltouch: queries and mutations. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { apiUrl, client, toApiError, unwrap } from './client';
import { keys } from './calls';
import type { Calltouch, EmployeeDraft, Employees, Imported, Mango, Payloads, TriedNames } from './types';

const employeesKey = ['employees'] as const;
const mangoKey = ['mango'] as const;
const calltouchKey = ['calltouch'] as const;
const REFRESH_MS = 10_000;

export function useEmployees() {
  return useQuery({
    queryKey: employeesKey,
    queryFn: ({ signal }): Promise<Employees> => unwrap(client.GET('/employees', { signal })),
  });
}

function useChange<Input, Output>(change: (input: Input) => Promise<Output>, key: readonly string[]) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () => queries.invalidateQueries({ queryKey: key }),
  });
}

export function useSaveEmployee() {
  return useChange(async ({ id, ...body }: EmployeeDraft & { id: string | null }): Promise<void> => {
    if (id === null) await unwrap(client.POST('/employees', { body }));
    else await unwrap(client.PUT('/employees/{id}', { params: { path: { id } }, body }));
  }, employeesKey);
}

export function useRemoveEmployee() {
  return useChange(async (id: string): Promise<void> => {
    await unwrap(client.DELETE('/employees/{id}', { params: { path: { id } } }));
  }, employeesKey);
}

/** The bytes go as they are: the server finds the encoding. */
export function useImportEmployees() {
  return useChange(async (file: File): Promise<Imported> => {
    const response = await fetch(apiUrl('/employees/import'), {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'Content-Type': 'application/octet-stream' },
      body: file,
    });
    const body: unknown = await response.json().catch(() => null);
    if (!response.ok) throw toApiError(body, response.status);
    return body as Imported;
  }, employeesKey);
}

export function useImportMangoEmployees() {
  return useChange((): Promise<Imported> => unwrap(client.POST('/employees/import/mango')), employeesKey);
}

export function useApplyEmployees() {
  return useChange(async (): Promise<number> => (await unwrap(client.POST('/employees/apply'))).calls, keys.all);
}

export function useTryNames() {
  return useMutation({
    mutationFn: ({ names, pattern }: { names: string[]; pattern: string }): Promise<TriedNames> =>
      unwrap(
        client.POST('/names/try', {
          body: pattern ? { names, patterns: [{ name: '✎', regex: pattern }] } : { names },
        }),
      ),
  });
}

export function useMango() {
  return useQuery({
    queryKey: mangoKey,
    queryFn: ({ signal }): Promise<Mango> => unwrap(client.GET('/mango', { signal })),
    refetchInterval: REFRESH_MS,
  });
}

export function useCalltouch() {
  return useQuery({
    queryKey: calltouchKey,
    queryFn: ({ signal }): Promise<Calltouch> => unwrap(client.GET('/calltouch', { signal })),
    refetchInterval: REFRESH_MS,
  });
}

export type System = 'mango' | 'calltouch';

export function useSync(system: System) {
  return useChange(
    async (body: { date_from: string; date_to: string }): Promise<number> =>
      (await unwrap(system === 'mango' ? client.POST('/mango/sync', { body }) : client.POST('/calltouch/sync', { body }))).errands,
    [system],
  );
}

export function useResume(system: System) {
  return useChange(
    async (): Promise<number> =>
      (await unwrap(system === 'mango' ? client.POST('/mango/resume') : client.POST('/calltouch/resume'))).errands,
    [system],
  );
}

export function usePayloads(id: string) {
  return useQuery({
    queryKey: [...keys.detail(id), 'payloads'],
    queryFn: ({ signal }): Promise<Payloads> =>
      unwrap(client.GET('/results/{id}/payloads', { params: { path: { id } }, signal })),
  });
}
