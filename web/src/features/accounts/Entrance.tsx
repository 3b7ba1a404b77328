import { useEffect, useState, type ReactNode } from 'react';
import { acceptInvitation, lookAtInvitation } from '../../api/accounts';
import { changePassword } from '../../api/session';
import type { Invitation, User } from '../../api/types';
import { Logo } from '../../app/Logo';
import { LangSwitch, ThemeSwitch } from '../../app/switches';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Loading, Notice, useErrorText } from '../../ui/States';
import { NewPassword } from './NewPassword';

/** The frame of what comes before the page. */
export function Entrance({ title, wide, children }: { title: string; wide?: boolean; children: ReactNode }) {
  const { t } = useI18n();
  useEffect(() => {
    document.title = `${title} — ${t.appName}`;
  }, [title, t]);
  return (
    <div className="flex min-h-dvh flex-col">
      <div className="flex justify-end p-3">
        <LangSwitch />
        <ThemeSwitch />
      </div>
      <main className="flex flex-1 items-start justify-center px-4 pt-[6dvh] pb-16">
        <div className={`w-full ${wide ? 'max-w-xl' : 'max-w-sm'}`}>
          <div className="mb-6 flex flex-col items-center text-center">
            <Logo className="size-12" />
            <h1 className="mt-4 text-2xl font-semibold">{title}</h1>
          </div>
          {children}
        </div>
      </main>
    </div>
  );
}

/** The password that was given is for the first sign-in only. */
export function FirstPasswordPage({ onDone }: { onDone(): void }) {
  const { t } = useI18n();
  const words = t.accounts.first;
  return (
    <Entrance title={words.title}>
      <div className="card p-5 sm:p-6">
        <p className="mb-4 text-ink-soft">{words.text}</p>
        <NewPassword
          asksCurrent
          button={t.common.save}
          hint={words.hint}
          onSubmit={async (password, current) => {
            await changePassword(current, password);
            onDone();
          }}
        />
      </div>
    </Entrance>
  );
}

/** Somebody makes their own account. */
export function InvitationPage({ token, onSignedIn, onLeave }: { token: string; onSignedIn(user: User): void; onLeave(): void }) {
  const { t } = useI18n();
  const words = t.accounts.first;
  const errorText = useErrorText();
  const [invitation, setInvitation] = useState<Invitation | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  useEffect(() => {
    let current = true;
    lookAtInvitation(token).then(
      (found) => current && setInvitation(found),
      (error: unknown) => current && setFailure(error),
    );
    return () => {
      current = false;
    };
  }, [token]);
  return (
    <Entrance title={words.title}>
      {failure ? (
        <div className="flex flex-col gap-4">
          <Notice tone="bad">{errorText(failure)}</Notice>
          <Button onClick={onLeave}>{words.toSignIn}</Button>
        </div>
      ) : !invitation ? (
        <Loading />
      ) : (
        <div className="card p-5 sm:p-6">
          <p className="mb-4 text-ink-soft">{words.invited(invitation.name, t.accounts.roles[invitation.role])}</p>
          <NewPassword
            button={words.create}
            hint={words.hint}
            onSubmit={async (password) => onSignedIn(await acceptInvitation(token, password))}
          />
        </div>
      )}
    </Entrance>
  );
}
