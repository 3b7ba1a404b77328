import { useEffect, useState } from 'react';
import {
  useAccounts,
  useEndSessions,
  useInvitations,
  useRemoveAccount,
  useRemoveInvitation,
  useResetFactor,
  useResetPassword,
} from '../../api/accounts';
import type { Account, ReachSent, User } from '../../api/types';
import { useI18n, type Dictionary } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { ErrorState, Loading, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { Section } from '../settings/parts';
import { AccountDialog, type Made } from './AccountDialog';
import { ApiKeysSection } from './ApiKeys';
import { SecretDialog } from './Secret';

export function reachText(reach: ReachSent, t: Dictionary): string {
  if (reach.operator) return t.accounts.reachOperator(reach.operator);
  return reach.teams ? t.accounts.reachTeams(reach.teams.join(', ')) : t.accounts.reachAll;
}

/** Who may use the page, and which programs. */
export function AccessPage({ user }: { user: User }) {
  const { t } = useI18n();
  useEffect(() => {
    document.title = `${t.accounts.title} — ${t.appName}`;
  }, [t]);
  return (
    <div className="mx-auto flex w-full max-w-3xl flex-col gap-4">
      <h1 className="text-2xl font-semibold">{t.accounts.title}</h1>
      <People user={user} />
      <ApiKeysSection />
    </div>
  );
}

type Question = { kind: 'remove' | 'reset'; account: Account };

function People({ user }: { user: User }) {
  const { t, fmt } = useI18n();
  const words = t.accounts;
  const errorText = useErrorText();
  const accounts = useAccounts();
  const remove = useRemoveAccount();
  const reset = useResetPassword();
  const resetFactor = useResetFactor();
  const endSessions = useEndSessions();
  const [editing, setEditing] = useState<Account | 'new' | null>(null);
  const [asking, setAsking] = useState<Question | null>(null);
  const [made, setMade] = useState<Made | null>(null);
  const failed = (error: unknown) => toast(errorText(error), 'bad');

  return (
    <>
      <Section title={words.people}>
        {accounts.isPending && <Loading />}
        {accounts.isError && <ErrorState title={words.people} error={accounts.error} onRetry={() => void accounts.refetch()} />}
        {accounts.data && (
          <ul className="mb-4 divide-y divide-line rounded-lg border border-line" data-testid="accounts">
            {accounts.data.map((account) => (
              <li key={account.name} className="flex items-start gap-3 px-3 py-2.5" data-testid="account">
                <div className="min-w-0 flex-1">
                  <p className="font-medium break-words">
                    {account.name}
                    {account.disabled && <span className="ml-2 rounded-full bg-bad-soft px-2 text-[0.8rem] text-bad">{words.disabled}</span>}
                    {account.must_change_password && (
                      <span className="ml-2 rounded-full bg-sunken px-2 text-[0.8rem] text-ink-soft">{words.mustChange}</span>
                    )}
                  </p>
                  <p className="text-[0.87rem] break-words text-ink-soft">
                    {words.roles[account.role]} · {reachText(account.reach, t)}
                    {account.second_factor && ` · ${words.factor}`}
                  </p>
                  <p className="text-[0.87rem] text-ink-faint">
                    {account.sessions > 0 && account.seen_at
                      ? `${words.sessions(account.sessions)}, ${words.seen(fmt.dateTime(account.seen_at))}`
                      : words.never}
                  </p>
                </div>
                <span className="flex flex-wrap justify-end gap-1">
                  <IconButton icon="edit" label={words.edit(account.name)} onClick={() => setEditing(account)} />
                  {account.name !== user.name && (
                    <IconButton icon="trash" label={words.removeTitle(account.name)} onClick={() => setAsking({ kind: 'remove', account })} />
                  )}
                </span>
              </li>
            ))}
          </ul>
        )}
        <Button kind="primary" data-testid="account-add" onClick={() => setEditing('new')}>
          {words.add}
        </Button>
      </Section>
      <Invitations />
      {editing && (
        <AccountDialog
          account={editing === 'new' ? null : editing}
          own={editing !== 'new' && editing.name === user.name}
          onClose={() => setEditing(null)}
          onSaved={(secret) => {
            setEditing(null);
            if (secret) setMade(secret);
            else toast(words.saved);
          }}
          onReset={(account) => {
            setEditing(null);
            setAsking({ kind: 'reset', account });
          }}
          onResetFactor={(account) => {
            setEditing(null);
            resetFactor.mutate(account.name, { onSuccess: () => toast(words.factorReset), onError: failed });
          }}
          onEndSessions={(account) => {
            setEditing(null);
            endSessions.mutate(account.name, { onSuccess: () => toast(words.sessionsEnded), onError: failed });
          }}
        />
      )}
      {made && <SecretDialog {...made} onClose={() => setMade(null)} />}
      {asking && (
        <ConfirmDialog
          title={asking.kind === 'remove' ? words.removeTitle(asking.account.name) : words.resetTitle(asking.account.name)}
          text={asking.kind === 'remove' ? words.removeText : words.resetText}
          confirmLabel={asking.kind === 'remove' ? words.remove : words.resetPassword}
          busy={remove.isPending || reset.isPending}
          onCancel={() => setAsking(null)}
          onConfirm={() => {
            const { name } = asking.account;
            const settled = { onError: failed, onSettled: () => setAsking(null) };
            if (asking.kind === 'remove') {
              remove.mutate(name, { onSuccess: () => toast(words.removed), ...settled });
            } else {
              reset.mutate(name, {
                onSuccess: ({ password }) => setMade({ title: words.passwordTitle(name), text: words.passwordText, secret: password }),
                ...settled,
              });
            }
          }}
        />
      )}
    </>
  );
}

function Invitations() {
  const { t, fmt } = useI18n();
  const words = t.accounts;
  const errorText = useErrorText();
  const invitations = useInvitations();
  const remove = useRemoveInvitation();
  if (!invitations.data?.length) return null;
  return (
    <Section title={words.invitations}>
      <ul className="divide-y divide-line rounded-lg border border-line" data-testid="invitations">
        {invitations.data.map((invitation) => (
          <li key={invitation.name} className="flex items-center gap-3 px-3 py-2.5">
            <div className="min-w-0 flex-1">
              <p className="font-medium break-words">{invitation.name}</p>
              <p className="text-[0.87rem] break-words text-ink-soft">
                {words.roles[invitation.role]} · {reachText(invitation.reach, t)} · {words.until(fmt.dateTime(invitation.expires_at))}
              </p>
            </div>
            <Button
              size="sm"
              busy={remove.isPending && remove.variables === invitation.name}
              onClick={() =>
                remove.mutate(invitation.name, {
                  onSuccess: () => toast(words.takenBack),
                  onError: (error) => toast(errorText(error), 'bad'),
                })
              }
            >
              {words.takeBack}
            </Button>
          </li>
        ))}
      </ul>
    </Section>
  );
}
