import { useId, useRef, useState } from 'react';
import {
  useApplyEmployees,
  useEmployees,
  useImportEmployees,
  useImportMangoEmployees,
  useMango,
  useRemoveEmployee,
  useSaveEmployee,
} from '../../api/outside';
import type { Employee, Imported } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { ConfirmDialog, Dialog } from '../../ui/Dialog';
import { ErrorState, Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { Section } from './parts';

/** The directory by which calls get their operators. */
export function EmployeesSection() {
  const { t } = useI18n();
  const words = t.outside.employees;
  const errorText = useErrorText();
  const query = useEmployees();
  const mango = useMango().data;
  const [editing, setEditing] = useState<Employee | 'new' | null>(null);
  const [removing, setRemoving] = useState<Employee | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const file = useRef<HTMLInputElement>(null);
  const importCsv = useImportEmployees();
  const importMango = useImportMangoEmployees();
  const apply = useApplyEmployees();
  const remove = useRemoveEmployee();
  const onError = (error: unknown) => setProblem(errorText(error));
  const onImported = (imported: Imported) => {
    setProblem(null);
    toast(words.imported(imported.added, imported.changed));
  };
  const items = query.data?.items ?? [];

  return (
    <Section title={words.title}>
      <p className="mb-3 text-ink-soft">{words.hint}</p>
      <div role="alert" hidden={!problem} className="mb-3">
        {problem && <Notice tone="bad">{problem}</Notice>}
      </div>
      {query.isError && <ErrorState title={words.title} error={query.error} onRetry={() => void query.refetch()} />}
      {query.data && items.length === 0 && <p className="mb-3">{words.empty}</p>}
      {items.length > 0 && (
        <div className="mb-4 max-h-96 overflow-auto rounded-lg border border-line">
          <table className="w-full text-left" data-testid="employees">
            <thead className="sticky top-0 bg-sunken text-[0.85rem] text-ink-soft">
              <tr>
                {[words.name, words.team, words.extensions, words.phones, words.sip].map((title) => (
                  <th key={title} scope="col" className="px-3 py-2 font-medium">
                    {title}
                  </th>
                ))}
                <th scope="col" className="w-0">
                  <span className="sr-only">{words.actions}</span>
                </th>
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {items.map((employee) => (
                <tr key={employee.id} data-testid="employee">
                  <td className="px-3 py-2 font-medium">{employee.name}</td>
                  <td className="px-3 py-2">{employee.team ?? ''}</td>
                  <td className="tabular px-3 py-2">{employee.extensions.join(', ')}</td>
                  <td className="tabular px-3 py-2">{employee.phones.join(', ')}</td>
                  <td className="px-3 py-2 break-all">{employee.sip.join(', ')}</td>
                  <td className="px-1 py-1 whitespace-nowrap">
                    <IconButton icon="edit" label={words.edit(employee.name)} onClick={() => setEditing(employee)} />
                    <IconButton icon="trash" label={words.remove(employee.name)} onClick={() => setRemoving(employee)} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div className="flex flex-wrap gap-2">
        <Button kind="primary" data-testid="employee-add" onClick={() => setEditing('new')}>
          {words.add}
        </Button>
        <Button busy={importCsv.isPending} onClick={() => file.current?.click()}>
          {words.importCsv}
        </Button>
        <input
          ref={file}
          type="file"
          accept=".csv,text/csv,text/plain"
          hidden
          data-testid="employees-csv"
          onChange={(event) => {
            const chosen = event.target.files?.[0];
            event.target.value = '';
            if (chosen) importCsv.mutate(chosen, { onSuccess: onImported, onError });
          }}
        />
        {mango?.enabled && (
          <Button busy={importMango.isPending} onClick={() => importMango.mutate(undefined, { onSuccess: onImported, onError })}>
            {words.importMango}
          </Button>
        )}
        {items.length > 0 && (
          <Button
            busy={apply.isPending}
            data-testid="employees-apply"
            onClick={() => apply.mutate(undefined, { onSuccess: (calls) => toast(words.applied(calls)), onError })}
          >
            {words.apply}
          </Button>
        )}
      </div>
      <p className="mt-2 text-[0.85rem] text-ink-faint">{words.csvHint}</p>
      {editing && <EmployeeDialog employee={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />}
      {removing && (
        <ConfirmDialog
          title={words.remove(removing.name)}
          text={words.removeText}
          confirmLabel={words.removeButton}
          busy={remove.isPending}
          onCancel={() => setRemoving(null)}
          onConfirm={() =>
            remove.mutate(removing.id, {
              onSuccess: () => toast(words.removed),
              onError,
              onSettled: () => setRemoving(null),
            })
          }
        />
      )}
    </Section>
  );
}

const list = (text: FormDataEntryValue | null) =>
  String(text ?? '')
    .split(/[,;\n]/)
    .map((one) => one.trim())
    .filter(Boolean);

function EmployeeDialog({ employee, onClose }: { employee: Employee | null; onClose(): void }) {
  const { t } = useI18n();
  const words = t.outside.employees;
  const errorText = useErrorText();
  const id = useId();
  const save = useSaveEmployee();
  const fields = [
    ['name', words.name, employee?.name ?? ''],
    ['team', words.team, employee?.team ?? ''],
    ['extensions', words.extensions, employee?.extensions.join(', ') ?? ''],
    ['phones', words.phones, employee?.phones.join(', ') ?? ''],
    ['sip', words.sip, employee?.sip.join(', ') ?? ''],
    ['mango_user_id', words.mangoId, employee?.mango_user_id ?? ''],
  ] as const;
  return (
    <Dialog title={employee ? words.edit(employee.name) : words.add} testId="employee-dialog" onClose={onClose}>
      <form
        className="mt-4 flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const data = new FormData(event.currentTarget);
          const text = (name: string) => String(data.get(name) ?? '').trim();
          save.mutate(
            {
              id: employee?.id ?? null,
              name: text('name'),
              team: text('team') || undefined,
              extensions: list(data.get('extensions')),
              phones: list(data.get('phones')),
              sip: list(data.get('sip')),
              mango_user_id: text('mango_user_id') || undefined,
            },
            {
              onSuccess: () => {
                toast(words.saved);
                onClose();
              },
            },
          );
        }}
      >
        {save.isError && <Notice tone="bad">{errorText(save.error)}</Notice>}
        {fields.map(([name, label, value]) => (
          <div key={name}>
            <label className="label" htmlFor={`${id}-${name}`}>
              {label}
            </label>
            <input id={`${id}-${name}`} name={name} className="field" defaultValue={value} required={name === 'name'} autoComplete="off" />
          </div>
        ))}
        <p className="text-[0.85rem] text-ink-faint">{words.listHint}</p>
        <div className="mt-2 flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" busy={save.isPending}>
            {t.common.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
