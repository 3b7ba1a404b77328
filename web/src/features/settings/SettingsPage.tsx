import { useEffect, useId, useState } from 'react';
import { changePassword, useHealth } from '../../api/session';
import { useStore } from '../../api/store';
import type { User } from '../../api/types';
import { useMay } from '../../app/may';
import { setTheme, themeStore } from '../../app/theme';
import { setLang, useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Segmented } from '../../ui/Segmented';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { AuditSection } from '../audit/AuditSection';
import { ErasureSection, RetentionSection } from '../erasure/ErasureSection';
import { reachText } from '../accounts/AccessPage';
import { OwnSessionsSection } from '../accounts/OwnSessions';
import { SecondFactorSection } from '../accounts/SecondFactor';
import { TrackersSection } from '../questions/TrackersSection';
import { EmployeesSection } from './Employees';
import { LlmSection } from './Llm';
import { NamesSection } from './Names';
import { CalltouchSection, MangoSection } from './Outside';
import { Facts, Section } from './parts';
import { PullSection } from './Pull';
import { SftpUsersSection } from './SftpUsers';

export function SettingsPage({ user }: { user: User }) {
  const { t } = useI18n();
  const sets = useMay('settings');
  useEffect(() => {
    document.title = `${t.settings.title} — ${t.appName}`;
  }, [t]);
  return (
    <div className="mx-auto flex w-full max-w-3xl flex-col gap-4">
      <h1 className="text-2xl font-semibold">{t.settings.title}</h1>
      <Account user={user} />
      <Appearance />
      <PasswordForm />
      <SecondFactorSection user={user} />
      <OwnSessionsSection />
      {sets && (
        <>
          <SftpUsersSection />
          <EmployeesSection />
          <LlmSection />
          <TrackersSection />
          <NamesSection />
          <MangoSection />
          <CalltouchSection />
          <PullSection />
        </>
      )}
      {user.permissions.includes('audit:read') && <AuditSection />}
      {user.permissions.includes('erasure') && <RetentionSection />}
      {user.permissions.includes('erasure') && <ErasureSection />}
      <Server />
    </div>
  );
}

function Account({ user }: { user: User }) {
  const { t } = useI18n();
  return (
    <Section title={t.settings.account}>
      <Facts
        rows={[
          [t.settings.signedInAs, user.name],
          [t.settings.role, t.accounts.roles[user.role]],
          [t.accounts.reach, reachText(user.reach, t)],
        ]}
      />
    </Section>
  );
}

function Appearance() {
  const { t, lang } = useI18n();
  const theme = useStore(themeStore);
  return (
    <Section title={t.settings.appearance}>
      <div className="flex flex-wrap gap-3">
        <Segmented
          legend={t.language.label}
          value={lang}
          onChange={setLang}
          options={[
            { value: 'ru', label: t.language.ru },
            { value: 'en', label: t.language.en },
          ]}
        />
        <Segmented
          legend={t.theme.label}
          value={theme}
          onChange={setTheme}
          options={[
            { value: 'auto', label: t.theme.auto, icon: 'auto' },
            { value: 'light', label: t.theme.light, icon: 'sun' },
            { value: 'dark', label: t.theme.dark, icon: 'moon' },
          ]}
        />
      </div>
    </Section>
  );
}

function PasswordForm() {
  const { t } = useI18n();
  const errorText = useErrorText();
  const id = useId();
  const [message, setMessage] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: React.FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const data = new FormData(form);
    const current = String(data.get('current') ?? '');
    const next = String(data.get('next') ?? '');
    const again = String(data.get('again') ?? '');
    const problem = !current || !next || !again ? t.settings.allRequired : next !== again ? t.settings.mismatch : null;
    setMessage(problem);
    if (problem) return;
    setBusy(true);
    try {
      await changePassword(current, next);
      form.reset();
      toast(t.settings.changed);
    } catch (error) {
      setMessage(errorText(error));
    } finally {
      setBusy(false);
    }
  }

  const fields = [
    ['current', t.settings.currentPassword, 'current-password'],
    ['next', t.settings.newPassword, 'new-password'],
    ['again', t.settings.repeatPassword, 'new-password'],
  ] as const;
  return (
    <Section title={t.settings.passwordTitle}>
      <form className="flex max-w-sm flex-col gap-3" noValidate onSubmit={(event) => void submit(event)}>
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
              className="field"
              type="password"
              name={name}
              autoComplete={autoComplete}
              aria-describedby={name === 'next' ? `${id}-hint` : undefined}
            />
            {name === 'next' && (
              <p id={`${id}-hint`} className="mt-1 text-[0.85rem] text-ink-faint">
                {t.settings.passwordHint}
              </p>
            )}
          </div>
        ))}
        <Button kind="primary" type="submit" busy={busy} className="mt-1 self-start">
          {t.settings.submit}
        </Button>
      </form>
    </Section>
  );
}

function Server() {
  const { t, fmt } = useI18n();
  const health = useHealth(30_000).data;
  if (!health) return null;
  const states = {
    ready: t.settings.modelReady,
    missing: t.settings.modelMissing,
    invalid: t.settings.modelInvalid,
  };
  return (
    <Section title={t.settings.server}>
      <Facts
        rows={[
          [t.settings.version, health.version],
          [t.settings.uptime, fmt.uptime(health.uptime_s)],
          [t.settings.model, `${health.model.name ?? t.common.dash} · ${states[health.model.state]} · ${health.model.instructions}`],
          [t.settings.queue, t.settings.queueState(health.queue.queued, health.queue.running)],
        ]}
      />
    </Section>
  );
}
