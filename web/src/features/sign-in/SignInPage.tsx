import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import { ApiError } from '../../api/client';
import { signIn } from '../../api/session';
import type { User } from '../../api/types';
import { Logo } from '../../app/Logo';
import { LangSwitch, ThemeSwitch } from '../../app/switches';
import { useI18n } from '../../i18n';
import { Button, IconButton } from '../../ui/Button';
import { Notice, useErrorText } from '../../ui/States';

interface Props {
  expired: boolean;
  onSignedIn(user: User): void;
  /** Other ways to sign in. */
  children?: ReactNode;
}

export function SignInPage({ expired, onSignedIn, children }: Props) {
  const { t } = useI18n();
  const errorText = useErrorText();
  const id = useId();
  const usernameRef = useRef<HTMLInputElement>(null);
  const passwordRef = useRef<HTMLInputElement>(null);
  const [error, setError] = useState<unknown>(null);
  const [missing, setMissing] = useState(false);
  const [busy, setBusy] = useState(false);
  const [shown, setShown] = useState(false);
  const [asked, setAsked] = useState(false);

  useEffect(() => {
    document.title = `${t.signIn.title} — ${t.appName}`;
  }, [t]);

  useEffect(() => usernameRef.current?.focus(), []);

  async function submit(event: React.FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const username = String(form.get('username') ?? '').trim();
    const password = String(form.get('password') ?? '');
    setError(null);
    setMissing(!username || !password);
    if (!username || !password) return;
    setBusy(true);
    try {
      onSignedIn(await signIn(username, password, String(form.get('code') ?? '').trim() || undefined));
    } catch (failure) {
      const code = failure instanceof ApiError ? failure.code : '';
      const asksCode = code === 'code_needed' || code === 'bad_code';
      if (asksCode) setAsked(true);
      setError(code === 'code_needed' && !asked ? null : failure);
      setBusy(false);
      if (!asksCode) passwordRef.current?.select();
    }
  }

  const message = missing ? t.signIn.missing : error ? errorText(error) : null;
  return (
    <div className="flex min-h-dvh flex-col">
      <div className="flex justify-end p-3">
        <LangSwitch />
        <ThemeSwitch />
      </div>
      <main className="flex flex-1 items-start justify-center px-4 pt-[8dvh] pb-16">
        <div className="w-full max-w-sm">
          <div className="mb-6 flex flex-col items-center text-center">
            <Logo className="size-12" />
            <h1 className="mt-4 text-2xl font-semibold">{t.appName}</h1>
            <p className="mt-1.5 text-ink-soft">{t.signIn.subtitle}</p>
          </div>
          <form className="card flex flex-col gap-4 p-5 sm:p-6" noValidate onSubmit={(event) => void submit(event)}>
            {expired && !message && <Notice tone="info">{t.signIn.expired}</Notice>}
            <div role="alert" data-testid="login-error" hidden={!message}>
              {message && <Notice tone="bad">{message}</Notice>}
            </div>
            <div>
              <label className="label" htmlFor={`${id}-name`}>
                {t.signIn.username}
              </label>
              <input
                ref={usernameRef}
                id={`${id}-name`}
                data-testid="login-username"
                className="field"
                name="username"
                autoComplete="username"
                autoCapitalize="none"
                spellCheck={false}
                aria-invalid={message ? true : undefined}
              />
            </div>
            <div>
              <label className="label" htmlFor={`${id}-password`}>
                {t.signIn.password}
              </label>
              <div className="relative">
                <input
                  ref={passwordRef}
                  id={`${id}-password`}
                  data-testid="login-password"
                  className="field pr-11"
                  name="password"
                  type={shown ? 'text' : 'password'}
                  autoComplete="current-password"
                  aria-invalid={message ? true : undefined}
                />
                <IconButton
                  icon="eye"
                  label={shown ? t.signIn.hidePassword : t.signIn.showPassword}
                  aria-pressed={shown}
                  className="absolute top-0.5 right-0.5"
                  onClick={() => setShown(!shown)}
                />
              </div>
            </div>
            {asked && (
              <div>
                <label className="label" htmlFor={`${id}-code`}>
                  {t.accounts.signInCode}
                </label>
                <input
                  id={`${id}-code`}
                  data-testid="login-code"
                  className="field"
                  name="code"
                  autoComplete="one-time-code"
                  // The person has just been asked for it.
                  ref={(field) => field?.focus()}
                />
              </div>
            )}
            <Button kind="primary" type="submit" busy={busy} data-testid="login-submit" className="w-full">
              {busy ? t.signIn.submitting : t.signIn.submit}
            </Button>
          </form>
          {children}
        </div>
      </main>
    </div>
  );
}
