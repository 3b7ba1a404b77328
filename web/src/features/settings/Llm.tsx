import { useState, type ReactNode } from 'react';
import { useEgress, useLlm, useResumeLlm, useSpending } from '../../api/llm';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { callHref } from '../../app/router';
import { Pagination } from '../../ui/Pagination';
import { Facts, Section } from './parts';

/** The language model: whether it judges, what waits for it, what was sent and spent. */
export function LlmSection() {
  const { t, fmt } = useI18n();
  const words = t.llm;
  const errorText = useErrorText();
  const llm = useLlm().data;
  const resume = useResumeLlm();
  if (!llm) return null;
  if (!llm.enabled)
    return (
      <Section title={words.title}>
        <p className="text-ink-soft">{words.off}</p>
      </Section>
    );
  const codes: Record<string, string> = t.score.model.codes;
  const rows: [string, ReactNode][] = [
    [words.server, `${llm.host} (${llm.local ? words.local : words.foreign})`],
    [words.model, llm.model],
    [words.waiting, fmt.number(llm.waiting)],
  ];
  if (llm.today) {
    const { requests, input_tokens, output_tokens, cost } = llm.today;
    rows.push([words.today, words.spent(fmt.number(requests), fmt.number(input_tokens), fmt.number(output_tokens))]);
    if (cost > 0 || llm.daily_budget != null)
      rows.push([words.cost, llm.daily_budget == null ? fmt.number(cost, 2) : words.of(fmt.number(cost, 2), fmt.number(llm.daily_budget, 2))]);
  }
  return (
    <Section title={words.title}>
      {llm.paused && (
        <div className="mb-3">
          <Notice
            tone="bad"
            action={
              <Button size="sm" busy={resume.isPending} onClick={() => resume.mutate(undefined, { onError: (error) => toast(errorText(error), 'bad') })}>
                {words.resume}
              </Button>
            }
          >
            {codes[llm.paused.code] ?? llm.paused.message} {words.until(fmt.dateTime(llm.paused.until))}
          </Notice>
        </div>
      )}
      <Facts rows={rows} />
      <Days />
      <Ledger />
    </Section>
  );
}

/** What each day cost, by model. */
function Days() {
  const { t, fmt } = useI18n();
  const words = t.llm;
  const [open, setOpen] = useState(false);
  const days = useSpending(open).data?.items;
  return (
    <details className="mt-4" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="cursor-pointer font-medium text-accent">{words.days}</summary>
      {days && days.length === 0 && <p className="mt-2 text-ink-soft">{words.nothing}</p>}
      {days && days.length > 0 && (
        <table className="mt-2 w-full text-left text-[0.88rem]">
          <thead className="text-ink-faint">
            <tr>
              {words.dayColumns.map((name) => (
                <th key={name} className="py-1 pr-3 font-medium">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody className="tabular">
            {days.map(({ day, model, spent }) => (
              <tr key={`${day} ${model}`} className="border-t border-line">
                <td className="py-1 pr-3 whitespace-nowrap">{day}</td>
                <td className="py-1 pr-3 break-all">{model}</td>
                <td className="py-1 pr-3">{fmt.number(spent.requests)}</td>
                <td className="py-1 pr-3">
                  {fmt.number(spent.input_tokens)} / {fmt.number(spent.output_tokens)}
                </td>
                <td className="py-1">{fmt.number(spent.cost, 2)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </details>
  );
}

/** What left the machine, the latest first. */
function Ledger() {
  const { t, fmt } = useI18n();
  const words = t.llm;
  const [open, setOpen] = useState(false);
  const [page, setPage] = useState(1);
  const sent = useEgress(page, open).data;
  return (
    <details className="mt-4" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="cursor-pointer font-medium text-accent">{words.ledger}</summary>
      {sent && sent.items.length === 0 && <p className="mt-2 text-ink-soft">{words.nothing}</p>}
      {sent && sent.items.length > 0 && (
        <div className="mt-2 overflow-x-auto">
          <table className="w-full text-left text-[0.88rem]">
            <thead className="text-ink-faint">
              <tr>
                {words.columns.map((name) => (
                  <th key={name} className="py-1 pr-3 font-medium">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {sent.items.map((one) => (
                <tr key={one.at} className="border-t border-line">
                  <td className="tabular py-1 pr-3 whitespace-nowrap">{fmt.dateTime(one.at)}</td>
                  <td className="py-1 pr-3">
                    <a className="text-accent hover:underline" href={callHref(one.call_id)}>
                      …{one.call_id.slice(-6)}
                    </a>
                  </td>
                  <td className="tabular py-1 pr-3">{fmt.number(one.chars)}</td>
                  <td className="tabular py-1 pr-3">{fmt.number(one.hidden)}</td>
                  <td className="tabular py-1 pr-3 whitespace-nowrap">
                    {fmt.number(one.input_tokens)} / {fmt.number(one.output_tokens)}
                  </td>
                  <td className="py-1">{one.outcome === 'ok' ? words.ok : one.outcome}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <Pagination page={page} pages={Math.max(1, Math.ceil(sent.total / sent.page_size))} onPage={setPage} />
        </div>
      )}
    </details>
  );
}
