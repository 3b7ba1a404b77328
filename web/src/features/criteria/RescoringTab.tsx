import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { callHref } from '../../app/router';
import { keys } from '../../api/calls';
import { useBeginRescoring, useCancelRescoring, useRescoringReport, useRescorings } from '../../api/criteria';
import { useLlm } from '../../api/llm';
import type { Rescoring, RescoringReport } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Pagination } from '../../ui/Pagination';
import { ScoreText } from '../../ui/score';
import { ErrorState, Loading, Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { Field } from './fields';

/** The past by the scorecard in force: ordered here, done in the background. */
export function RescoringTab() {
  const { t } = useI18n();
  const words = t.criteria.rescoring;
  const orders = useRescorings();
  const queries = useQueryClient();
  const [opened, setOpened] = useState<string | null>(null);
  const running = orders.data?.some((order) => order.state === 'running') ?? false;
  const states = orders.data?.map((order) => `${order.id} ${order.state}`).join() ?? '';
  useEffect(() => {
    // Calls show their new percents, also after an order that nobody saw running.
    if (states) void queries.invalidateQueries({ queryKey: keys.all });
  }, [states, queries]);
  if (orders.isPending) return <Loading />;
  if (orders.isError) return <ErrorState title={words.title} error={orders.error} onRetry={() => void orders.refetch()} />;
  const shown = opened ?? orders.data[0]?.id ?? null;
  return (
    <div className="flex flex-col gap-4">
      <Begin running={running} onBegun={setOpened} />
      {orders.data.length > 0 && (
        <section className="card p-4" data-testid="rescorings">
          <h3 className="font-semibold">{words.orders}</h3>
          <ul className="mt-1">
            {orders.data.map((order) => (
              <OrderLine key={order.id} order={order} open={order.id === shown} onOpen={() => setOpened(order.id)} />
            ))}
          </ul>
        </section>
      )}
      {shown && <Report key={shown} id={shown} running={orders.data.find((order) => order.id === shown)?.state === 'running'} />}
    </div>
  );
}

function Begin({ running, onBegun }: { running: boolean; onBegun(id: string): void }) {
  const { t } = useI18n();
  const words = t.criteria.rescoring;
  const errorText = useErrorText();
  const begin = useBeginRescoring();
  const model = useLlm().data?.enabled ?? false;
  const [operator, setOperator] = useState('');
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  return (
    <section className="card p-4">
      <h3 className="font-semibold">{words.title}</h3>
      <p className="mt-1 text-ink-soft">{words.text}</p>
      {model && <p className="mt-1 text-fair">{words.modelCosts}</p>}
      <form
        className="mt-3 flex flex-wrap items-end gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          begin.mutate(
            { operator: operator.trim() || undefined, date_from: from || undefined, date_to: to || undefined },
            { onSuccess: (order) => onBegun(order.id) },
          );
        }}
      >
        <Field label={words.operator}>{(id) => <input id={id} className="field" value={operator} onChange={(event) => setOperator(event.target.value)} />}</Field>
        <Field label={words.from}>{(id) => <input id={id} type="date" className="field" value={from} onChange={(event) => setFrom(event.target.value)} />}</Field>
        <Field label={words.to}>{(id) => <input id={id} type="date" className="field" value={to} onChange={(event) => setTo(event.target.value)} />}</Field>
        <Button kind="primary" icon="retry" type="submit" busy={begin.isPending} disabled={running}>
          {operator.trim() || from || to ? words.beginFiltered : words.beginAll}
        </Button>
      </form>
      {begin.isError && (
        <div className="mt-3">
          <Notice tone="bad">{errorText(begin.error)}</Notice>
        </div>
      )}
    </section>
  );
}

function OrderLine({ order, open, onOpen }: { order: Rescoring; open: boolean; onOpen(): void }) {
  const { t, fmt } = useI18n();
  const words = t.criteria.rescoring;
  const errorText = useErrorText();
  const cancel = useCancelRescoring();
  return (
    <li className="flex flex-wrap items-center gap-3 border-t border-line py-2 first:border-0">
      <span className="min-w-48 flex-1">
        <button type="button" className="rounded text-left font-medium text-accent hover:underline" aria-current={open} onClick={onOpen}>
          {t.criteria.versionOf(order.scorecard_name, order.scorecard_version)}
        </button>
        <span className="block text-[0.85rem] text-ink-faint">
          {order.author}, {fmt.dateTime(order.started_at)} · {words.states[order.state]} · {words.done(fmt.number(order.done), fmt.number(order.total))}
          {order.skipped > 0 && ` · ${words.skipped(order.skipped)}`}
        </span>
      </span>
      {order.state === 'running' && (
        <>
          <progress className="w-40" max={order.total} value={order.done} aria-label={words.progress} />
          <Button size="sm" busy={cancel.isPending} onClick={() => cancel.mutate(order.id, { onError: (error) => toast(errorText(error), 'bad') })}>
            {t.common.cancel}
          </Button>
        </>
      )}
    </li>
  );
}

function Report({ id, running }: { id: string; running: boolean }) {
  const { t, fmt, nameOf } = useI18n();
  const words = t.criteria.rescoring;
  const errorText = useErrorText();
  const [page, setPage] = useState(1);
  const query = useRescoringReport(id, page, running);
  if (query.isError) return <Notice tone="bad">{errorText(query.error)}</Notice>;
  const report = query.data;
  if (!report) return <Loading />;
  const judged = JSON.stringify(report.now) !== JSON.stringify(report.after);
  const criteria = report.after.criteria.map((criterion) => ({
    name: nameOf(criterion),
    before: report.before.criteria.find((one) => one.key === criterion.key)?.percent ?? null,
    after: criterion.percent ?? null,
    now: report.now.criteria.find((one) => one.key === criterion.key)?.percent ?? null,
  }));
  const rows = [
    { name: t.score.overall, before: report.before.overall_percent ?? null, after: report.after.overall_percent ?? null, now: report.now.overall_percent ?? null },
    ...criteria,
  ];
  return (
    <section className="card p-4" data-testid="rescoring-report">
      <h3 className="font-semibold">{words.report}</h3>
      <p className="mt-1 text-ink-soft">{words.moved(report.lower, report.same, report.higher)}</p>
      <div className="mt-2 overflow-x-auto">
        <table className="text-left text-[0.92rem]">
          <thead className="text-ink-faint">
            <tr>
              <th className="py-1 pr-4 font-medium">{words.average}</th>
              <th className="py-1 pr-4 font-medium">{words.before}</th>
              <th className="py-1 pr-4 font-medium">{words.after}</th>
              {judged && <th className="py-1 font-medium">{words.now}</th>}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name} className="border-t border-line">
                <th scope="row" className="py-1 pr-4 font-normal">
                  {row.name}
                </th>
                <td className="tabular py-1 pr-4">{fmt.percent(row.before)}</td>
                <td className="tabular py-1 pr-4 font-semibold">{fmt.percent(row.after)}</td>
                {judged && <td className="tabular py-1">{fmt.percent(row.now)}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <CallRows report={report} judged={judged} />
      <Pagination page={page} pages={Math.max(1, Math.ceil(report.total / report.page_size))} onPage={setPage} />
    </section>
  );
}

function CallRows({ report, judged }: { report: RescoringReport; judged: boolean }) {
  const { t, fmt } = useI18n();
  const words = t.criteria.rescoring;
  return (
    <div className="mt-4 overflow-x-auto">
      <table className="w-full text-left text-[0.92rem]">
        <thead className="text-ink-faint">
          <tr>
            <th className="py-1 pr-3 font-medium">{words.call}</th>
            <th className="py-1 pr-3 font-medium">{words.before}</th>
            <th className="py-1 pr-3 font-medium">{words.after}</th>
            {judged && <th className="py-1 pr-3 font-medium">{words.now}</th>}
            <th className="py-1 font-medium">{words.changedItems}</th>
          </tr>
        </thead>
        <tbody>
          {report.items.map((row) => (
            <tr key={row.call_id} className="border-t border-line">
              <td className="py-1 pr-3">
                {row.filename ? (
                  <a className="text-accent hover:underline" href={callHref(row.call_id)}>
                    {row.filename}
                  </a>
                ) : (
                  words.rowStates.deleted
                )}
                {row.operator && <span className="text-[0.85rem] text-ink-faint"> {row.operator}</span>}
              </td>
              <td className="py-1 pr-3">{row.before && <ScoreText percent={row.before.overall_percent} />}</td>
              <td className="py-1 pr-3">{row.after && <ScoreText percent={row.after.overall_percent} className="font-semibold" />}</td>
              {judged && <td className="py-1 pr-3">{row.now && <ScoreText percent={row.now.overall_percent} />}</td>}
              <td className="py-1">{row.state === 'scored' ? fmt.number(row.changed_items) : words.rowStates[row.state]}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
