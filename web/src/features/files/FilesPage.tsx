import { useCallback, useEffect, useMemo, useState } from 'react';
import { archiveUrl, useFiles, usePrepareArchive, useProcessFiles, useRemoveFiles } from '../../api/files';
import type { DroppedFile, FilesSelection } from '../../api/types';
import { filesHref, navigate } from '../../app/router';
import { usePollInterval } from '../../app/useLive';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Pagination } from '../../ui/Pagination';
import { EmptyState, ErrorState, Loading, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { FilesFilterBar } from './FilesFilterBar';
import { FilesTable } from './FilesTable';
import { hasFilters, NO_FILTERS, PAGE_SIZE, readFilters, toFilter, toQuery, writeFilters, type Filters } from './filters';
import { choose, isChosen, nameFiles, NOTHING, sumsOf, toSelection, type Selection } from './selection';

const MOST_FILES = 10_000;

/** What arrived over SFTP and what became of it. Rows come and change by themselves (`useLive`). */
export function FilesPage({ params }: { params: URLSearchParams }) {
  const { t, fmt } = useI18n();
  const words = t.files;
  const errorText = useErrorText();
  const search = params.toString();
  const filters = useMemo(() => readFilters(new URLSearchParams(search)), [search]);
  const query = useMemo(() => toQuery(filters), [filters]);
  const files = useFiles(query, usePollInterval());
  const send = useProcessFiles();
  const remove = useRemoveFiles();
  const archive = usePrepareArchive();
  // What was chosen is chosen among what these filters find; others find something else.
  const filterKey = JSON.stringify(toFilter(filters));
  const [chosen, setChosen] = useState<{ among: string; selection: Selection }>({ among: filterKey, selection: NOTHING });
  const selection = chosen.among === filterKey ? chosen.selection : NOTHING;
  const setSelection = (next: Selection) => setChosen({ among: filterKey, selection: next });
  const [removing, setRemoving] = useState<{ selection: FilesSelection; count: number } | null>(null);

  useEffect(() => {
    document.title = `${words.title} — ${t.appName}`;
  }, [t, words]);

  /** A change of anything but the page goes back to page one. Typing replaces, choosing adds to the history. */
  const change = useCallback(
    (patch: Partial<Filters>, how: 'push' | 'replace' = 'push') => {
      navigate(filesHref(writeFilters({ ...filters, page: 1, ...patch })), how);
    },
    [filters],
  );

  const list = files.data;
  const pages = list ? Math.max(1, Math.ceil(list.total / PAGE_SIZE)) : 1;
  useEffect(() => {
    if (list && !files.isPlaceholderData && filters.page > pages) change({ page: pages }, 'replace');
  }, [list, files.isPlaceholderData, filters.page, pages, change]);

  const page = list?.items ?? [];
  const filtered = hasFilters(filters);
  const sums = sumsOf(selection, list);
  const whole = page.length > 0 && page.every((file) => isChosen(selection, file));
  const count = (n: number) => fmt.number(n);
  const onError = (error: unknown) => toast(errorText(error), 'bad');

  const process = (which: FilesSelection) => {
    if (which.files?.length === 0) {
      toast(words.nothingSent, 'bad');
      return;
    }
    send.mutate(which, {
      onSuccess: ({ items, queued }) => {
        setSelection(NOTHING);
        const failed = items.filter((item) => item.call_id == null);
        const sent = items.length - failed.length + queued;
        if (sent > 0) toast(words.sent(sent, count(sent)));
        else if (failed.length === 0) toast(words.nothingSent, 'bad');
        for (const item of failed.slice(0, 2)) toast(`${item.path}: ${item.message ?? words.states[item.state ?? 'other']}`, 'bad');
      },
      onError,
    });
  };
  const download = () => {
    if (sums.count > MOST_FILES) {
      toast(words.tooMany, 'bad');
      return;
    }
    archive.mutate(toSelection(selection, toFilter(filters)), {
      onSuccess: ({ id }) => {
        const link = document.createElement('a');
        link.href = archiveUrl(id);
        link.download = '';
        link.click();
      },
      onError,
    });
  };
  const onRemoved = (which: FilesSelection) =>
    remove.mutate(which, {
      onSuccess: ({ removed, failed, failures }) => {
        setSelection(NOTHING);
        if (removed > 0) toast(words.removed(removed, count(removed)));
        const first = failures[0];
        if (first) toast(`${words.notRemoved(failed, count(failed))}. ${first.path}: ${first.message}`, 'bad');
      },
      onError,
      onSettled: () => setRemoving(null),
    });
  const one = (file: DroppedFile): FilesSelection => ({ files: nameFiles([file]) });

  return (
    <section aria-label={words.title} className="card min-w-0" data-testid="files">
      <h1 className="sr-only">{words.title}</h1>
      <FilesFilterBar filters={filters} onChange={change}>
        {list && (filtered ? words.found(list.total, count(list.total)) : words.total(list.total, count(list.total)))}
        {list && list.total > 0 && ` · ${fmt.bytes(list.total_bytes)}`}
        {list && list.sending > 0 && <span className="block text-accent">{words.sending(list.sending, count(list.sending))}</span>}
      </FilesFilterBar>
      {sums.count > 0 && (
        <div className="sticky top-0 z-10 flex flex-wrap items-center gap-2 border-t border-line bg-accent-soft px-4 py-2.5 sm:px-5" data-testid="chosen">
          <p className="mr-auto" role="status">
            <span className="font-medium">{words.chosen(sums.count, count(sums.count))}</span> <span className="text-ink-soft">· {fmt.bytes(sums.bytes)}</span>
          </p>
          {whole && selection.kind === 'some' && list && list.total > sums.count && (
            <Button size="sm" kind="ghost" data-testid="choose-all" onClick={() => setSelection({ kind: 'all' })}>
              {words.chooseAll(list.total, count(list.total))}
            </Button>
          )}
          <Button
            size="sm"
            kind="primary"
            icon="upload"
            data-testid="send-chosen"
            disabled={sums.sendable === 0}
            busy={send.isPending}
            onClick={() => process(toSelection(selection, toFilter(filters), (file) => file.can_be_sent))}
          >
            {words.sendMany(sums.sendable, count(sums.sendable))}
          </Button>
          <Button size="sm" icon="download" data-testid="download-chosen" busy={archive.isPending} onClick={download}>
            {words.download}
          </Button>
          <Button
            size="sm"
            kind="danger-quiet"
            icon="trash"
            data-testid="remove-chosen"
            busy={remove.isPending}
            onClick={() => {
              if (sums.count > MOST_FILES) toast(words.tooMany, 'bad');
              else setRemoving({ selection: toSelection(selection, toFilter(filters)), count: sums.count });
            }}
          >
            {words.remove}
          </Button>
          <Button size="sm" kind="ghost" icon="close" onClick={() => setSelection(NOTHING)}>
            {words.chooseNone}
          </Button>
        </div>
      )}
      <div className="border-t border-line" aria-busy={files.isFetching}>
        {files.isError && !list ? (
          <ErrorState title={words.errorTitle} error={files.error} onRetry={() => void files.refetch()} />
        ) : !list ? (
          <Loading />
        ) : page.length > 0 ? (
          <FilesTable
            files={page}
            stale={files.isPlaceholderData}
            sort={filters.sort}
            isChosen={(file) => isChosen(selection, file)}
            busy={send.isPending || remove.isPending}
            onSort={(sort) => change({ sort })}
            onChoose={(file, on) => setSelection(choose(selection, page, [file], on))}
            onChoosePage={(on) => setSelection(selection.kind === 'all' && !on ? NOTHING : choose(selection, page, page, on))}
            onSend={(file) => process(one(file))}
            onRemove={(file) => setRemoving({ selection: one(file), count: 1 })}
          />
        ) : filtered ? (
          <EmptyState icon="search" title={words.noMatch} text={words.noMatchText}>
            <Button onClick={() => change({ ...NO_FILTERS, sort: filters.sort })}>{t.filters.reset}</Button>
          </EmptyState>
        ) : (
          <EmptyState icon="calls" title={words.emptyTitle} text={words.emptyText} />
        )}
      </div>
      {pages > 1 && (
        <div className="flex justify-center border-t border-line px-4 py-3 sm:justify-end sm:px-5">
          <Pagination page={filters.page} pages={pages} onPage={(next) => change({ page: next })} />
        </div>
      )}
      {removing && (
        <ConfirmDialog
          title={words.removeTitle(removing.count, count(removing.count))}
          text={words.removeText}
          confirmLabel={words.remove}
          busy={remove.isPending}
          onCancel={() => setRemoving(null)}
          onConfirm={() => onRemoved(removing.selection)}
        />
      )}
    </section>
  );
}
