import { useEffect, useId, useState } from 'react';
import { useFiles, useProcessFiles } from '../../api/files';
import type { DroppedFile, DropState } from '../../api/types';
import { callHref } from '../../app/router';
import { useI18n } from '../../i18n';
import { ApiError } from '../../api/client';
import { Button } from '../../ui/Button';
import { Icon, type IconName } from '../../ui/Icon';
import { EmptyState, ErrorState, Loading, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { useDebounced } from '../../ui/useDebounced';
import { Pagination } from '../results/Pagination';

const PAGE_SIZE = 50;
const TYPING_MS = 300;

const LOOKS: Record<DropState, { icon: IconName; className: string }> = {
  receiving: { icon: 'retry', className: 'bg-accent-soft text-accent' },
  incomplete: { icon: 'warning', className: 'bg-fair-soft text-fair' },
  waiting: { icon: 'clock', className: 'bg-sunken text-ink-soft' },
  taken: { icon: 'check', className: 'bg-good-soft text-good' },
  known: { icon: 'check', className: 'bg-sunken text-ink-soft' },
  other: { icon: 'minus', className: 'bg-sunken text-ink-soft' },
  refused: { icon: 'warning', className: 'bg-bad-soft text-bad' },
};
const STATES = Object.keys(LOOKS) as DropState[];

const keyOf = (file: DroppedFile) => `${file.user}/${file.path}`;
/** What can be sent to recognition: whole, and no call yet. */
const canBeSent = (file: DroppedFile) => file.state === 'waiting' || file.state === 'refused';

/** What arrived over SFTP and what became of it. */
export function FilesPage() {
  const { t, fmt } = useI18n();
  const words = t.files;
  const searchId = useId();
  const stateId = useId();
  const errorText = useErrorText();
  const [typed, setTyped] = useState('');
  const [state, setState] = useState<DropState | ''>('');
  const [page, setPage] = useState(1);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const q = useDebounced(typed.trim(), TYPING_MS);
  const files = useFiles({ q, state, page, pageSize: PAGE_SIZE });
  const send = useProcessFiles();

  useEffect(() => {
    document.title = `${words.title} — ${t.appName}`;
  }, [t, words]);

  const list = files.data;
  const pages = list ? Math.max(1, Math.ceil(list.total / PAGE_SIZE)) : 1;

  const sendable = list?.items.filter(canBeSent) ?? [];
  const selected = sendable.filter((file) => chosen.has(keyOf(file)));
  const all = sendable.length > 0 && selected.length === sendable.length;

  const process = (which: DroppedFile[]) =>
    send.mutate(
      which.map(({ user, path }) => ({ user, path })),
      {
        onSuccess: ({ items }) => {
          setChosen(new Set());
          const failed = items.filter((item) => item.call_id == null);
          if (failed.length < items.length) toast(words.sent(items.length - failed.length));
          for (const item of failed.slice(0, 3)) toast(`${item.path}: ${item.message ?? ''}`, 'bad');
        },
        onError: (error) => toast(errorText(error), 'bad'),
      },
    );

  const choose = (file: DroppedFile, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(keyOf(file));
    else next.delete(keyOf(file));
    setChosen(next);
  };

  return (
    <section aria-label={words.title} className="card min-w-0" data-testid="files">
      <div className="flex flex-wrap items-end gap-3 p-4 sm:px-5">
        <h1 className="w-full text-lg font-semibold">{words.title}</h1>
        <div className="min-w-52 flex-1">
          <label className="label" htmlFor={searchId}>
            {words.search}
          </label>
          <input
            id={searchId}
            type="search"
            className="field"
            value={typed}
            onChange={(event) => {
              setTyped(event.target.value);
              setPage(1);
            }}
          />
        </div>
        <div>
          <label className="label" htmlFor={stateId}>
            {words.state}
          </label>
          <select
            id={stateId}
            className="field"
            value={state}
            onChange={(event) => {
              setState(event.target.value as DropState | '');
              setPage(1);
            }}
          >
            <option value="">{words.anyState}</option>
            {STATES.map((name) => (
              <option key={name} value={name}>
                {words.states[name]}
              </option>
            ))}
          </select>
        </div>
        <Button kind="primary" disabled={selected.length === 0} busy={send.isPending} onClick={() => process(selected)}>
          {words.sendChosen(selected.length)}
        </Button>
        <p className="w-full text-[0.85rem] text-ink-faint" role="status">
          {list && words.total(list.total, fmt.number(list.total))}
        </p>
      </div>
      <div className="overflow-x-auto border-t border-line">
        {files.isError && !list ? (
          <ErrorState title={words.errorTitle} error={files.error} onRetry={() => void files.refetch()} />
        ) : !list ? (
          <Loading />
        ) : list.items.length === 0 ? (
          <EmptyState icon={q || state ? 'search' : 'calls'} title={q || state ? words.noMatch : words.emptyTitle} text={words.emptyText} />
        ) : (
          <table className="w-full border-collapse text-left">
            <caption className="sr-only">{words.title}</caption>
            <thead className="border-b border-line text-[0.85rem] text-ink-soft">
              <tr>
                <th scope="col" className="py-2.5 pl-5">
                  <input
                    type="checkbox"
                    aria-label={words.chooseAll}
                    disabled={sendable.length === 0}
                    checked={all}
                    onChange={(event) => setChosen(new Set(event.target.checked ? sendable.map(keyOf) : []))}
                  />
                </th>
                <th scope="col" className="px-2 py-2.5 font-medium">
                  {words.columns.name}
                </th>
                <th scope="col" className="px-2 py-2.5 font-medium">
                  {words.columns.user}
                </th>
                <th scope="col" className="px-2 py-2.5 text-right font-medium">
                  {words.columns.size}
                </th>
                <th scope="col" className="px-2 py-2.5 font-medium">
                  {words.columns.arrived}
                </th>
                <th scope="col" className="px-2 py-2.5 pr-5 font-medium">
                  {words.columns.state}
                </th>
              </tr>
            </thead>
            <tbody className={files.isPlaceholderData ? 'opacity-60' : ''}>
              {list.items.map((file) => (
                <tr key={keyOf(file)} className="border-b border-line last:border-0">
                  <td className="py-2 pl-5">
                    <input
                      type="checkbox"
                      aria-label={words.choose(file.path)}
                      disabled={!canBeSent(file)}
                      checked={chosen.has(keyOf(file)) && canBeSent(file)}
                      onChange={(event) => choose(file, event.target.checked)}
                    />
                  </td>
                  <td className="max-w-0 min-w-60 px-2 py-2 break-all">
                    {file.call_id ? (
                      <a className="text-accent underline-offset-4 hover:underline" href={callHref(file.call_id)}>
                        {file.path}
                      </a>
                    ) : (
                      file.path
                    )}
                    {file.reason && (
                      <span className="block text-[0.85rem] text-ink-soft">{errorText(new ApiError(file.reason, file.message ?? '', 422))}</span>
                    )}
                  </td>
                  <td className="px-2 py-2 whitespace-nowrap">{file.user}</td>
                  <td className="tabular px-2 py-2 text-right whitespace-nowrap">{fmt.bytes(file.size_bytes)}</td>
                  <td className="tabular px-2 py-2 whitespace-nowrap">{fmt.dateTime(file.arrived_at)}</td>
                  <td className="px-2 py-2 pr-5 whitespace-nowrap">
                    <State state={file.state} />
                    {canBeSent(file) && (
                      <Button size="sm" className="ml-2" disabled={send.isPending} onClick={() => process([file])}>
                        {words.send}
                      </Button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
      {(pages > 1 || page > 1) && (
        <div className="flex justify-center border-t border-line px-4 py-3 sm:justify-end sm:px-5">
          <Pagination page={page} pages={pages} onPage={setPage} />
        </div>
      )}
    </section>
  );
}

function State({ state }: { state: DropState }) {
  const { t } = useI18n();
  const look = LOOKS[state];
  return (
    <span data-state={state} className={`inline-flex h-6 items-center gap-1 rounded-full px-2 text-[0.8rem] font-medium ${look.className}`}>
      <Icon name={look.icon} className="size-3.5" />
      {t.files.states[state]}
    </span>
  );
}
