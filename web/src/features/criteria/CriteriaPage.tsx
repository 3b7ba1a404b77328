import { useEffect } from 'react';
import { navigate } from '../../app/router';
import { useI18n } from '../../i18n';
import { Segmented } from '../../ui/Segmented';
import { PromptsTab } from './PromptsTab';
import { RescoringTab } from './RescoringTab';
import { ScorecardTab } from './ScorecardTab';

const TABS = ['scorecard', 'prompts', 'rescoring'] as const;
type Tab = (typeof TABS)[number];

/** What calls are judged by: the scorecard, what the model is told, and the past by it. */
export function CriteriaPage({ params }: { params: URLSearchParams }) {
  const { t } = useI18n();
  const words = t.criteria;
  const asked = params.get('tab');
  const tab: Tab = TABS.find((one) => one === asked) ?? 'scorecard';
  const open = (next: Tab) => navigate(`#/criteria?tab=${next}`);
  useEffect(() => {
    document.title = `${words.title} — ${t.appName}`;
  }, [words, t]);
  return (
    <div className="mx-auto flex w-full max-w-5xl flex-col gap-4">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <h1 className="text-2xl font-semibold">{words.title}</h1>
        <Segmented legend={words.title} value={tab} onChange={open} testId="criteria-tabs" options={TABS.map((one) => ({ value: one, label: words.tabs[one] }))} />
      </div>
      {tab === 'scorecard' && <ScorecardTab onPublished={() => open('rescoring')} />}
      {tab === 'prompts' && <PromptsTab />}
      {tab === 'rescoring' && <RescoringTab />}
    </div>
  );
}
