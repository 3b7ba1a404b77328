import { useId, useState } from 'react';
import { useAddSftpUser, useChangeSftpUser, useRemoveSftpUser, useSftpServer, useSftpUsers } from '../../api/sftp';
import type { SftpUser } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { ConfirmDialog, Dialog } from '../../ui/Dialog';
import { ErrorState, Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { readNumber } from '../../ui/periods';
import { Facts, Section } from './parts';

const GIB = 1024 ** 3;

/** Who may send recordings, and what they have to enter where they send them from. */
export function SftpUsersSection() {
  const { t, fmt } = useI18n();
  const words = t.sftp;
  const errorText = useErrorText();
  const server = useSftpServer().data;
  const users = useSftpUsers();
  const remove = useRemoveSftpUser();
  const [editing, setEditing] = useState<SftpUser | 'new' | null>(null);
  const [removing, setRemoving] = useState<SftpUser | null>(null);
  const [made, setMade] = useState<{ name: string; password: string } | null>(null);
  const items = users.data ?? [];
  const signIn = (user: SftpUser) =>
    [user.has_password && words.hasPassword, user.keys.length > 0 && words.keys(user.keys.length)].filter(Boolean).join(', ') || words.noSignIn;

  const space = (user: SftpUser) => {
    const used = user.used_bytes == null ? t.common.dash : fmt.bytes(user.used_bytes);
    return user.quota_bytes > 0 ? words.usedOf(used, fmt.bytes(user.quota_bytes)) : words.used(used);
  };

  return (
    <Section title={words.title}>
      <p className="mb-3 text-ink-soft">{words.hint}</p>
      {server && !server.enabled && (
        <div className="mb-3">
          <Notice tone="fair">{words.off}</Notice>
        </div>
      )}
      {server?.enabled && (
        <div className="mb-4">
          <Facts
            rows={[
              // An address that stands for all of the machine's is the one the page was opened at.
              [words.server, <span key="address" className="break-all">{isAny(server.address) ? location.hostname : server.address}</span>],
              [words.port, String(server.port ?? '')],
              [
                words.hostKeys,
                <ul key="keys" className="font-normal">
                  {server.host_keys.map((key) => (
                    <li key={key.fingerprint} className="break-all">
                      {key.kind} <span className="text-ink-soft">{key.fingerprint}</span>
                    </li>
                  ))}
                </ul>,
              ],
              [words.connections, fmt.number(server.connections)],
            ]}
          />
        </div>
      )}
      {users.isError && <ErrorState title={words.title} error={users.error} onRetry={() => void users.refetch()} />}
      {users.data && items.length === 0 && <p className="mb-3">{words.empty}</p>}
      {items.length > 0 && (
        <ul className="mb-4 divide-y divide-line rounded-lg border border-line" data-testid="sftp-users">
          {items.map((user) => (
            <li key={user.name} className="flex items-center gap-3 px-3 py-2.5" data-testid="sftp-user">
              <div className="min-w-0 flex-1">
                <p className="font-medium break-all">
                  {user.name}
                  {user.disabled && <span className="ml-2 rounded-full bg-bad-soft px-2 text-[0.8rem] text-bad">{words.disabled}</span>}
                </p>
                <p className="text-[0.87rem] text-ink-soft">
                  {words.modes[user.mode]} · {signIn(user)} ·{' '}
                  {space(user)}
                </p>
              </div>
              <span className="whitespace-nowrap">
                <IconButton icon="edit" label={words.edit(user.name)} onClick={() => setEditing(user)} />
                <IconButton icon="trash" label={words.remove(user.name)} onClick={() => setRemoving(user)} />
              </span>
            </li>
          ))}
        </ul>
      )}
      <Button kind="primary" data-testid="sftp-user-add" onClick={() => setEditing('new')}>
        {words.add}
      </Button>
      {editing && (
        <UserDialog
          user={editing === 'new' ? null : editing}
          onClose={() => setEditing(null)}
          onSaved={(name, password) => {
            setEditing(null);
            if (password) setMade({ name, password });
            else toast(words.saved);
          }}
        />
      )}
      {made && <PasswordDialog name={made.name} password={made.password} onClose={() => setMade(null)} />}
      {removing && (
        <ConfirmDialog
          title={words.remove(removing.name)}
          text={words.removeText}
          confirmLabel={words.removeButton}
          busy={remove.isPending}
          onCancel={() => setRemoving(null)}
          onConfirm={() =>
            remove.mutate(removing.name, {
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

const isAny = (address: string | null | undefined) => !address || address === '0.0.0.0' || address === '::';

/** The one time that a password is shown. */
function PasswordDialog({ name, password, onClose }: { name: string; password: string; onClose(): void }) {
  const { t } = useI18n();
  const words = t.sftp;
  return (
    <Dialog title={words.passwordTitle(name)} text={words.passwordOnce} testId="sftp-password" onClose={onClose}>
      <output className="mt-4 block rounded-lg border border-line bg-sunken px-3 py-2 font-mono text-lg break-all select-all">{password}</output>
      <div className="mt-6 flex justify-end gap-2">
        {/* The clipboard is closed to pages opened over plain http. */}
        {'clipboard' in navigator && (
          <Button onClick={() => void navigator.clipboard.writeText(password).then(() => toast(words.copied))}>{words.copy}</Button>
        )}
        <Button kind="primary" onClick={onClose}>
          {words.done}
        </Button>
      </div>
    </Dialog>
  );
}

type PasswordChoice = 'keep' | 'random' | 'own' | 'none';

function UserDialog({ user, onClose, onSaved }: { user: SftpUser | null; onClose(): void; onSaved(name: string, password: string | null): void }) {
  const { t } = useI18n();
  const words = t.sftp;
  const errorText = useErrorText();
  const id = useId();
  const add = useAddSftpUser();
  const change = useChangeSftpUser();
  const [choice, setChoice] = useState<PasswordChoice>(user ? 'keep' : 'random');
  const [kept, setKept] = useState(user?.keys ?? []);
  const busy = add.isPending || change.isPending;
  const failure = add.error ?? change.error;
  const choices: readonly PasswordChoice[] = user ? ['keep', 'random', 'own', 'none'] : ['random', 'own', 'none'];

  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const text = (name: string) => String(data.get(name) ?? '').trim();
    const lines = text('keys')
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean);
    const mode = text('mode') === 'manual' ? ('manual' as const) : ('auto' as const);
    const common = {
      mode,
      quota_bytes: Math.round((readNumber(text('quota')) ?? 0) * GIB),
      keys: [...kept.map((key) => key.line), ...lines],
      password: choice === 'own' ? String(data.get('password') ?? '') : undefined,
      no_password: choice === 'none',
    };
    if (user) {
      const wanted = { ...common, reset_password: choice === 'random', disabled: data.get('disabled') === 'on' };
      change.mutate({ name: user.name, change: wanted }, { onSuccess: (saved) => onSaved(user.name, saved.password ?? null) });
    } else {
      add.mutate({ name: text('name'), ...common }, { onSuccess: (saved) => onSaved(saved.user.name, saved.password ?? null) });
    }
  };

  return (
    <Dialog title={user ? words.edit(user.name) : words.add} wide testId="sftp-user-dialog" onClose={onClose}>
      <form className="mt-4 flex flex-col gap-3" onSubmit={submit}>
        {failure && (
          <div role="alert">
            <Notice tone="bad">{errorText(failure)}</Notice>
          </div>
        )}
        {!user && (
          <div>
            <label className="label" htmlFor={`${id}-name`}>
              {words.name}
            </label>
            <input id={`${id}-name`} name="name" className="field" required maxLength={32} autoComplete="off" autoCapitalize="none" aria-describedby={`${id}-name-hint`} />
            <p id={`${id}-name-hint`} className="mt-1 text-[0.85rem] text-ink-faint">
              {words.nameHint}
            </p>
          </div>
        )}
        <div className="grid gap-3 sm:grid-cols-2">
          <div>
            <label className="label" htmlFor={`${id}-mode`}>
              {words.mode}
            </label>
            <select id={`${id}-mode`} name="mode" className="field" defaultValue={user?.mode ?? 'auto'}>
              <option value="auto">{words.modes.auto}</option>
              <option value="manual">{words.modes.manual}</option>
            </select>
          </div>
          <div>
            <label className="label" htmlFor={`${id}-quota`}>
              {words.quota}
            </label>
            <input
              id={`${id}-quota`}
              name="quota"
              className="field"
              inputMode="decimal"
              placeholder={words.quotaHint}
              defaultValue={user && user.quota_bytes > 0 ? String(Math.round((user.quota_bytes / GIB) * 1000) / 1000) : ''}
            />
          </div>
          <div>
            <label className="label" htmlFor={`${id}-choice`}>
              {words.password}
            </label>
            <select id={`${id}-choice`} className="field" data-testid="sftp-password-choice" value={choice} onChange={(event) => setChoice(event.target.value as PasswordChoice)}>
              {choices.map((value) => (
                <option key={value} value={value}>
                  {words.passwords[value]}
                </option>
              ))}
            </select>
          </div>
          {choice === 'own' && (
            <div>
              <label className="label" htmlFor={`${id}-password`}>
                {words.ownPassword}
              </label>
              <input id={`${id}-password`} name="password" type="password" className="field" required minLength={10} placeholder={words.ownPasswordHint} autoComplete="new-password" />
            </div>
          )}
        </div>
        <div>
          <label className="label" htmlFor={`${id}-keys`}>
            {words.publicKeys}
          </label>
          {kept.length > 0 && (
            <ul className="mb-2 flex flex-col gap-1">
              {kept.map((key) => (
                <li key={key.line} className="flex items-center gap-2 rounded-lg bg-sunken px-3 py-1 text-[0.87rem]">
                  <span className="min-w-0 flex-1 break-all">
                    {key.kind} <span className="text-ink-soft">{key.fingerprint}</span> {key.comment}
                  </span>
                  <IconButton icon="close" label={words.removeKey(key.fingerprint)} onClick={() => setKept(kept.filter((other) => other !== key))} />
                </li>
              ))}
            </ul>
          )}
          <textarea id={`${id}-keys`} name="keys" rows={2} className="field h-auto py-2 font-mono text-[0.85rem]" placeholder={words.publicKeysHint} spellCheck={false} />
        </div>
        {user && (
          <label className="flex items-center gap-2">
            <input type="checkbox" name="disabled" className="size-4" defaultChecked={user.disabled} />
            {words.disable}
          </label>
        )}
        <div className="mt-2 flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy}>
            {t.common.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
