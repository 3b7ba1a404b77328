import { useId } from 'react';
import { useInsight, useSumUp } from '../../api/questions';
import type { Point, Topic } from '../../api/types';
import { useMay } from '../../app/may';
import { listHref } from '../../app/router';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { Badge, QuoteButton, useBecause, type Play } from './FindingView';

/** What a call is about: a summary, the next step, objections, topics; and who says so. */
export function InsightPanel({ callId, play }: { callId: string; play: Play }) {
  const { t } = useI18n();
  const words = t.questions.about;
  const errorText = useErrorText();
  const because = useBecause();
  const id = useId();
  const query = useInsight(callId);
  const again = useSumUp(callId);
  const may = useMay('calls:edit');
  const insight = query.data?.insight;
  if (!insight) return null;
  const { summary } = insight;
  const byModel = summary.by === 'model';
  const reason = because(summary.why);
  return (
    <section aria-labelledby={id} className="card p-4 sm:p-5" data-testid="insight" data-by={summary.by}>
      <div className="mb-3 flex flex-wrap items-start justify-between gap-2">
        <div>
          <h2 id={id} className="text-[1.05rem] font-semibold">
            {words.title}
          </h2>
          <p className="text-[0.82rem] text-ink-faint">
            {byModel ? words.byModel(summary.model ?? '') : words.byRules}
            {insight.waits && ` · ${words.waits}`}
            {reason && ` · ${reason}`}
          </p>
        </div>
        {may && query.data?.has_model && !byModel && !insight.waits && (
          <Button size="sm" busy={again.isPending} onClick={() => again.mutate(undefined, { onError: (error) => toast(errorText(error), 'bad') })}>
            {words.again}
          </Button>
        )}
      </div>
      <dl className="flex flex-col gap-3">
        <Entry title={byModel ? words.summary : words.request} points={summary.about ? [summary.about] : []} play={play} plain={byModel} />
        <Entry title={words.next} points={summary.next_step ? [summary.next_step] : []} play={play} />
        <Entry title={words.objections} points={summary.objections} play={play} />
        <div>
          <dt className="text-[0.88rem] font-medium text-ink-soft">{words.topics}</dt>
          <dd className="mt-1">{insight.topics.length === 0 ? <span className="text-ink-faint">{words.noTopics}</span> : <Topics topics={insight.topics} play={play} />}</dd>
        </div>
      </dl>
    </section>
  );
}

interface EntryProps {
  title: string;
  points: readonly Point[];
  play: Play;
  /** Of the model's own words no proof is expected: what proves them is below. */
  plain?: boolean;
}

function Entry({ title, points, play, plain }: EntryProps) {
  const { t } = useI18n();
  const words = t.questions.about;
  return (
    <div>
      <dt className="text-[0.88rem] font-medium text-ink-soft">{title}</dt>
      {points.length === 0 && <dd className="text-ink-faint">{words.none}</dd>}
      {points.map((point, index) => (
        <dd key={index} className="mt-1">
          {point.text !== point.quote?.text && <p className="break-words">{point.text}</p>}
          {point.quote && (
            <div className="mt-1">
              <QuoteButton quote={point.quote} play={play} />
            </div>
          )}
          {!point.quote && !plain && <Badge tone="fair">{words.unproven}</Badge>}
        </dd>
      ))}
    </div>
  );
}

function Topics({ topics, play }: { topics: readonly Topic[]; play: Play }) {
  const { t, nameOf } = useI18n();
  const words = t.questions.about;
  return (
    <ul className="flex flex-col gap-1.5">
      {topics.map((topic) => {
        const name = nameOf(topic);
        return (
          <li key={topic.key} data-testid="topic">
            <details>
              <summary className="cursor-pointer">
                <span className="font-medium">{name}</span> <span className="text-[0.85rem] text-ink-faint">{words.times(topic.count)}</span>
              </summary>
              <ul className="mt-1 flex flex-col gap-1.5">
                {topic.quotes.map((quote, index) => (
                  <li key={index}>
                    <QuoteButton quote={quote} play={play} />
                  </li>
                ))}
              </ul>
              <a className="mt-1 inline-block text-[0.88rem] font-medium text-accent hover:underline" href={listHref(new URLSearchParams({ topic: topic.key }))}>
                {words.filter(name)}
              </a>
            </details>
          </li>
        );
      })}
    </ul>
  );
}
