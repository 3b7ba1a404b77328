import { useRef, useState } from 'react';
import { callHref } from '../../app/router';
import { fetchResults } from '../../api/calls';
import { tryDraft, usePrompts } from '../../api/criteria';
import type { CallView, Trial } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { ScoreText } from '../../ui/score';
import { Segmented } from '../../ui/Segmented';
import { Notice, useErrorText } from '../../ui/States';
import { Field } from './fields';

const CALLS = [5, 10, 25] as const;

interface Props {
  scorecard?: string;
  prompt?: string;
  /** False while there is something to mend first. */
  ready: boolean;
}

interface Row {
  call: CallView;
  trial?: Trial;
  error?: string;
}

/** A draft on real calls: scores before and after, the most changed first. Nothing is kept. */
export function TrialPanel({ scorecard, prompt, ready }: Props) {
  const { t, fmt } = useI18n();
  const words = t.criteria.trial;
  const errorText = useErrorText();
  const model = usePrompts().data?.model ?? false;
  const onlyModel = prompt !== undefined;
  const [engine, setEngine] = useState<'rules' | 'model'>(onlyModel ? 'model' : 'rules');
  const [count, setCount] = useState('10');
  const [operator, setOperator] = useState('');
  const [query, setQuery] = useState('');
  const [rows, setRows] = useState<Row[] | null>(null);
  const [running, setRunning] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const round = useRef(0);

  async function run() {
    round.current += 1;
    const own = round.current;
    setRunning(true);
    setFailure(null);
    setRows([]);
    try {
      const found = await fetchResults({
        status: 'completed',
        operator: operator.trim() || undefined,
        q: query.trim() || undefined,
        page_size: Number(count),
      });
      setRows(found.items.map((call) => ({ call })));
      for (const call of found.items) {
        if (own !== round.current) return;
        let done: Partial<Row>;
        try {
          done = { trial: await tryDraft({ call_id: call.id, scorecard, prompt, engine }) };
        } catch (error) {
          done = { error: errorText(error) };
        }
        if (own !== round.current) return;
        setRows((now) => (now ?? []).map((row) => (row.call.id === call.id ? { ...row, ...done } : row)));
      }
    } catch (error) {
      setFailure(errorText(error));
    } finally {
      if (own === round.current) setRunning(false);
    }
  }

  const done = (rows ?? []).filter((row) => row.trial);
  const mean = (pick: (trial: Trial) => number | null | undefined) => {
    const known = done.flatMap((row) => (row.trial ? [pick(row.trial)] : [])).filter((one): one is number => one != null);
    return known.length > 0 ? known.reduce((sum, one) => sum + one, 0) / known.length : null;
  };
  const weight = (row: Row) => (row.trial ? row.trial.changed.length : row.error ? 0.5 : -1);
  return (
    <section className="card p-4" data-testid="trial">
      <h3 className="font-semibold">{words.title}</h3>
      <p className="mt-1 text-ink-soft">{onlyModel ? words.textModel : words.text}</p>
      <div className="mt-3 flex flex-wrap items-end gap-3">
        <Segmented legend={words.calls} value={count} onChange={setCount} options={CALLS.map((n) => ({ value: String(n), label: words.last(n) }))} />
        <Field label={words.operator}>{(id) => <input id={id} className="field" value={operator} onChange={(event) => setOperator(event.target.value)} />}</Field>
        <Field label={words.query}>{(id) => <input id={id} className="field" value={query} onChange={(event) => setQuery(event.target.value)} />}</Field>
        {model && !onlyModel && (
          <Segmented
            legend={words.engine}
            value={engine}
            onChange={(next: 'rules' | 'model') => setEngine(next)}
            options={[
              { value: 'rules', label: words.rules },
              { value: 'model', label: words.model },
            ]}
          />
        )}
        {running ? (
          <Button
            onClick={() => {
              round.current += 1;
              setRunning(false);
            }}
          >
            {words.stop}
          </Button>
        ) : (
          <Button kind="primary" icon="play" disabled={!ready || (onlyModel && !model)} onClick={() => void run()}>
            {words.run}
          </Button>
        )}
      </div>
      {onlyModel && !model && <p className="mt-2 text-ink-faint">{words.noModel}</p>}
      {failure && <Notice tone="bad">{failure}</Notice>}
      {rows && rows.length === 0 && !running && !failure && <p className="mt-3 text-ink-soft">{words.none}</p>}
      {rows && rows.length > 0 && (
        <>
          <p role="status" className="mt-3 font-medium">
            {words.progress(done.length + rows.filter((row) => row.error).length, rows.length)}
            {done.length > 0 && ` ${words.means(fmt.percent(mean((trial) => trial.before.overall_percent)), fmt.percent(mean((trial) => trial.after.overall_percent)))}`}
          </p>
          <div className="mt-2 overflow-x-auto">
            <table className="w-full text-left text-[0.92rem]">
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
                {rows
                  .toSorted((a, b) => weight(b) - weight(a))
                  .map((row) => (
                    <TrialRow key={row.call.id} row={row} />
                  ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </section>
  );
}

function TrialRow({ row }: { row: Row }) {
  const { t, nameOf } = useI18n();
  const words = t.criteria.trial;
  const verdicts: Record<string, string> = t.score.verdicts;
  const name = (verdict: string | null | undefined) => (verdict ? (verdicts[verdict] ?? verdict) : words.absent);
  return (
    <tr className="border-t border-line align-top" data-testid="trial-row">
      <td className="py-1.5 pr-3">
        <a className="text-accent hover:underline" href={callHref(row.call.id)} target="_blank" rel="noreferrer">
          {row.call.filename}
        </a>
        {row.call.operator && <div className="text-[0.85rem] text-ink-faint">{row.call.operator}</div>}
      </td>
      <td className="py-1.5 pr-3">{row.trial && <ScoreText percent={row.trial.before.overall_percent} />}</td>
      <td className="py-1.5 pr-3">{row.trial && <ScoreText percent={row.trial.after.overall_percent} className="font-semibold" />}</td>
      <td className="py-1.5">
        {row.error && <span className="text-bad">{row.error}</span>}
        {!row.trial && !row.error && <span className="text-ink-faint">…</span>}
        {row.trial && row.trial.changed.length === 0 && <span className="text-ink-faint">{words.same}</span>}
        {row.trial && row.trial.changed.length > 0 && (
          <ul>
            {row.trial.changed.map((item) => (
              <li key={item.key}>
                {nameOf(item)}: {name(item.before)} → <span className="font-medium">{name(item.after)}</span>
              </li>
            ))}
          </ul>
        )}
      </td>
    </tr>
  );
}
