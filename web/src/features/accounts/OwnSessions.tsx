import { useEndOtherSessions, useEndOwnSession, useOwnSessions } from '../../api/accounts';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { ErrorState, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { Section } from '../settings/parts';

/** Where one is signed in. */
export function OwnSessionsSection() {
  const { t, fmt } = useI18n();
  const words = t.accounts.own;
  const by: Record<string, string> = words.by;
  const errorText = useErrorText();
  const sessions = useOwnSessions();
  const end = useEndOwnSession();
  const endOthers = useEndOtherSessions();
  const settled = { onSuccess: () => toast(words.ended), onError: (error: unknown) => toast(errorText(error), 'bad') };
  const items = sessions.data ?? [];
  return (
    <Section title={words.sessions}>
      {sessions.isError && <ErrorState title={words.sessions} error={sessions.error} onRetry={() => void sessions.refetch()} />}
      <ul className="divide-y divide-line rounded-lg border border-line" data-testid="own-sessions">
        {items.map((session) => (
          <li key={session.id} className="flex items-center gap-3 px-3 py-2.5">
            <div className="min-w-0 flex-1">
              <p className="font-medium">
                {session.address}
                {session.current && <span className="ml-2 rounded-full bg-good-soft px-2 text-[0.8rem] text-good">{words.current}</span>}
              </p>
              <p className="text-[0.87rem] text-ink-soft">
                {fmt.dateTime(session.created_at)} · {by[session.by] ?? session.by} · {t.accounts.seen(fmt.dateTime(session.seen_at))}
              </p>
              <p className="truncate text-[0.8rem] text-ink-faint">{session.agent}</p>
            </div>
            {!session.current && (
              <Button size="sm" busy={end.isPending && end.variables === session.id} onClick={() => end.mutate(session.id, settled)}>
                {words.end}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {items.length > 1 && (
        <Button className="mt-4" busy={endOthers.isPending} data-testid="end-others" onClick={() => endOthers.mutate(undefined, settled)}>
          {words.endOthers}
        </Button>
      )}
    </Section>
  );
}
