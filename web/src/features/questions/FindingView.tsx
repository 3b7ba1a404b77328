import type { Finding, Quote } from '../../api/types';
import { callHref } from '../../app/router';
import { useI18n } from '../../i18n';
import { Icon } from '../../ui/Icon';

/** Plays the second of a quote; on a page without a player a link leads to the call. */
export type Play = ((ms: number) => void) | { callId: string };

export function QuoteButton({ quote, play }: { quote: Quote; play: Play }) {
  const { t, fmt } = useI18n();
  const time = fmt.clock(quote.start_ms);
  const className =
    'group flex w-full items-start gap-2.5 rounded-lg border border-line bg-sunken/50 px-2.5 py-1.5 text-left transition-colors hover:border-accent';
  const content = (
    <>
      <span className="tabular mt-px inline-flex shrink-0 items-center gap-1 rounded-full bg-surface px-1.5 py-px text-[0.82rem] font-medium text-accent">
        <Icon name="play" className="size-3" />
        {time}
      </span>
      <span className="min-w-0 flex-1 text-[0.92rem] leading-snug">
        {quote.speaker !== 'unknown' && <span className="text-[0.82rem] text-ink-faint">{t.speakers[quote.speaker]} </span>}
        <q className="break-words">{quote.text}</q>
      </span>
    </>
  );
  if (typeof play === 'function')
    return (
      <button type="button" data-testid="quote" data-start-ms={quote.start_ms} title={t.score.listenFrom(time)} className={className} onClick={() => play(quote.start_ms)}>
        {content}
      </button>
    );
  return (
    <a data-testid="quote" href={callHref(play.callId, { t: String(quote.start_ms / 1000) })} title={t.score.listenFrom(time)} className={className}>
      {content}
    </a>
  );
}

/** Why no model answered, in the language of the page. */
export function useBecause(): (why: { code: string; message: string } | null | undefined) => string {
  const { t } = useI18n();
  const because: Record<string, string> = t.questions.because;
  return (why) => (why ? (because[why.code] ?? why.message) : '');
}

const BADGES = {
  good: 'bg-good-soft text-good',
  fair: 'bg-fair-soft text-fair',
  plain: 'bg-sunken text-ink-soft',
};

export function Badge({ tone, title, children }: { tone: keyof typeof BADGES; title?: string; children: string }) {
  return (
    <span title={title} className={`inline-block rounded px-1.5 text-[0.78rem] font-medium ${BADGES[tone]}`}>
      {children}
    </span>
  );
}

/** An answer: who gave it, what it says and what proves it. */
export function FindingView({ found, play }: { found: Finding; play: Play }) {
  const { t } = useI18n();
  const words = t.questions;
  const because = useBecause();
  const search = found.kind === 'search';
  return (
    <div data-testid="finding" data-kind={found.kind} data-confirmed={found.confirmed}>
      <p className="flex flex-wrap items-center gap-1.5">
        <Badge tone="plain" title={found.model ?? undefined}>
          {search ? words.search : words.model}
        </Badge>
        {!search && (found.confirmed ? <Badge tone="good">{words.confirmed}</Badge> : <Badge tone="fair">{words.unconfirmed}</Badge>)}
      </p>
      {search ? (
        <p className="mt-1 text-[0.92rem] text-ink-soft">
          {because(found.why)} {found.quotes.length > 0 ? words.searchHint : words.nothing}
        </p>
      ) : (
        <>
          <p className="mt-1 break-words whitespace-pre-line">{found.text}</p>
          {!found.confirmed && <p className="mt-1 text-[0.88rem] text-fair">{words.unconfirmedHint}</p>}
        </>
      )}
      {found.quotes.length > 0 && (
        <ul className="mt-2 flex flex-col gap-1.5">
          {found.quotes.map((quote, index) => (
            <li key={index}>
              <QuoteButton quote={quote} play={play} />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
