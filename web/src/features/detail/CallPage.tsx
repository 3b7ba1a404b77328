import { useCallback, useEffect, useId, useMemo, useState, type ReactNode } from 'react';
import { useCallDetail } from '../../api/calls';
import { ApiError } from '../../api/client';
import type { CallDetail } from '../../api/types';
import { lastListHref } from '../../app/router';
import { usePollInterval } from '../../app/useLive';
import { useI18n } from '../../i18n';
import { EmptyState, ErrorState, Loading } from '../../ui/States';
import { PlayerController } from '../player/controller';
import { PlayerBar } from '../player/PlayerBar';
import type { Mark } from '../player/Waveform';
import { AskPanel } from '../questions/AskPanel';
import { InsightPanel } from '../questions/InsightPanel';
import { CallHeader } from './CallHeader';
import { CallState } from './CallState';
import { DetailsPanel, hasDetails } from './DetailsPanel';
import { MetricsPanel } from './MetricsPanel';
import { ScorePanel } from './ScorePanel';
import { Transcript } from './Transcript';

export function CallPage({ id, params }: { id: string; params: URLSearchParams }) {
  const { t } = useI18n();
  const query = useCallDetail(id, usePollInterval());
  const name = query.data?.call.filename;

  useEffect(() => {
    document.title = `${name ?? t.results.title} — ${t.appName}`;
  }, [name, t]);

  if (query.error instanceof ApiError && query.error.status === 404) {
    return (
      <EmptyState icon="search" title={t.detail.goneTitle} text={t.detail.goneText}>
        <a className="font-medium text-accent underline underline-offset-4" href={lastListHref()}>
          {t.common.toCalls}
        </a>
      </EmptyState>
    );
  }
  if (query.data) return <Call detail={query.data} startMs={readSeconds(params.get('t'))} search={params.get('q') ?? ''} />;
  if (query.isError) {
    return <ErrorState title={t.detail.errorTitle} error={query.error} onRetry={() => void query.refetch()} />;
  }
  return <Loading />;
}

function readSeconds(text: string | null): number | null {
  const seconds = Number(text);
  return text && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null;
}

const TABS = ['score', 'about', 'transcript', 'metrics', 'details'] as const;
type Tab = (typeof TABS)[number];

function Call({ detail, startMs, search }: { detail: CallDetail; startMs: number | null; search: string }) {
  const { t } = useI18n();
  const [player] = useState(() => new PlayerController());
  const [tab, setTab] = useState<Tab>(detail.score ? 'score' : 'transcript');
  const id = useId();
  const { score, transcript, metrics, call } = detail;
  const marks = useMemo(() => marksOf(detail), [detail]);
  const told = hasDetails(detail.details);
  const play = useCallback((ms: number) => player.playFrom(ms), [player]);
  const nothing = !score && !transcript && !metrics && !told;

  useEffect(() => {
    if (startMs !== null) player.seek(startMs);
  }, [player, startMs]);

  // On a narrow screen one part is shown at a time; on a wide one all of them, and the tabs are gone.
  const panel = (name: Tab, className: string, content: ReactNode) => (
    <div id={`${id}-${name}`} className={`${tab === name ? 'flex' : 'hidden lg:flex'} min-w-0 flex-col ${className}`}>
      {content}
    </div>
  );
  const working = call.status === 'queued' || call.status === 'processing';

  return (
    <div className="flex flex-1 flex-col gap-4 max-sm:-mb-4 sm:max-lg:-mb-6 lg:h-[calc(100dvh-6rem)] lg:min-h-[38rem] lg:flex-none">
      <CallHeader detail={detail} />
      <CallState detail={detail} />
      {!nothing && (
        <>
          <div role="group" aria-label={t.detail.tabsLabel} className="flex overflow-x-auto rounded-[10px] bg-sunken p-0.5 [scrollbar-width:none] lg:hidden">
            {TABS.filter((name) => (name !== 'details' || told) && (name !== 'about' || transcript)).map((name) => (
              <button
                key={name}
                type="button"
                aria-pressed={tab === name}
                aria-controls={`${id}-${name}`}
                data-testid={`tab-${name}`}
                className={`h-9 flex-auto shrink-0 rounded-lg px-1.5 font-medium ${tab === name ? 'bg-surface text-ink shadow-card' : 'text-ink-soft'}`}
                onClick={() => setTab(name)}
              >
                {t.detail.tabs[name]}
              </button>
            ))}
          </div>
          <div className="grid flex-1 items-start gap-4 pb-4 lg:min-h-0 lg:grid-cols-[minmax(0,5fr)_minmax(0,6fr)] lg:grid-rows-[minmax(0,1fr)] lg:items-stretch lg:pb-0">
            <div className="flex min-w-0 flex-col gap-4 lg:min-h-0 lg:overflow-y-auto lg:rounded-[14px]">
              {transcript &&
                panel(
                  'about',
                  'gap-4',
                  <>
                    <InsightPanel callId={call.id} play={play} />
                    <AskPanel callId={call.id} version={transcript.version} play={play} />
                  </>,
                )}
              {panel(
                'score',
                'gap-4',
                score ? (
                  <ScorePanel score={score} player={player} callId={call.id} />
                ) : (
                  <Missing title={t.score.none} text={working ? t.score.noneText : ''} />
                ),
              )}
              {panel(
                'metrics',
                '',
                metrics ? (
                  <MetricsPanel metrics={metrics} />
                ) : (
                  <Missing title={t.metrics.none} text={working ? t.metrics.noneText : ''} />
                ),
              )}
              {told && panel('details', '', <DetailsPanel callId={call.id} source={call.source} details={detail.details} />)}
            </div>
            {panel(
              'transcript',
              'lg:min-h-0',
              transcript ? (
                <Transcript detail={detail} transcript={transcript} player={player} query={search} />
              ) : (
                <Missing title={t.transcript.none} text={working ? t.transcript.noneText : ''} />
              ),
            )}
          </div>
        </>
      )}
      <PlayerBar detail={detail} player={player} marks={marks} />
    </div>
  );
}

function Missing({ title, text }: { title: string; text: string }) {
  return (
    <div className="card px-5 py-8 text-center">
      <p className="font-medium">{title}</p>
      {text && <p className="text-ink-soft">{text}</p>}
    </div>
  );
}

/** Places in the waveform worth a look: where an item failed. */
function marksOf(detail: CallDetail): Mark[] {
  const places = new Map<number, Mark>();
  for (const criterion of detail.score?.criteria ?? []) {
    for (const item of criterion.items) {
      if (item.verdict !== 'failed') continue;
      for (const evidence of item.evidence) {
        places.set(evidence.start_ms, { ms: evidence.start_ms, kind: 'failed' });
      }
    }
  }
  return [...places.values()];
}
