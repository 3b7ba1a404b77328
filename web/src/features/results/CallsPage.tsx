import { useCallback, useEffect, useMemo } from 'react';
import { useResults } from '../../api/calls';
import { useMay } from '../../app/may';
import { listHref, navigate, rememberList } from '../../app/router';
import { usePollInterval } from '../../app/useLive';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Pagination } from '../../ui/Pagination';
import { EmptyState, ErrorState } from '../../ui/States';
import { ProgressView } from '../progress/ProgressView';
import { UploadList, UploadZone } from '../upload/UploadZone';
import { FilterBar } from './FilterBar';
import { hasFilters, NO_FILTERS, PAGE_SIZE, readFilters, toQuery, writeFilters, type Filters } from './filters';
import { OperatorAverages } from './OperatorAverages';
import { ResultsTable } from './ResultsTable';
import { SummaryCards } from './SummaryCards';

export function CallsPage({ params }: { params: URLSearchParams }) {
  const { t, fmt } = useI18n();
  const search = params.toString();
  const filters = useMemo(() => readFilters(new URLSearchParams(search)), [search]);
  const results = useResults(useMemo(() => toQuery(filters), [filters]), usePollInterval());
  const filtered = hasFilters(filters);
  const page = results.data;

  useEffect(() => {
    document.title = `${t.results.title} — ${t.appName}`;
  }, [t]);
  useEffect(() => rememberList(new URLSearchParams(search)), [search]);

  /** A change of anything but the page goes back to page one. Typing replaces, choosing adds to the history. */
  const change = useCallback(
    (patch: Partial<Filters>, how: 'push' | 'replace' = 'push') => {
      navigate(listHref(writeFilters({ ...filters, page: 1, ...patch })), how);
    },
    [filters],
  );

  const pages = page ? Math.max(1, Math.ceil(page.total / PAGE_SIZE)) : 1;
  useEffect(() => {
    if (page && !results.isPlaceholderData && filters.page > pages) change({ page: pages }, 'replace');
  }, [page, results.isPlaceholderData, filters.page, pages, change]);

  const uploads = useMay('calls:upload');
  const total = page ? fmt.number(page.total) : '';
  return (
    <div className="flex flex-col gap-4">
      <h1 className="sr-only">{t.results.title}</h1>
      <div className={`grid gap-4 ${uploads ? 'lg:grid-cols-[minmax(0,1fr)_24rem]' : ''}`}>
        <SummaryCards averages={page?.averages} levels={page?.levels} onLevel={(level) => change({ level })} total={page?.total} filtered={filtered} failed={results.isError} />
        {uploads && <UploadZone />}
      </div>
      <UploadList />
      <ProgressView />
      {!filters.operator && <OperatorAverages filters={filters} onPick={(operator) => change({ operator })} />}
      <section aria-label={t.results.title} className="card min-w-0">
        <FilterBar filters={filters} onChange={change}>
          {page && (filtered ? t.results.found(page.total, total) : t.results.total(page.total, total))}
        </FilterBar>
        <div className="border-t border-line" aria-busy={results.isFetching}>
          {results.isError && !page ? (
            <ErrorState title={t.results.errorTitle} error={results.error} onRetry={() => void results.refetch()} />
          ) : page && page.items.length === 0 ? (
            filtered ? (
              <EmptyState icon="search" title={t.results.noMatchTitle} text={t.results.noMatchText}>
                <Button onClick={() => change({ ...NO_FILTERS, sort: filters.sort })}>{t.filters.reset}</Button>
              </EmptyState>
            ) : (
              <EmptyState icon="calls" title={t.results.emptyTitle} text={t.results.emptyText} />
            )
          ) : (
            <ResultsTable
              calls={page?.items}
              stale={results.isPlaceholderData}
              sort={filters.sort}
              query={filters.q}
              onSort={(sort) => change({ sort })}
            />
          )}
        </div>
        {pages > 1 && (
          <div className="flex justify-center border-t border-line px-4 py-3 sm:justify-end sm:px-5">
            <Pagination page={filters.page} pages={pages} onPage={(next) => change({ page: next })} />
          </div>
        )}
      </section>
    </div>
  );
}
