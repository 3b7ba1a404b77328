import { useI18n } from '../../i18n';
import { Section } from '../settings/parts';

/** The way from the settings to the audit. */
export function AuditSection() {
  const { t } = useI18n();
  return (
    <Section title={t.audit.title}>
      <p className="mb-3 text-ink-soft">{t.audit.about}</p>
      <a className="font-medium text-accent underline underline-offset-4" href="#/audit" data-testid="open-audit">
        {t.audit.open}
      </a>
    </Section>
  );
}
