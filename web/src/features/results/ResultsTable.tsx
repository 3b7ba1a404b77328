/* A table laid out as a grid on a narrow screen loses its roles in the browser, so they are written out. */
/* oxlint-disable jsx-a11y/no-redundant-roles, jsx-a11y/no-interactive-element-to-noninteractive-role */
import type { CallView, CriterionPercent } from '../../api/types';
import { callHref, navigate } from '../../app/router';
import { useI18n } from '../../i18n';
import { Icon } from '../../ui/Icon';
import { SortHeader } from '../../ui/SortHeader';
import { ScoreBar, ScorePill, ScoreText } from '../../ui/score';
import { StatusBadge } from '../../ui/StatusBadge';

interface Props {
  /** Undefined while the first page is on its way. */
  calls: CallView[] | undefined;
  /** The rows are of the previous filters while the new ones are on their way. */
  stale: boolean;
  sort: string;
  /** What the list was searched for: the call then opens with it marked. */
  query: string;
  onSort(sort: string): void;
}

/** The column, the server's name for its order, and which way round a first click sorts. */
const SORTS = {
  date: { by: 'created_at', first: '-' },
  file: { by: 'filename', first: '' },
  operator: { by: 'operator', first: '' },
  duration: { by: 'duration', first: '-' },
  overall: { by: 'score', first: '' },
} as const;

/** A table on a wide screen, cards on a narrow one: the same rows, laid out by CSS. */
export function ResultsTable({ calls, stale, sort, query, onSort }: Props) {
  const { t, nameOf } = useI18n();
  // A call that was not scored has no criteria: the columns come from one that was.
  const columns = calls?.find((call) => call.criteria.length > 0)?.criteria ?? [];
  const header = 'px-2 py-2.5 font-medium text-ink-soft';
  const sortable = (column: keyof typeof SORTS, className = '') => (
    <SortHeader
      name={t.results.columns[column]}
      by={SORTS[column].by}
      first={SORTS[column].first}
      sort={sort}
      onSort={onSort}
      className={`${header} ${className}`}
    />
  );
  return (
    <table role="table" className={`block w-full border-collapse text-left md:table ${stale ? 'opacity-60' : ''}`}>
      <caption className="sr-only">{t.results.title}</caption>
      <thead className="hidden border-b border-line text-[0.85rem] md:table-header-group">
        <tr>
          {sortable('date', 'pl-5')}
          {sortable('file')}
          {sortable('operator')}
          {sortable('duration', 'text-right')}
          {columns.map((criterion) => (
            <th key={criterion.key} scope="col" className={`${header} hidden lg:table-cell`}>
              <span className="block max-w-32 truncate" title={nameOf(criterion)}>
                {nameOf(criterion)}
              </span>
            </th>
          ))}
          {sortable('overall', 'text-right')}
          <th scope="col" className={`${header} pr-5`}>
            {t.results.columns.status}
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup" className="block divide-y divide-line md:table-row-group">
        {calls
          ? calls.map((call) => <Row key={call.id} call={call} columns={columns} query={query} />)
          : Array.from({ length: 8 }, (_, index) => (
              <tr key={index} aria-hidden="true" className="block md:table-row">
                {/* A grey bar in place of a row that is on its way: hidden from screen readers. */}
                {/* oxlint-disable-next-line jsx-a11y/control-has-associated-label */}
                <td colSpan={6 + columns.length} className="block px-5 py-3.5 md:table-cell">
                  <div className="skeleton h-5" />
                </td>
              </tr>
            ))}
      </tbody>
    </table>
  );
}

function Row({ call, columns, query }: { call: CallView; columns: CriterionPercent[]; query: string }) {
  const { t, fmt, nameOf, errorText } = useI18n();
  const href = callHref(call.id, query ? { q: query } : undefined);
  const cell = 'md:table-cell md:px-2 md:py-2.5 md:align-middle';
  return (
    // The link in the row is what the keyboard uses; a click anywhere in the row is a convenience for the mouse.
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions
    <tr
      role="row"
      data-testid="results-row"
      data-call-id={call.id}
      className="group relative grid cursor-pointer grid-cols-[minmax(0,1fr)_auto] gap-x-3 gap-y-1 px-4 py-3 transition-colors hover:bg-sunken/60 has-focus-visible:bg-accent-soft/60 md:table-row"
      onClick={(event) => {
        if (event.target instanceof Element && event.target.closest('a')) return;
        if (getSelection()?.toString()) return;
        if (event.ctrlKey || event.metaKey) open(href, '_blank', 'noopener');
        else navigate(href);
      }}
    >
      <td role="cell" className={`order-3 text-ink-soft md:pl-5 md:whitespace-nowrap ${cell}`}>
        <span className="tabular text-[0.87rem] md:text-[0.93rem]">{fmt.dateTime(call.created_at)}</span>
        {call.started_at && (
          <span className="block text-[0.8rem] text-ink-faint">{t.results.startedAt(fmt.dateTime(call.started_at))}</span>
        )}
      </td>
      <td role="cell" className={`order-1 min-w-0 md:max-w-56 xl:max-w-80 ${cell}`}>
        <a
          href={href}
          className="block truncate rounded font-medium underline-offset-4 group-hover:text-accent hover:underline"
          title={call.filename}
        >
          {call.filename}
        </a>
        {call.status === 'failed' && call.error && (
          <span className="block truncate text-[0.82rem] text-bad" title={errorText(call.error)}>
            {errorText(call.error)}
          </span>
        )}
      </td>
      <td role="cell" className={`order-5 min-w-0 md:max-w-44 ${cell}`}>
        {call.operator ? (
          <span className="block truncate" title={call.operator}>
            {call.operator}
          </span>
        ) : (
          <span className="text-ink-faint">{t.results.unknownOperator}</span>
        )}
      </td>
      <td role="cell" className={`order-4 text-right whitespace-nowrap text-ink-soft ${cell}`}>
        <span className="tabular">{fmt.clock(call.duration_ms)}</span>
      </td>
      {columns.map((column, index) => {
        const criterion = call.criteria.find((candidate) => candidate.key === column.key);
        return (
          <td
            key={column.key}
            role="cell"
            className={`order-7 col-span-2 items-center gap-3 md:hidden! lg:table-cell! ${criterion?.percent == null ? 'hidden' : 'flex'} ${cell} ${index === 0 ? 'max-md:mt-1' : ''}`}
          >
            <span className="w-36 shrink-0 truncate text-[0.85rem] text-ink-soft md:hidden">{nameOf(column)}</span>
            <span className="flex flex-1 items-center gap-2 md:block md:w-20">
              <ScoreText percent={criterion?.percent} className="order-2 w-14 text-right text-[0.9rem] font-medium md:block md:text-left" />
              {criterion?.percent != null && <ScoreBar percent={criterion.percent} className="h-1 flex-1 md:mt-0.5" />}
            </span>
          </td>
        );
      })}
      <td role="cell" className={`order-2 text-right ${cell}`}>
        {call.status === 'completed' || call.overall_percent != null ? <ScorePill percent={call.overall_percent} /> : <span className="hidden text-ink-faint md:inline">{t.common.dash}</span>}
        {call.machine_percent != null && (
          <span data-testid="changed-call" className="ml-1 inline-flex align-middle text-accent" title={t.quality.changedCall(fmt.percent(call.machine_percent))}>
            <Icon name="edit" className="size-3.5" />
            <span className="sr-only">{t.quality.changedCall(fmt.percent(call.machine_percent))}</span>
          </span>
        )}
        {call.open_disputes > 0 && (
          <span data-testid="disputed-call" className="ml-1 inline-flex align-middle text-fair" title={t.quality.disputedCall(call.open_disputes)}>
            <Icon name="quality" />
            <span className="sr-only">{t.quality.disputedCall(call.open_disputes)}</span>
          </span>
        )}
        {call.score_stale && (
          <span className="ml-1 inline-flex align-middle text-fair" title={t.again.staleTranscript}>
            <Icon name="warning" />
            <span className="sr-only">{t.again.staleTranscript}</span>
          </span>
        )}
      </td>
      <td role="cell" className={`order-6 justify-self-end md:w-36 md:pr-5 ${cell}`}>
        <StatusBadge status={call.status} />
        {call.status === 'processing' && call.stage && (
          <span className="block text-[0.8rem] text-ink-faint">
            {t.stages[call.stage]} · {fmt.percent(Math.round(call.progress * 100))}
          </span>
        )}
      </td>
    </tr>
  );
}
