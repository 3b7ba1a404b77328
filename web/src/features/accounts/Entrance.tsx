import { useEffect, useId, useState, type ReactNode } from 'react';
import { acceptInvitation, lookAtInvitation } from '../../api/accounts';
import { changePassword } from '../../api/session';
import type { Invitation, User } from '../../api/types';
import { Logo } from '../../app/Logo';
import { LangSwitch, ThemeSwitch } from '../../app/switches';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Loading, Notice, useErrorText } from '../../ui/States';

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

interface FormProps {
  text: string;
  button: string;
  /** Where the present password is asked for as well. */
  current?: string;
  onSubmit(password: string, current: string): Promise<void>;
}

/** A new password, twice. */
function NewPassword({ text, button, current, onSubmit }: FormProps) {
  const { t } = useI18n();
  const words = t.accounts.first;
  const errorText = useErrorText();
  const id = useId();
  const [message, setMessage] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: React.FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const value = (name: string) => String(data.get(name) ?? '');
    if (value('password') !== value('again')) {
      setMessage(words.mismatch);
      return;
    }
    setMessage(null);
    setBusy(true);
    try {
      await onSubmit(value('password'), value('current'));
    } catch (error) {
      setMessage(errorText(error));
    } finally {
      setBusy(false);
    }
  }

  const fields = [
    ...(current ? [['current', current, 'current-password'] as const] : []),
    ['password', words.password, 'new-password'] as const,
    ['again', words.again, 'new-password'] as const,
  ];
  return (
    <form className="card flex flex-col gap-4 p-5 sm:p-6" onSubmit={(event) => void submit(event)} data-testid="new-password">
      <p className="text-ink-soft">{text}</p>
      <div role="alert" hidden={!message}>
        {message && <Notice tone="bad">{message}</Notice>}
      </div>
      {fields.map(([name, label, autoComplete]) => (
        <div key={name}>
          <label className="label" htmlFor={`${id}-${name}`}>
            {label}
          </label>
          <input
            id={`${id}-${name}`}
            name={name}
            type="password"
            className="field"
            autoComplete={autoComplete}
            required
            aria-describedby={name === 'password' ? `${id}-hint` : undefined}
          />
          {name === 'password' && (
            <p id={`${id}-hint`} className="mt-1 text-[0.85rem] text-ink-faint">
              {words.hint}
            </p>
          )}
        </div>
      ))}
      <Button kind="primary" type="submit" busy={busy}>
        {button}
      </Button>
    </form>
  );
}

/** The password that was given is for the first sign-in only. */
export function FirstPasswordPage({ onDone }: { onDone(): void }) {
  const { t } = useI18n();
  const words = t.accounts.first;
  return (
    <Entrance title={words.title}>
      <NewPassword
        text={words.text}
        button={t.common.save}
        current={t.settings.currentPassword}
        onSubmit={async (password, current) => {
          await changePassword(current, password);
          onDone();
        }}
      />
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
        <NewPassword
          text={words.invited(invitation.name, t.accounts.roles[invitation.role])}
          button={words.create}
          onSubmit={async (password) => onSignedIn(await acceptInvitation(token, password))}
        />
      )}
    </Entrance>
  );
}
