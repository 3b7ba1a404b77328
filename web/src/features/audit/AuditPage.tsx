import { useEffect, useId, useState, type ReactNode } from 'react';
import { auditFileUrl, noAuditFilter, useAudit, useVerifyAudit, type AuditFilter } from '../../api/audit';
import type { AuditEntry, Verification } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { ErrorState, Loading, Notice, useErrorText } from '../../ui/States';
import { useDebounced } from '../../ui/useDebounced';

const TYPING_MS = 300;

/** What everybody did: searched, exported, checked. */
export function AuditPage() {
  const { t } = useI18n();
  const words = t.audit;
  const [filter, setFilter] = useState<AuditFilter>(noAuditFilter);
  const asked = useDebounced(filter, TYPING_MS);
  const audit = useAudit(asked);
  useEffect(() => {
    document.title = `${words.title} — ${t.appName}`;
  }, [words, t]);
  const pages = audit.data?.pages ?? [];
  const entries = pages.flatMap((page) => page.items);
  const link = 'inline-flex h-10 items-center rounded-[9px] border border-line bg-surface px-4 font-medium hover:bg-sunken';
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center gap-2">
        <h1 className="mr-auto text-2xl font-semibold">{words.title}</h1>
        <a className={link} href={auditFileUrl(filter, 'csv')} download data-testid="audit-csv">
          {words.csv}
        </a>
        <a className={link} href={auditFileUrl(filter, 'jsonl')} download>
          {words.jsonl}
        </a>
      </div>
      <p className="text-ink-soft">{words.about}</p>
      <Integrity />
      <Filters filter={filter} actions={pages[0]?.actions ?? []} onChange={setFilter} />
      {audit.isPending ? (
        <Loading />
      ) : audit.isError ? (
        <ErrorState title={words.title} error={audit.error} onRetry={() => void audit.refetch()} />
      ) : (
        <>
          {entries.length === 0 ? <p className="card p-4 text-ink-soft">{words.none}</p> : <Entries entries={entries} />}
          {audit.hasNextPage && (
            <Button className="self-center" busy={audit.isFetchingNextPage} onClick={() => void audit.fetchNextPage()}>
              {words.more}
            </Button>
          )}
        </>
      )}
    </div>
  );
}

function Field({ label, children }: { label: string; children(id: string): ReactNode }) {
  const id = useId();
  return (
    <div className="min-w-36 flex-1">
      <label className="label" htmlFor={id}>
        {label}
      </label>
      {children(id)}
    </div>
  );
}

function Filters(props: { filter: AuditFilter; actions: readonly string[]; onChange(filter: AuditFilter): void }) {
  const { t } = useI18n();
  const words = t.audit;
  const { filter, onChange } = props;
  const input = (name: keyof AuditFilter, label: string, type: string) => (
    <Field label={label}>
      {(id) => (
        <input id={id} className="field" type={type} value={filter[name]} onChange={(event) => onChange({ ...filter, [name]: event.target.value })} />
      )}
    </Field>
  );
  return (
    <form className="card flex flex-wrap items-end gap-3 p-4" role="search" onSubmit={(event) => event.preventDefault()}>
      {input('from', words.from, 'date')}
      {input('to', words.to, 'date')}
      {input('who', words.who, 'search')}
      <Field label={words.what}>
        {(id) => (
          <select id={id} className="field" value={filter.action} onChange={(event) => onChange({ ...filter, action: event.target.value })}>
            <option value="">{words.anyAction}</option>
            {props.actions.map((action) => (
              <option key={action} value={action}>
                {words.actions[action] ?? action}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={words.outcome}>
        {(id) => (
          <select id={id} className="field" value={filter.outcome} onChange={(event) => onChange({ ...filter, outcome: event.target.value })}>
            <option value="">{words.anyOutcome}</option>
            {Object.entries(words.outcomes).map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        )}
      </Field>
      {input('address', words.address, 'search')}
      {input('text', words.text, 'search')}
      <Button kind="ghost" onClick={() => onChange(noAuditFilter)}>
        {words.reset}
      </Button>
    </form>
  );
}

function Entries({ entries }: { entries: readonly AuditEntry[] }) {
  const { t, fmt } = useI18n();
  const words = t.audit;
  return (
    <div className="card overflow-x-auto">
      <table className="w-full border-collapse text-left text-[0.9rem]" data-testid="audit-entries">
        <thead className="border-b border-line text-ink-soft">
          <tr>
            {['№', words.when, words.who, words.what, words.subject, words.where, words.outcome, words.details].map((name) => (
              <th key={name} scope="col" className="px-3 py-2 font-medium whitespace-nowrap">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.number} className="border-b border-line align-top last:border-0">
              <td className="px-3 py-2 tabular-nums">{entry.number}</td>
              <td className="px-3 py-2 whitespace-nowrap" title={entry.at}>
                {fmt.dateTime(entry.at)}
              </td>
              <td className="px-3 py-2">
                <bdi>{entry.who ?? t.common.dash}</bdi>
                <span className="block text-[0.85rem] text-ink-soft">{words.actors[entry.actor] ?? entry.actor}</span>
              </td>
              <td className="px-3 py-2">{words.actions[entry.action] ?? entry.action}</td>
              <td className="px-3 py-2 break-all">
                <bdi>{entry.subject ?? ''}</bdi>
              </td>
              <td className="px-3 py-2">
                {entry.address ?? ''}
                <span className="block max-w-52 truncate text-[0.85rem] text-ink-soft" title={entry.user_agent ?? ''}>
                  {entry.user_agent ?? ''}
                </span>
              </td>
              <td className={`px-3 py-2 ${entry.outcome === 'done' ? '' : 'text-bad'}`}>
                {words.outcomes[entry.outcome] ?? entry.outcome}
                {entry.status != null && entry.outcome !== 'done' ? ` (${entry.status})` : ''}
              </td>
              <td className="px-3 py-2 break-words text-ink-soft">
                {entry.operation ?? ''}
                {entry.detail ? <span className="block">{entry.detail}</span> : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Integrity() {
  const { t } = useI18n();
  const words = t.audit;
  const errorText = useErrorText();
  const verify = useVerifyAudit();
  const [noted, setNoted] = useState('');
  const id = useId();
  return (
    <div className="card flex flex-col gap-3 p-4">
      <form
        className="flex flex-wrap items-end gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          verify.mutate(noted.trim());
        }}
      >
        <div className="min-w-60 flex-1">
          <label className="label" htmlFor={id}>
            {words.noted}
          </label>
          <input id={id} className="field" value={noted} spellCheck={false} onChange={(event) => setNoted(event.target.value)} />
        </div>
        <Button type="submit" busy={verify.isPending} data-testid="audit-verify">
          {words.verify}
        </Button>
      </form>
      <div role="status">
        {verify.isError && <Notice tone="bad">{errorText(verify.error)}</Notice>}
        {verify.data && <Verdict found={verify.data} />}
      </div>
    </div>
  );
}

function Verdict({ found }: { found: Verification }) {
  const { t } = useI18n();
  const words = t.audit;
  if (!found.whole) {
    return (
      <Notice tone="bad">
        {words.broken(found.fault_number ?? 0)}: {found.fault}
      </Notice>
    );
  }
  return (
    <Notice tone="info" icon="check">
      <p>{words.whole(found.entries)}</p>
      <p className="mt-1">{words.head}</p>
      <code className="text-[0.85rem] break-all">{found.head}</code>
    </Notice>
  );
}
