import { useEffect, useId, useMemo, useState } from 'react';
import { useAnalyses, useEstimate, useStartAnalysis, useTrackers } from '../../api/questions';
import type { AnalysisRequest } from '../../api/types';
import { useLlm } from '../../api/llm';
import { navigate } from '../../app/router';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { OperatorFilter, PeriodSelect, Range } from '../../ui/filterFields';
import { dayMoment, readNumber } from '../../ui/periods';
import { EmptyState, ErrorState, Loading, Notice, useErrorText } from '../../ui/States';
import { useDebounced } from '../../ui/useDebounced';
import { AnalysisLine } from './AnalysisLine';
import { AnalysisView } from './AnalysisView';
import { SavedQuestions } from './SavedQuestions';
import { useBecause } from './FindingView';

/** Many calls are asked here; `analysis` names one that is looked at. */
export function QuestionsPage({ params }: { params: URLSearchParams }) {
  const { t } = useI18n();
  const words = t.questions;
  const shown = params.get('analysis');
  useEffect(() => {
    document.title = `${words.title} — ${t.appName}`;
  }, [t, words]);
  return (
    <div className="flex flex-col gap-4">
      <div>
        <h1 className="text-2xl font-semibold">{words.title}</h1>
        <p className="text-ink-soft">{words.intro}</p>
      </div>
      {shown ? (
        <AnalysisView key={shown} id={shown} />
      ) : (
        <>
          <StartForm />
          <AnalysisList />
        </>
      )}
    </div>
  );
}

export function analysisHref(id: string): string {
  return `#/questions?analysis=${encodeURIComponent(id)}`;
}

interface Choice {
  operator: string;
  from: string;
  to: string;
  score_min: string;
  score_max: string;
  topic: string;
  q: string;
  most: string;
  mostCost: string;
}

const NOTHING: Choice = { operator: '', from: '', to: '', score_min: '', score_max: '', topic: '', q: '', most: '100', mostCost: '' };
const MOST = 5000;

export function requestOf(question: string, saved_id: string | undefined, choice: Choice): AnalysisRequest {
  const most = Math.round(readNumber(choice.most) ?? 100);
  return {
    question,
    saved_id,
    filter: {
      operator: choice.operator || undefined,
      date_from: dayMoment(choice.from, 'start') ?? undefined,
      date_to: dayMoment(choice.to, 'end') ?? undefined,
      score_min: readNumber(choice.score_min) ?? undefined,
      score_max: readNumber(choice.score_max) ?? undefined,
      topic: choice.topic || undefined,
      q: choice.q.trim() || undefined,
    },
    most_calls: Math.min(MOST, Math.max(1, most)),
    most_cost: readNumber(choice.mostCost) || undefined,
  };
}

function StartForm() {
  const { t, fmt, nameOf } = useI18n();
  const words = t.questions;
  const errorText = useErrorText();
  const because = useBecause();
  const id = useId();
  const [question, setQuestion] = useState('');
  const [savedId, setSavedId] = useState<string | undefined>();
  const [choice, setChoice] = useState<Choice>(NOTHING);
  const [custom, setCustom] = useState(false);
  const trackers = useTrackers().data?.items ?? [];
  const llm = useLlm().data;
  const start = useStartAnalysis();
  const settled = useDebounced(choice, 300);
  const estimate = useEstimate(useMemo(() => requestOf('', undefined, settled), [settled]));
  const set = (patch: Partial<Choice>) => setChoice({ ...choice, ...patch });
  const takes = estimate.data;
  const off = takes?.why?.code === 'llm_off';
  const priced = llm?.enabled && (takes?.cost ?? 0) > 0;

  return (
    <section aria-labelledby={`${id}-title`} className="card p-4 sm:p-5">
      <h2 id={`${id}-title`} className="mb-3 text-[1.05rem] font-semibold">
        {words.many.newTitle}
      </h2>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          start.mutate(requestOf(question, savedId, choice), { onSuccess: (analysis) => navigate(analysisHref(analysis.id)) });
        }}
      >
        {start.isError && (
          <div role="alert">
            <Notice tone="bad">{errorText(start.error)}</Notice>
          </div>
        )}
        <div>
          <label htmlFor={`${id}-question`} className="sr-only">
            {words.field}
          </label>
          <textarea
            id={`${id}-question`}
            data-testid="many-question"
            rows={2}
            maxLength={2000}
            className="field h-auto resize-y py-2"
            placeholder={words.placeholder}
            value={question}
            onChange={(event) => {
              setQuestion(event.target.value);
              setSavedId(undefined);
            }}
          />
        </div>
        <SavedQuestions
          draft={question}
          onPick={(saved) => {
            setQuestion(saved.text);
            setSavedId(saved.id);
          }}
        />
        <fieldset className="flex flex-col gap-3">
          <legend className="label">{words.many.which}</legend>
          <div className="grid gap-2 sm:grid-cols-2 lg:grid-cols-4">
            <PeriodSelect from={choice.from} to={choice.to} custom={custom} onCustom={setCustom} onDays={set} />
            <OperatorFilter key={choice.operator} value={choice.operator} onCommit={(operator) => set({ operator })} />
            <select aria-label={words.many.topic} data-testid="many-topic" className="field" value={choice.topic} onChange={(event) => set({ topic: event.target.value })}>
              <option value="">{words.many.anyTopic}</option>
              {trackers.map((tracker) => (
                <option key={tracker.key} value={tracker.key}>
                  {nameOf(tracker)} · {fmt.number(tracker.calls)}
                </option>
              ))}
            </select>
            <input type="search" aria-label={words.many.words} placeholder={words.many.words} className="field" value={choice.q} onChange={(event) => set({ q: event.target.value })} />
          </div>
          <div className="grid gap-3 sm:grid-cols-2 lg:grid-cols-4">
            {custom && (
              <Range
                title={t.filters.period}
                type="date"
                names={[t.filters.dateFrom, t.filters.dateTo]}
                values={[choice.from, choice.to]}
                onValues={(from, to) => set({ from, to })}
              />
            )}
            <Range
              title={t.filters.score}
              type="number"
              names={[t.filters.scoreFrom, t.filters.scoreTo]}
              values={[choice.score_min, choice.score_max]}
              onValues={(score_min, score_max) => set({ score_min, score_max })}
            />
            <NumberField id={`${id}-most`} label={words.many.most} value={choice.most} onValue={(most) => set({ most })} />
            {priced && <NumberField id={`${id}-cost`} label={words.many.mostCost} value={choice.mostCost} onValue={(mostCost) => set({ mostCost })} />}
          </div>
        </fieldset>
        <div className="flex flex-wrap items-center justify-between gap-3 border-t border-line pt-3">
          <p role="status" className="text-ink-soft" data-testid="estimate">
            {estimate.isError && errorText(estimate.error)}
            {takes &&
              (takes.calls === 0
                ? words.many.noCalls
                : [
                    words.many.estimate(takes.calls, fmt.number(takes.matching)),
                    off
                      ? `${because(takes.why)} ${words.many.bySearch}`
                      : takes.cost > 0
                        ? words.many.cost(fmt.number(takes.tokens), fmt.number(takes.cost, 2))
                        : words.many.tokens(fmt.number(takes.tokens)),
                    takes.why && !off ? `${because(takes.why)} ${words.many.waitsForModel}` : '',
                  ].join(' '))}
          </p>
          <Button kind="primary" type="submit" data-testid="many-start" busy={start.isPending} disabled={!question.trim() || !takes || takes.calls === 0}>
            {words.many.start}
          </Button>
        </div>
      </form>
    </section>
  );
}

function NumberField({ id, label, value, onValue }: { id: string; label: string; value: string; onValue(value: string): void }) {
  return (
    <div>
      <label htmlFor={id} className="label">
        {label}
      </label>
      <input id={id} className="field" inputMode="decimal" value={value} onChange={(event) => onValue(event.target.value.replace(/[^\d.,]/g, ''))} />
    </div>
  );
}

function AnalysisList() {
  const { t } = useI18n();
  const words = t.questions.many;
  const query = useAnalyses();
  if (query.isError) return <ErrorState title={words.list} error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Loading />;
  return (
    <section aria-label={words.list} className="card">
      {query.data.length === 0 ? (
        <EmptyState icon="search" title={words.empty} text={words.emptyText} />
      ) : (
        <ul className="divide-y divide-line">
          {query.data.map((analysis) => (
            <li key={analysis.id}>
              <a href={analysisHref(analysis.id)} data-testid="analysis-link" className="block px-4 py-3 hover:bg-sunken sm:px-5">
                <AnalysisLine analysis={analysis} />
              </a>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
