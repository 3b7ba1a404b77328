import { useId, useState } from 'react';
import { useAddAccount, useChangeAccount, useInvite, useTeams } from '../../api/accounts';
import type { Account, Reach, Role } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { OperatorCombobox } from '../../ui/OperatorCombobox';
import { Segmented } from '../../ui/Segmented';
import { Notice, useErrorText } from '../../ui/States';

/** A secret that came of it. */
export interface Made {
  title: string;
  text: string;
  secret: string;
}

interface Props {
  account: Account | null;
  own: boolean;
  onClose(): void;
  onSaved(made: Made | null): void;
  onReset(account: Account): void;
  onResetFactor(account: Account): void;
  onEndSessions(account: Account): void;
}

const ROLES: readonly Role[] = ['supervisor', 'operator', 'viewer', 'admin'];

/** The link of an invitation: what is after the hash is never sent to a server by itself. */
export function invitationLink(token: string): string {
  return `${location.origin}${location.pathname}#/invitation/${token}`;
}

export function AccountDialog({ account, own, onClose, onSaved, onReset, onResetFactor, onEndSessions }: Props) {
  const { t } = useI18n();
  const words = t.accounts;
  const errorText = useErrorText();
  const id = useId();
  const add = useAddAccount();
  const invite = useInvite();
  const change = useChangeAccount();
  const [role, setRole] = useState<Role>(account?.role ?? 'supervisor');
  const [some, setSome] = useState<'all' | 'teams'>(account?.reach.teams ? 'teams' : 'all');
  const [teams, setTeams] = useState<string[]>(account?.reach.teams ?? []);
  const [operator, setOperator] = useState(account?.reach.operator ?? '');
  const [how, setHow] = useState<'invite' | 'password'>('invite');
  const [enabled, setEnabled] = useState(!account?.disabled);
  const ofTeams = role === 'supervisor' || role === 'viewer';
  const known = useTeams(ofTeams).data ?? [];
  const offered = [...new Set([...known.map((team) => team.name), ...(account?.reach.teams ?? [])])];
  const busy = add.isPending || invite.isPending || change.isPending;
  const failure = add.error ?? invite.error ?? change.error;

  const reach: Reach = role === 'operator' ? { operator: operator.trim() } : ofTeams && some === 'teams' ? { teams } : {};

  function submit(event: React.FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (account) {
      const body = { role, reach, disabled: own ? undefined : !enabled };
      change.mutate({ name: account.name, body }, { onSuccess: () => onSaved(null) });
      return;
    }
    const name = String(new FormData(event.currentTarget).get('name') ?? '').trim();
    if (how === 'invite') {
      invite.mutate(
        { name, role, reach },
        {
          onSuccess: ({ token }) => onSaved({ title: words.linkTitle(name), text: words.linkText, secret: invitationLink(token) }),
        },
      );
    } else {
      add.mutate(
        { name, role, reach },
        {
          onSuccess: ({ password }) =>
            onSaved(password ? { title: words.passwordTitle(name), text: words.passwordText, secret: password } : null),
        },
      );
    }
  }

  return (
    <Dialog title={account ? words.edit(account.name) : words.add} wide testId="account-dialog" onClose={onClose}>
      <form className="mt-4 flex flex-col gap-4" onSubmit={submit}>
        {failure && (
          <div role="alert">
            <Notice tone="bad">{errorText(failure)}</Notice>
          </div>
        )}
        {!account && (
          <div>
            <label className="label" htmlFor={`${id}-name`}>
              {words.name}
            </label>
            <input id={`${id}-name`} name="name" className="field" required maxLength={64} autoComplete="off" autoCapitalize="none" />
          </div>
        )}
        <div>
          <label className="label" htmlFor={`${id}-role`}>
            {words.role}
          </label>
          <select id={`${id}-role`} className="field" value={role} onChange={(event) => setRole(event.target.value as Role)} aria-describedby={`${id}-role-hint`}>
            {ROLES.map((one) => (
              <option key={one} value={one}>
                {words.roles[one]}
              </option>
            ))}
          </select>
          <p id={`${id}-role-hint`} className="mt-1 text-[0.85rem] text-ink-faint">
            {words.roleHints[role]}
          </p>
        </div>
        {role === 'operator' && <OperatorCombobox label={words.operator} value={operator} onChange={setOperator} />}
        {ofTeams && (
          <div>
            <p className="label">{words.reach}</p>
            <Segmented<'all' | 'teams'>
              legend={words.reach}
              value={some}
              onChange={setSome}
              options={[
                { value: 'all', label: words.reaches.all },
                { value: 'teams', label: words.reaches.teams },
              ]}
            />
            {some === 'teams' && (
              <fieldset className="mt-3 flex flex-wrap gap-x-5 gap-y-2" data-testid="account-teams">
                <legend className="sr-only">{words.teams}</legend>
                {offered.length === 0 && <p className="text-ink-soft">{words.noTeams}</p>}
                {offered.map((team) => (
                  <label key={team} className="inline-flex items-center gap-2">
                    <input
                      type="checkbox"
                      checked={teams.includes(team)}
                      onChange={(event) => setTeams(event.target.checked ? [...teams, team] : teams.filter((other) => other !== team))}
                    />
                    {team}
                  </label>
                ))}
              </fieldset>
            )}
          </div>
        )}
        {!account && (
          <div>
            <p className="label">{words.how}</p>
            <Segmented<'invite' | 'password'>
              legend={words.how}
              value={how}
              onChange={setHow}
              options={[
                { value: 'invite', label: words.hows.invite },
                { value: 'password', label: words.hows.password },
              ]}
            />
            <p className="mt-1 text-[0.85rem] text-ink-faint">{words.howHint}</p>
          </div>
        )}
        {account && !own && (
          <label className="inline-flex items-center gap-2">
            <input type="checkbox" checked={enabled} onChange={(event) => setEnabled(event.target.checked)} />
            {words.allowSignIn}
          </label>
        )}
        {account && !own && (
          <div className="flex flex-wrap gap-2 border-t border-line pt-4">
            <Button size="sm" onClick={() => onReset(account)}>
              {words.resetPassword}
            </Button>
            {account.second_factor && (
              <Button size="sm" onClick={() => onResetFactor(account)}>
                {words.resetFactor}
              </Button>
            )}
            {account.sessions > 0 && (
              <Button size="sm" onClick={() => onEndSessions(account)}>
                {words.endSessions}
              </Button>
            )}
          </div>
        )}
        <div className="mt-2 flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy} data-testid="account-save">
            {account ? words.save : words.add}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
