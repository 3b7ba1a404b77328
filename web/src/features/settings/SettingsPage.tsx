import { useEffect } from 'react';
import { changePassword, useHealth } from '../../api/session';
import { useStore } from '../../api/store';
import type { User } from '../../api/types';
import { useMay } from '../../app/may';
import { setTheme, themeStore } from '../../app/theme';
import { setLang, useI18n } from '../../i18n';
import { Segmented } from '../../ui/Segmented';
import { toast } from '../../ui/Toasts';
import { AuditSection } from '../audit/AuditSection';
import { ErasureSection, RetentionSection } from '../erasure/ErasureSection';
import { reachText } from '../accounts/AccessPage';
import { NewPassword } from '../accounts/NewPassword';
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
  return (
    <Section title={t.settings.passwordTitle}>
      <NewPassword
        asksCurrent
        button={t.settings.submit}
        hint={t.settings.passwordHint}
        onSubmit={async (password, current) => {
          await changePassword(current, password);
          toast(t.settings.changed);
        }}
      />
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
