import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { connectionStore } from '../api/live';
import { useLlm } from '../api/llm';
import { useOpenDisputes } from '../api/reviews';
import { sessionKey, signOut, useHealth } from '../api/session';
import { useStore } from '../api/store';
import type { User } from '../api/types';
import { CountBadge } from '../features/quality/Section';
import { useI18n } from '../i18n';
import { Button, IconButton } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { Notice, useErrorText } from '../ui/States';
import { toast } from '../ui/Toasts';
import { Logo } from './Logo';
import { useMay } from './may';
import { lastListHref } from './router';
import { LangSwitch, ThemeSwitch } from './switches';

interface Props {
  user: User;
  page: string;
  onRetryConnection(): void;
  children: ReactNode;
}

/** The frame of every signed-in page: header, notices about the server, content. */
export function Shell({ user, page, onRetryConnection, children }: Props) {
  const { t } = useI18n();
  const sets = useMay('settings');
  const asks = useMay('questions:ask');
  const admits = useMay('accounts');
  const link = (active: boolean) =>
    `inline-flex h-9 shrink-0 items-center gap-1.5 rounded-lg px-1 font-medium whitespace-nowrap focus-visible:-outline-offset-2 max-sm:text-[0.9rem] max-sm:tracking-tight sm:px-3 ${
      active ? 'bg-accent-soft text-accent' : 'text-ink-soft hover:bg-sunken hover:text-ink'
    }`;
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    const current = nav.current?.querySelector<HTMLElement>(`[href="#/${page}"]`);
    if (current && nav.current) nav.current.scrollLeft = current.offsetLeft - (nav.current.clientWidth - current.offsetWidth) / 2;
  }, [page]);
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#main"
        className="sr-only rounded-lg bg-accent px-4 py-2 text-accent-ink focus:not-sr-only focus:fixed focus:top-3 focus:left-3 focus:z-50"
        onClick={(event) => {
          // A plain jump would replace the route, which also lives in the hash.
          event.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        {t.skipToContent}
      </a>
      <header className="sticky top-0 z-30 border-b border-line bg-surface">
        <div className="mx-auto flex h-14 max-w-[90rem] items-center gap-1 px-3 sm:gap-2 sm:px-6">
          <a href={lastListHref()} className="mr-1 flex shrink-0 items-center gap-2.5 rounded-lg sm:mr-3">
            <Logo />
            <span className="hidden text-[1.05rem] font-semibold md:inline">{t.appName}</span>
            <span className="sr-only md:hidden">{t.appName}</span>
          </a>
          {/* On a phone there are more sections than room: they slide. */}
          <nav ref={nav} aria-label={t.nav.label} className="relative -my-1 flex min-w-0 flex-1 [scrollbar-width:none] gap-0.5 overflow-x-auto py-1 sm:gap-1">
            <a href={lastListHref()} className={link(page === 'calls' || page === 'call')} aria-current={page === 'calls' ? 'page' : undefined}>
              <Icon name="calls" className="hidden size-[1.15rem] sm:block" />
              {t.nav.calls}
            </a>
            {sets && (
            <a href="#/files" className={link(page === 'files')} aria-current={page === 'files' ? 'page' : undefined}>
              <Icon name="download" className="hidden size-[1.15rem] sm:block" />
              <span className="sm:hidden" aria-hidden="true">
                {t.nav.filesShort}
              </span>
              <span className="sr-only sm:not-sr-only">{t.nav.files}</span>
            </a>
            )}
            {asks && (
            <a href="#/questions" className={link(page === 'questions')} aria-current={page === 'questions' ? 'page' : undefined} data-testid="nav-questions">
              <Icon name="question" className="hidden size-[1.15rem] sm:block" />
              {t.questions.nav}
            </a>
            )}
            {sets && (
            <a href="#/criteria" className={link(page === 'criteria')} aria-current={page === 'criteria' ? 'page' : undefined}>
              <Icon name="check" className="hidden size-[1.15rem] sm:block" />
              {t.nav.criteria}
            </a>
            )}
            <a href="#/quality" className={link(page === 'quality')} aria-current={page === 'quality' ? 'page' : undefined}>
              <Icon name="quality" className="hidden size-[1.15rem] sm:block" />
              <span className="2xl:hidden" aria-hidden="true">
                {t.quality.navShort}
              </span>
              <span className="sr-only 2xl:not-sr-only">{t.quality.nav}</span>
              <OpenDisputes />
            </a>
            <a href="#/settings" className={link(page === 'settings')} aria-current={page === 'settings' ? 'page' : undefined}>
              <Icon name="settings" className="hidden size-[1.15rem] sm:block" />
              {t.nav.settings}
            </a>
            {admits && (
              <a href="#/access" className={link(page === 'access')} aria-current={page === 'access' ? 'page' : undefined} data-testid="nav-access">
                <Icon name="link" className="hidden size-[1.15rem] sm:block" />
                {t.accounts.nav}
              </a>
            )}
          </nav>
          <div className="ml-auto flex shrink-0 items-center">
            {/* On a narrow screen they are in the settings only. */}
            <span className="hidden items-center sm:flex">
              <LangSwitch />
              <ThemeSwitch />
            </span>
            <span className="mx-2 hidden h-5 border-l border-line sm:block" aria-hidden="true" />
            <span className="hidden max-w-40 truncate px-1 text-ink-soft sm:block">{user.name}</span>
            <SignOutButton />
          </div>
        </div>
      </header>
      <ServerNotices onRetryConnection={onRetryConnection} />
      <main id="main" tabIndex={-1} className="mx-auto flex w-full max-w-[90rem] flex-1 flex-col px-3 py-4 outline-none sm:px-6 sm:py-6">
        {children}
      </main>
    </div>
  );
}

/** How many disputes wait, where there are any. */
function OpenDisputes() {
  const { t } = useI18n();
  const open = useOpenDisputes();
  if (!open) return null;
  return (
    <span data-testid="open-disputes">
      <span aria-hidden="true">
        <CountBadge count={open} />
      </span>
      <span className="sr-only">{t.quality.navOpen(open)}</span>
    </span>
  );
}

function SignOutButton() {
  const { t } = useI18n();
  const queryClient = useQueryClient();
  const errorText = useErrorText();
  const [busy, setBusy] = useState(false);
  return (
    <IconButton
      icon="signOut"
      label={t.signIn.signOut}
      data-testid="sign-out"
      disabled={busy}
      onClick={async () => {
        setBusy(true);
        try {
          await signOut();
          queryClient.setQueryData(sessionKey, null);
        } catch (error) {
          toast(errorText(error), 'bad');
        } finally {
          setBusy(false);
        }
      }}
    />
  );
}

function ServerNotices({ onRetryConnection }: { onRetryConnection(): void }) {
  const { t } = useI18n();
  const sets = useMay('settings');
  const connection = useStore(connectionStore);
  const health = useHealth(60_000);
  const model = health.data?.model.state;
  const lost = connection === 'lost';
  const modelBad = model === 'missing' || model === 'invalid';
  const storeBad = health.data?.store.ok === false;
  // A fault that passes by itself is told in the settings; these wait for somebody.
  const llm = useLlm().data;
  const paused = sets && llm?.paused && ['llm_quota', 'llm_denied', 'llm_budget'].includes(llm.paused.code) ? llm.paused : null;
  const codes: Record<string, string> = t.score.model.codes;
  return (
    <div role="status" aria-live="polite" className="mx-auto w-full max-w-[90rem] px-3 sm:px-6">
      <div className={`flex flex-col gap-2 ${lost || modelBad || storeBad || paused ? 'pt-4' : ''}`}>
        {lost && (
          <div data-testid="connection-lost">
            <Notice
              tone="fair"
              icon="offline"
              action={
                <Button kind="ghost" size="sm" className="-my-1 text-inherit" onClick={onRetryConnection}>
                  {t.connection.retryNow}
                </Button>
              }
            >
              {t.connection.lost}
            </Notice>
          </div>
        )}
        {paused && (
          <div data-testid="llm-alert">
            <Notice
              tone="fair"
              action={
                <a className="font-medium underline underline-offset-4" href="#/settings">
                  {t.nav.settings}
                </a>
              }
            >
              {t.llm.stopped} {codes[paused.code] ?? paused.message}
            </Notice>
          </div>
        )}
        {storeBad && <Notice tone="bad">{t.health.storeBroken}</Notice>}
        {modelBad && <Notice tone="fair">{model === 'missing' ? t.health.modelMissing : t.health.modelInvalid}</Notice>}
      </div>
    </div>
  );
}
