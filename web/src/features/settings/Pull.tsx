import { useState, type ReactNode } from 'react';
import { useForgetHostKey, usePullRuns, usePullSources, useRunPull, useStopPull } from '../../api/pull';
import type { PullRun, PullSource } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { Facts, Section } from './parts';

/** The servers that recordings are pulled from: how they stand, run now, the last runs. */
export function PullSection() {
  const { t } = useI18n();
  const sources = usePullSources().data;
  if (!sources) return null;
  return (
    <Section title={t.pull.title}>
      {sources.items.length === 0 ? (
        <p className="text-ink-soft">{t.pull.none}</p>
      ) : (
        <div className="flex flex-col gap-8">
          {sources.items.map((source) => (
            <Source key={source.name} source={source} />
          ))}
        </div>
      )}
    </Section>
  );
}

function Source({ source }: { source: PullSource }) {
  const { t, fmt } = useI18n();
  const words = t.pull;
  const errorText = useErrorText();
  const run = useRunPull();
  const stop = useStopPull();
  const forget = useForgetHostKey();
  const [forgetting, setForgetting] = useState(false);
  const onError = (error: unknown) => toast(errorText(error), 'bad');
  const afters: Record<string, string> = words.afters;
  const hostKey = source.host_key ? (
    <span className="flex flex-wrap items-center gap-2">
      <code className="text-[0.85rem] break-all">{source.host_key}</code>
      {!source.host_key_configured && (
        <Button size="sm" onClick={() => setForgetting(true)}>
          {words.forget}
        </Button>
      )}
    </span>
  ) : (
    words.hostKeyUnknown
  );
  const failed = !source.current && source.last?.error_code ? source.last : null;

  const address = `${source.protocol}://${source.user}@${source.host}:${source.port}/${source.dir.replace(/^\//, '')}`;
  const rows: [string, ReactNode][] = [
    [words.address, address],
    [words.schedule, schedule(source, words)],
  ];
  if (source.next_at) rows.push([words.next, fmt.dateTime(source.next_at)]);
  rows.push([words.after, `${afters[source.after] ?? source.after}${source.move_to ? `: ${source.move_to}` : ''}`]);
  if (source.protocol === 'sftp')
    rows.push([words.hostKey, hostKey]);
  return (
    <div data-testid={`pull-${source.name}`}>
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <h3 className="font-semibold">{source.name}</h3>
        <span role="status" className="text-ink-soft">
          {source.current
            ? `${words.running}: ${words.columns.found.toLowerCase()} ${source.current.found}, ${words.columns.new.toLowerCase()} ${source.current.new}, ${fmt.bytes(source.current.bytes)}`
            : words.idle}
        </span>
        <span className="ml-auto">
          {source.current ? (
            <Button busy={stop.isPending} onClick={() => stop.mutate(source.name, { onSuccess: () => toast(words.stopped), onError })}>
              {words.stop}
            </Button>
          ) : (
            <Button busy={run.isPending} onClick={() => run.mutate(source.name, { onSuccess: () => toast(words.begun), onError })}>
              {words.run}
            </Button>
          )}
        </span>
      </div>
      {failed && failed.error_code !== 'stopped' && (
        <div className="mb-3">
          <Notice tone="bad">
            <Outcome run={failed} />. {failed.error}
          </Notice>
        </div>
      )}
      <Facts rows={rows} />
      <Runs source={source} />
      {forgetting && (
        <ConfirmDialog
          title={words.forgetTitle}
          text={words.forgetText}
          confirmLabel={words.forget}
          busy={forget.isPending}
          onCancel={() => setForgetting(false)}
          onConfirm={() =>
            forget.mutate(source.name, {
              onSuccess: () => toast(words.forgotten),
              onError,
              onSettled: () => setForgetting(false),
            })
          }
        />
      )}
    </div>
  );
}

function schedule(source: PullSource, words: ReturnType<typeof useI18n>['t']['pull']): string {
  const hours = source.fallback_hours;
  if (!source.at) return hours > 0 ? words.interval(hours) : words.never;
  const daily = words.daily(source.at, source.time_zone);
  return hours > 0 ? `${daily}, ${words.fallback(hours)}` : daily;
}

function Outcome({ run }: { run: PullRun }) {
  const { t } = useI18n();
  if (!run.ended_at) return <>{t.pull.running}</>;
  if (!run.error_code) return <>{t.pull.ok}</>;
  return <>{t.pull.errors[run.error_code] ?? run.error}</>;
}

function Runs({ source }: { source: PullSource }) {
  const { t, fmt } = useI18n();
  const words = t.pull;
  const runs = usePullRuns(source.name, source.current != null).data;
  if (!runs) return null;
  if (runs.items.length === 0) return <p className="mt-3 text-ink-soft">{words.noRuns}</p>;
  const numbers = ['found', 'new', 'known', 'skipped', 'failed'] as const;
  return (
    <div className="mt-4 overflow-x-auto">
      <table className="w-full border-collapse text-left text-[0.85rem] whitespace-nowrap">
        <caption className="mb-1 text-left font-medium">{words.runs}</caption>
        <thead className="border-b border-line text-ink-soft">
          <tr>
            {(['started', 'trigger', ...numbers, 'bytes', 'duration', 'result'] as const).map((name) => (
              <th key={name} scope="col" className="py-1.5 pr-3 font-medium">
                {words.columns[name]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {runs.items.map((run) => (
            <tr key={run.started_at} className="border-b border-line align-top last:border-0">
              <td className="py-1.5 pr-3">{fmt.dateTime(run.started_at)}</td>
              <td className="py-1.5 pr-3">{words.triggers[run.trigger]}</td>
              {numbers.map((name) => (
                <td key={name} className="py-1.5 pr-3 tabular-nums">
                  {fmt.number(run[name])}
                </td>
              ))}
              <td className="py-1.5 pr-3">{fmt.bytes(run.bytes)}</td>
              <td className="py-1.5 pr-3">{fmt.span(run.duration_ms)}</td>
              <td className={`py-1.5 whitespace-normal ${run.error_code && run.error_code !== 'stopped' ? 'text-bad' : ''}`} title={run.error ?? undefined}>
                <Outcome run={run} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
