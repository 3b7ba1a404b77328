import { useId, useState } from 'react';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Notice, useErrorText } from '../../ui/States';

interface Props {
  button: string;
  hint: string;
  /** The present password is asked for as well. */
  asksCurrent?: boolean;
  onSubmit(password: string, current: string): Promise<void>;
}

/** A new password, twice. */
export function NewPassword({ button, hint, asksCurrent, onSubmit }: Props) {
  const { t } = useI18n();
  const words = t.settings;
  const errorText = useErrorText();
  const id = useId();
  const [message, setMessage] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: React.FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const data = new FormData(form);
    const [current, password, again] = ['current', 'password', 'again'].map((name) => String(data.get(name) ?? '')) as [string, string, string];
    const missing = !password || !again || (asksCurrent && !current);
    const problem = missing ? words.allRequired : password !== again ? words.mismatch : null;
    setMessage(problem);
    if (problem) return;
    setBusy(true);
    try {
      await onSubmit(password, current);
      form.reset();
    } catch (error) {
      setMessage(errorText(error));
    } finally {
      setBusy(false);
    }
  }

  const fields = [
    ...(asksCurrent ? [['current', words.currentPassword, 'current-password'] as const] : []),
    ['password', words.newPassword, 'new-password'] as const,
    ['again', words.repeatPassword, 'new-password'] as const,
  ];
  return (
    <form className="flex max-w-sm flex-col gap-3" noValidate onSubmit={(event) => void submit(event)} data-testid="new-password">
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
            aria-describedby={name === 'password' ? `${id}-hint` : undefined}
          />
          {name === 'password' && (
            <p id={`${id}-hint`} className="mt-1 text-[0.85rem] text-ink-faint">
              {hint}
            </p>
          )}
        </div>
      ))}
      <Button kind="primary" type="submit" busy={busy} className="mt-1 self-start">
        {button}
      </Button>
    </form>
  );
}
