import { useEffect } from 'react';
import { useI18n } from '../../i18n';
import { AgreementSection } from './AgreementSection';
import { DisputesSection } from './DisputesSection';
import { DynamicsSection } from './DynamicsSection';

/** How far the scores can be trusted, and how they move. */
export function QualityPage() {
  const { t } = useI18n();
  useEffect(() => {
    document.title = `${t.quality.title} — ${t.appName}`;
  }, [t]);
  return (
    <div className="mx-auto flex w-full max-w-5xl flex-col gap-4">
      <header>
        <h1 className="text-2xl font-semibold">{t.quality.title}</h1>
        <p className="max-w-3xl text-ink-soft">{t.quality.subtitle}</p>
      </header>
      <DisputesSection />
      <AgreementSection />
      <DynamicsSection />
    </div>
  );
}
