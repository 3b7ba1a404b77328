/* A table laid out as a grid on a narrow screen loses its roles in the browser, so they are written out. */
/* oxlint-disable jsx-a11y/no-redundant-roles, jsx-a11y/no-interactive-element-to-noninteractive-role */
import { Fragment, useState } from 'react';
import { ApiError } from '../../api/client';
import { fileUrl } from '../../api/files';
import type { DroppedFile, DropState } from '../../api/types';
import { callHref } from '../../app/router';
import { useI18n } from '../../i18n';
import { IconButton } from '../../ui/Button';
import { Icon, type IconName } from '../../ui/Icon';
import { SortHeader } from '../../ui/SortHeader';
import { useErrorText } from '../../ui/States';
import { StatusBadge } from '../../ui/StatusBadge';
import { FilePlayer } from './FilePlayer';
import { keyOf } from './selection';

const LOOKS: Record<DropState, { icon: IconName; className: string }> = {
  receiving: { icon: 'retry', className: 'bg-accent-soft text-accent' },
  incomplete: { icon: 'warning', className: 'bg-fair-soft text-fair' },
  waiting: { icon: 'clock', className: 'bg-sunken text-ink-soft' },
  taken: { icon: 'check', className: 'bg-good-soft text-good' },
  known: { icon: 'check', className: 'bg-sunken text-ink-soft' },
  other: { icon: 'minus', className: 'bg-sunken text-ink-soft' },
  refused: { icon: 'warning', className: 'bg-bad-soft text-bad' },
  deleted: { icon: 'minus', className: 'bg-fair-soft text-fair' },
};

/** What can be listened to and downloaded: whole. */
const isWhole = (file: DroppedFile) => file.state !== 'receiving' && file.state !== 'incomplete';

interface Props {
  files: DroppedFile[];
  /** The rows are of the previous filters while the new ones are on their way. */
  stale: boolean;
  sort: string;
  isChosen(file: DroppedFile): boolean;
  busy: boolean;
  onSort(sort: string): void;
  onChoose(file: DroppedFile, on: boolean): void;
  onChoosePage(on: boolean): void;
  onSend(file: DroppedFile): void;
  onRemove(file: DroppedFile): void;
}

/** A table on a wide screen, cards on a narrow one: the same rows, laid out by CSS. */
export function FilesTable({ files, stale, sort, isChosen, busy, onSort, onChoose, onChoosePage, onSend, onRemove }: Props) {
  const { t } = useI18n();
  const words = t.files;
  const [opened, setOpened] = useState<string | null>(null);
  const chosen = files.filter(isChosen).length;
  const header = 'px-2 py-2.5 font-medium text-ink-soft';
  const sortable = (name: string, by: string, first: '' | '-', className = '') => (
    <SortHeader name={name} by={by} first={first} sort={sort} onSort={onSort} className={`${header} ${className}`} />
  );
  return (
    <table role="table" className={`block w-full border-collapse text-left md:table ${stale ? 'opacity-60' : ''}`}>
      <caption className="sr-only">{words.title}</caption>
      <thead className="block border-b border-line text-[0.85rem] md:table-header-group">
        <tr className="block md:table-row">
          <th scope="col" className="flex items-center gap-2 px-4 py-2.5 font-medium text-ink-soft md:table-cell md:w-0 md:pr-2 md:pl-5">
            <label className="flex items-center gap-2">
              <input
                type="checkbox"
                className="size-4"
                aria-label={words.choosePage}
                checked={chosen === files.length}
                ref={(box) => {
                  if (box) box.indeterminate = chosen > 0 && chosen < files.length;
                }}
                onChange={(event) => onChoosePage(event.target.checked)}
              />
              <span className="md:hidden">{words.choosePage}</span>
            </label>
          </th>
          {sortable(words.columns.name, 'name', '', 'max-md:hidden')}
          {sortable(words.columns.size, 'size', '-', 'text-right max-md:hidden')}
          {sortable(words.columns.date, 'date', '-', 'max-md:hidden')}
          {sortable(words.columns.duration, 'duration', '-', 'text-right max-md:hidden')}
          <th scope="col" className={`${header} max-md:hidden`}>
            {words.columns.state}
          </th>
          <th scope="col" className={`${header} max-md:hidden md:w-0 md:pr-5`}>
            <span className="sr-only">{words.columns.actions}</span>
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup" className="block divide-y divide-line md:table-row-group">
        {files.map((file) => {
          const key = keyOf(file);
          return (
            <Fragment key={key}>
              <Row
                file={file}
                chosen={isChosen(file)}
                opened={opened === key}
                busy={busy}
                onOpen={(on) => setOpened(on ? key : null)}
                onChoose={(on) => onChoose(file, on)}
                onSend={() => onSend(file)}
                onRemove={() => onRemove(file)}
              />
              {opened === key && isWhole(file) && (
                <tr role="row" className="block bg-sunken/50 md:table-row">
                  <td role="cell" colSpan={7} className="block px-4 py-3 md:table-cell md:px-5">
                    <FilePlayer file={file} />
                  </td>
                </tr>
              )}
            </Fragment>
          );
        })}
      </tbody>
    </table>
  );
}

interface RowProps {
  file: DroppedFile;
  chosen: boolean;
  opened: boolean;
  busy: boolean;
  onOpen(on: boolean): void;
  onChoose(on: boolean): void;
  onSend(): void;
  onRemove(): void;
}

function Row({ file, chosen, opened, busy, onOpen, onChoose, onSend, onRemove }: RowProps) {
  const { t, fmt } = useI18n();
  const words = t.files;
  const errorText = useErrorText();
  const whole = isWhole(file);
  const cell = 'md:table-cell md:px-2 md:py-2 md:align-middle';
  const ends = [file.caller, file.called].filter(Boolean).join(' → ');
  const told = [file.user, ends, file.operator, ...file.order_ids.map((order) => `${t.outside.filters.order_id} ${order}`)].filter(Boolean).join(' · ');
  return (
    <tr
      role="row"
      data-testid="file-row"
      data-path={file.path}
      className={`grid grid-cols-[auto_minmax(0,1fr)_auto] gap-x-3 gap-y-1 px-4 py-3 md:table-row ${chosen ? 'bg-accent-soft/40' : ''}`}
    >
      <td role="cell" className={`order-1 row-span-4 md:w-0 md:pl-5! ${cell}`}>
        <input
          type="checkbox"
          className="size-4 align-middle"
          aria-label={words.choose(file.path)}
          checked={chosen}
          onChange={(event) => onChoose(event.target.checked)}
        />
      </td>
      <td role="cell" className={`order-2 min-w-0 max-md:col-span-2 md:w-1/2 md:max-w-0 md:min-w-60 ${cell}`}>
        <span className="block font-medium break-all">
          {file.call_id ? (
            <a className="text-accent underline-offset-4 hover:underline" href={callHref(file.call_id)} title={words.openCall}>
              {file.path}
            </a>
          ) : (
            file.path
          )}
        </span>
        <span className="block text-[0.82rem] text-ink-faint">{told}</span>
        {file.reason && (
          <span className="block text-[0.85rem] text-bad">{errorText(new ApiError(file.reason, file.message ?? '', 422))}</span>
        )}
      </td>
      <td role="cell" className={`order-6 justify-self-end text-right whitespace-nowrap text-ink-soft ${cell}`}>
        <span className="tabular">{fmt.bytes(file.size_bytes)}</span>
      </td>
      <td role="cell" className={`order-3 min-w-0 text-ink-soft md:whitespace-nowrap ${cell}`}>
        <span className="tabular text-[0.87rem] md:text-[0.93rem]">{fmt.dateTime(file.started_at ?? file.arrived_at)}</span>
      </td>
      <td role="cell" className={`order-4 text-right whitespace-nowrap text-ink-soft ${cell}`}>
        <span className="tabular">{fmt.clock(file.duration_ms)}</span>
      </td>
      <td role="cell" className={`order-5 ${cell}`}>
        <State file={file} />
      </td>
      <td role="cell" className={`order-7 col-span-2 col-start-2 justify-self-end md:pr-4! ${cell}`}>
        <span className="inline-flex items-center md:w-full md:justify-end">
          {file.can_be_sent && (
            <IconButton icon="upload" label={words.sendOne(file.path)} data-testid="file-send" disabled={busy} onClick={onSend} />
          )}
          {whole && file.state !== 'other' && (
            <IconButton
              icon={opened ? 'close' : 'play'}
              iconClassName="size-[1.05rem]"
              label={opened ? words.stop(file.path) : words.play(file.path)}
              aria-expanded={opened}
              data-testid="file-play"
              onClick={() => onOpen(!opened)}
            />
          )}
          {whole && (
            <a
              href={fileUrl(file, 'download')}
              download
              aria-label={words.downloadOne(file.path)}
              title={words.downloadOne(file.path)}
              data-testid="file-download"
              className="inline-flex size-9 items-center justify-center rounded-lg align-middle text-ink-soft hover:bg-sunken hover:text-ink"
            >
              <Icon name="download" className="size-[1.15rem]" />
            </a>
          )}
          <IconButton icon="trash" label={words.removeOne(file.path)} data-testid="file-remove" disabled={busy || file.state === 'receiving'} onClick={onRemove} />
        </span>
      </td>
    </tr>
  );
}

/** Of a call the state of the work on it says more than that it is one. */
function State({ file }: { file: DroppedFile }) {
  const { t } = useI18n();
  const look = LOOKS[file.state];
  return (
    <span data-state={file.state}>
      {file.state === 'taken' && file.call_status ? (
        <StatusBadge status={file.call_status} />
      ) : (
        <span className={`inline-flex h-6 items-center gap-1 rounded-full px-2 text-[0.8rem] font-medium whitespace-nowrap ${look.className}`}>
          <Icon name={look.icon} className="size-3.5" />
          {t.files.states[file.state]}
        </span>
      )}
    </span>
  );
}
