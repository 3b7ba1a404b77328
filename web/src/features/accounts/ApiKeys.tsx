import { useId, useState } from 'react';
import { useAccounts, useAddApiKey, useApiKeys, useRemoveApiKey } from '../../api/accounts';
import type { ApiKey } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { ConfirmDialog, Dialog } from '../../ui/Dialog';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { Section } from '../settings/parts';
import { SecretDialog } from './Secret';

/** Keys that programs sign in with. */
export function ApiKeysSection() {
  const { t, fmt } = useI18n();
  const words = t.accounts.keys;
  const errorText = useErrorText();
  const keys = useApiKeys();
  const remove = useRemoveApiKey();
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [removing, setRemoving] = useState<ApiKey | null>(null);
  const names: Record<string, string> = words.names;
  const items = keys.data?.items ?? [];
  return (
    <Section title={words.title}>
      <p className="mb-3 text-ink-soft">{words.hint}</p>
      {keys.data && items.length === 0 && <p className="mb-3">{words.none}</p>}
      {items.length > 0 && (
        <ul className="mb-4 divide-y divide-line rounded-lg border border-line" data-testid="api-keys">
          {items.map((key) => (
            <li key={key.id} className="flex items-start gap-3 px-3 py-2.5">
              <div className="min-w-0 flex-1">
                <p className="font-medium break-words">
                  {key.name}
                  {key.expired && <span className="ml-2 rounded-full bg-bad-soft px-2 text-[0.8rem] text-bad">{words.expired}</span>}
                </p>
                <p className="text-[0.87rem] break-words text-ink-soft">
                  {key.user} · {key.scopes.map((scope) => names[scope] ?? scope).join(', ')}
                </p>
                <p className="text-[0.87rem] text-ink-faint">
                  {t.accounts.until(fmt.dateTime(key.expires_at))}, {key.used_at ? words.used(fmt.dateTime(key.used_at)) : words.unused}
                </p>
              </div>
              <IconButton icon="trash" label={words.removeTitle(key.name)} onClick={() => setRemoving(key)} />
            </li>
          ))}
        </ul>
      )}
      <Button data-testid="api-key-add" onClick={() => setAdding(true)}>
        {words.add}
      </Button>
      {adding && (
        <KeyDialog
          scopes={keys.data?.scopes ?? []}
          onClose={() => setAdding(false)}
          onMade={(made) => {
            setAdding(false);
            setSecret(made);
          }}
        />
      )}
      {secret && <SecretDialog title={words.secretTitle} text={words.secretText} secret={secret} onClose={() => setSecret(null)} />}
      {removing && (
        <ConfirmDialog
          title={words.removeTitle(removing.name)}
          text={words.removeText}
          confirmLabel={words.remove}
          busy={remove.isPending}
          onCancel={() => setRemoving(null)}
          onConfirm={() =>
            remove.mutate(removing.id, {
              onSuccess: () => toast(words.removed),
              onError: (error) => toast(errorText(error), 'bad'),
              onSettled: () => setRemoving(null),
            })
          }
        />
      )}
    </Section>
  );
}

function KeyDialog({ scopes, onClose, onMade }: { scopes: readonly string[]; onClose(): void; onMade(secret: string): void }) {
  const { t } = useI18n();
  const words = t.accounts.keys;
  const names: Record<string, string> = words.names;
  const errorText = useErrorText();
  const id = useId();
  const add = useAddApiKey();
  const accounts = useAccounts().data ?? [];
  const [chosen, setChosen] = useState<string[]>([]);

  function submit(event: React.FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const text = (name: string) => String(data.get(name) ?? '').trim();
    add.mutate(
      {
        name: text('name'),
        scopes: chosen,
        user: text('user') || undefined,
        days: Number(text('days')),
        per_minute: Number(text('per_minute')),
      },
      { onSuccess: ({ secret }) => onMade(secret) },
    );
  }

  return (
    <Dialog title={words.add} wide testId="api-key-dialog" onClose={onClose}>
      <form className="mt-4 flex flex-col gap-4" onSubmit={submit}>
        {add.error && (
          <div role="alert">
            <Notice tone="bad">{errorText(add.error)}</Notice>
          </div>
        )}
        <div>
          <label className="label" htmlFor={`${id}-name`}>
            {words.name}
          </label>
          <input id={`${id}-name`} name="name" className="field" required maxLength={100} autoComplete="off" />
        </div>
        <fieldset className="flex flex-wrap gap-x-5 gap-y-2">
          <legend className="label">{words.scopes}</legend>
          {scopes.map((scope) => (
            <label key={scope} className="inline-flex items-center gap-2">
              <input
                type="checkbox"
                checked={chosen.includes(scope)}
                onChange={(event) => setChosen(event.target.checked ? [...chosen, scope] : chosen.filter((other) => other !== scope))}
              />
              {names[scope] ?? scope}
            </label>
          ))}
        </fieldset>
        <div className="grid gap-3 sm:grid-cols-3">
          <div>
            <label className="label" htmlFor={`${id}-user`}>
              {words.user}
            </label>
            <select id={`${id}-user`} name="user" className="field" defaultValue="">
              <option value="">{t.common.dash}</option>
              {accounts.map((account) => (
                <option key={account.name} value={account.name}>
                  {account.name}
                </option>
              ))}
            </select>
          </div>
          <div>
            <label className="label" htmlFor={`${id}-days`}>
              {words.days}
            </label>
            <input id={`${id}-days`} name="days" className="field" type="number" min={1} max={366} defaultValue={90} required />
          </div>
          <div>
            <label className="label" htmlFor={`${id}-rate`}>
              {words.perMinute}
            </label>
            <input id={`${id}-rate`} name="per_minute" className="field" type="number" min={1} max={6000} defaultValue={600} required />
          </div>
        </div>
        <div className="mt-2 flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" busy={add.isPending} disabled={chosen.length === 0}>
            {words.add}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
