import { useState } from 'react';
import { ApiError } from '../../api/client';
import { ROWS, tableUrl, useAnalysis, useCancelAnalysis, useDeleteAnalysis } from '../../api/questions';
import type { AnalysisRow } from '../../api/types';
import { callHref, navigate } from '../../app/router';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Icon } from '../../ui/Icon';
import { Pagination } from '../../ui/Pagination';
import { EmptyState, ErrorState, Loading, Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { AnalysisLine } from './AnalysisLine';
import { FindingView, useBecause } from './FindingView';

const BACK = '#/questions';

/** An analysis: how far it is, its table, and what can be done with it. */
export function AnalysisView({ id }: { id: string }) {
  const { t, lang } = useI18n();
  const words = t.questions.many;
  const errorText = useErrorText();
  const because = useBecause();
  const [page, setPage] = useState(1);
  const [removing, setRemoving] = useState(false);
  const query = useAnalysis(id, page);
  const cancel = useCancelAnalysis();
  const remove = useDeleteAnalysis();
  const back = (
    <a className="inline-flex items-center gap-1 font-medium text-accent hover:underline" href={BACK}>
      <Icon name="chevronLeft" />
      {words.back}
    </a>
  );
  if (query.error instanceof ApiError && query.error.status === 404)
    return (
      <EmptyState icon="search" title={words.goneTitle} text={words.goneText}>
        {back}
      </EmptyState>
    );
  if (query.isError && !query.data) return <ErrorState title={words.list} error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Loading />;
  const { analysis, items, total } = query.data;
  const running = analysis.state === 'running';
  const share = analysis.calls > 0 ? (100 * analysis.done) / analysis.calls : 100;
  const onError = (error: unknown) => toast(errorText(error), 'bad');
  const link = 'inline-flex h-8 items-center gap-1.5 rounded-lg border border-line px-2.5 text-[0.85rem] font-medium hover:bg-sunken';
  return (
    <div className="flex flex-col gap-4">
      <div>{back}</div>
      <section className="card p-4 sm:p-5" data-testid="analysis">
        <AnalysisLine analysis={analysis} />
        {running && (
          <div
            role="progressbar"
            aria-label={words.progress(String(analysis.done), String(analysis.calls))}
            aria-valuenow={Math.round(share)}
            aria-valuemin={0}
            aria-valuemax={100}
            className="mt-3 h-1.5 overflow-hidden rounded-full bg-sunken"
          >
            <div className="h-full rounded-full bg-accent transition-[width]" style={{ width: `${share}%` }} />
          </div>
        )}
        {analysis.waits && (
          <div className="mt-3">
            <Notice tone="fair">
              {because(analysis.waits)} {words.waitsForModel}
            </Notice>
          </div>
        )}
        <div className="mt-3 flex flex-wrap gap-2">
          <a className={link} href={tableUrl(id, 'csv', lang)} download data-testid="export-csv">
            <Icon name="download" />
            {words.csv}
          </a>
          <a className={link} href={tableUrl(id, 'json', lang)} download>
            {words.json}
          </a>
          {running && (
            <Button size="sm" busy={cancel.isPending} data-testid="analysis-cancel" onClick={() => cancel.mutate(id, { onError })}>
              {words.cancel}
            </Button>
          )}
          <Button size="sm" kind="danger-quiet" onClick={() => setRemoving(true)}>
            {words.remove}
          </Button>
        </div>
      </section>
      <section className="card">
        <p aria-hidden="true" className="hidden gap-x-5 border-b border-line px-5 py-2 text-[0.85rem] font-medium text-ink-soft lg:grid lg:grid-cols-[16rem_minmax(0,1fr)]">
          <span>{words.columns.call}</span>
          <span>{words.columns.answer}</span>
        </p>
        <ul className="divide-y divide-line" data-testid="analysis-rows">
          {items.map((row) => (
            <RowItem key={row.call_id} row={row} />
          ))}
        </ul>
        {total > ROWS && (
          <div className="flex justify-center border-t border-line px-4 py-3 sm:justify-end sm:px-5">
            <Pagination page={page} pages={Math.ceil(total / ROWS)} onPage={setPage} />
          </div>
        )}
      </section>
      {removing && (
        <ConfirmDialog
          title={words.remove}
          text={words.removeText}
          confirmLabel={words.removeButton}
          busy={remove.isPending}
          onCancel={() => setRemoving(false)}
          onConfirm={() => remove.mutate(id, { onSuccess: () => navigate(BACK), onError, onSettled: () => setRemoving(false) })}
        />
      )}
    </div>
  );
}

function RowItem({ row }: { row: AnalysisRow }) {
  const { t, fmt } = useI18n();
  const because = useBecause();
  return (
    <li data-testid="analysis-row" className="grid gap-x-5 gap-y-1 px-4 py-3 sm:px-5 lg:grid-cols-[16rem_minmax(0,1fr)]">
      <div className="min-w-0 text-[0.88rem] text-ink-soft">
        {row.filename ? (
          <a className="block truncate font-medium text-accent hover:underline" href={callHref(row.call_id)} title={row.filename}>
            {row.filename}
          </a>
        ) : (
          <p>…{row.call_id.slice(-6)}</p>
        )}
        {row.operator && <p className="truncate">{row.operator}</p>}
        <p className="text-ink-faint">{fmt.dateTime(row.at)}</p>
      </div>
      <div className="min-w-0">
        {row.answer ? (
          <FindingView found={row.answer} play={{ callId: row.call_id }} />
        ) : (
          <p className="text-ink-faint">{row.why ? because(row.why) : t.questions.many.waiting}</p>
        )}
      </div>
    </li>
  );
}
