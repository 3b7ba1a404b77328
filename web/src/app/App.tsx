import { QueryClient, QueryClientProvider, useQueryClient } from '@tanstack/react-query';
import { Component, useEffect, useLayoutEffect, useState, type ReactNode } from 'react';
import { ApiError, whenSignedOut } from '../api/client';
import { sessionKey, useSession } from '../api/session';
import type { User } from '../api/types';
import { AccessPage } from '../features/accounts/AccessPage';
import { Entrance, FirstPasswordPage, InvitationPage } from '../features/accounts/Entrance';
import { SecondFactorSection } from '../features/accounts/SecondFactor';
import { AuditPage } from '../features/audit/AuditPage';
import { CallPage } from '../features/detail/CallPage';
import { CallsPage } from '../features/results/CallsPage';
import { CriteriaPage } from '../features/criteria/CriteriaPage';
import { FilesPage } from '../features/files/FilesPage';
import { QualityPage } from '../features/quality/QualityPage';
import { QuestionsPage } from '../features/questions/QuestionsPage';
import { SettingsPage } from '../features/settings/SettingsPage';
import { ProviderSignIn } from '../features/sign-in/ProviderSignIn';
import { SignInPage } from '../features/sign-in/SignInPage';
import { I18nProvider, useI18n } from '../i18n';
import { Button } from '../ui/Button';
import { EmptyState, ErrorState, Loading, Notice } from '../ui/States';
import { Toasts } from '../ui/Toasts';
import { RightsContext } from './may';
import { navigate, parseHash, useHash } from './router';
import { Shell } from './Shell';
import { useLive } from './useLive';

function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5000,
        networkMode: 'always',
        // A refusal will not change by asking again; a server that is away may come back.
        retry: (count, error) => count < 2 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 502),
      },
      mutations: { networkMode: 'always' },
    },
  });
}

export function App() {
  const [queryClient] = useState(createQueryClient);
  return (
    <I18nProvider>
      <CrashGuard>
        <QueryClientProvider client={queryClient}>
          <Gate />
          <Toasts />
        </QueryClientProvider>
      </CrashGuard>
    </I18nProvider>
  );
}

/** Nobody gets past it unsigned; the hash stays, so signing in leads back to the same place. */
function Gate() {
  const { t } = useI18n();
  const queryClient = useQueryClient();
  const session = useSession();
  const route = parseHash(useHash());
  const [expired, setExpired] = useState(false);

  useEffect(() => {
    whenSignedOut(() => {
      if (!queryClient.getQueryData<User | null>(sessionKey)) return;
      setExpired(true);
      queryClient.setQueryData(sessionKey, null);
    });
  }, [queryClient]);

  if (session.isPending) return <Loading />;
  if (session.isError) {
    return <ErrorState title={t.appName} error={session.error} onRetry={() => void session.refetch()} />;
  }
  const enter = (user: User) => {
    setExpired(false);
    queryClient.removeQueries({ predicate: (query) => query.queryKey[0] !== sessionKey[0] });
    queryClient.setQueryData(sessionKey, user);
  };
  if (route.page === 'invitation') {
    const leave = () => navigate('#/', 'replace');
    return (
      <InvitationPage
        token={route.token}
        onSignedIn={(user) => {
          leave();
          enter(user);
        }}
        onLeave={leave}
      />
    );
  }
  if (!session.data) {
    return (
      <SignInPage
        expired={expired}
        onSignedIn={enter}
      >
        <ProviderSignIn />
      </SignInPage>
    );
  }
  const again = () => void session.refetch();
  if (session.data.must_change_password) return <FirstPasswordPage onDone={again} />;
  if (session.data.must_set_second_factor) {
    return (
      <Entrance title={t.accounts.own.factor} wide>
        <div className="mb-4">
          <Notice tone="fair">{t.accounts.own.factorNeeded}</Notice>
        </div>
        <SecondFactorSection user={session.data} />
      </Entrance>
    );
  }
  return (
    <RightsContext value={session.data}>
      <SignedIn user={session.data} />
    </RightsContext>
  );
}

function SignedIn({ user }: { user: User }) {
  const { t } = useI18n();
  const live = useLive();
  const route = parseHash(useHash());
  const place = route.page === 'call' ? `call ${route.id}` : route.page;

  useKeptScroll(place);

  let content: ReactNode;
  switch (route.page) {
    case 'calls':
      content = <CallsPage params={route.params} />;
      break;
    case 'call':
      content = <CallPage key={route.id} id={route.id} params={route.params} />;
      break;
    case 'files':
      content = <FilesPage params={route.params} />;
      break;
    case 'criteria':
      content = <CriteriaPage params={route.params} />;
      break;
    case 'quality':
      content = <QualityPage />;
      break;
    case 'questions':
      content = <QuestionsPage params={route.params} />;
      break;
    case 'settings':
      content = <SettingsPage user={user} />;
      break;
    case 'audit':
      content = <AuditPage />;
      break;
    case 'access':
      content = <AccessPage user={user} />;
      break;
    case 'invitation':
    case 'not-found':
      content = (
        <EmptyState icon="search" title={t.common.notFoundTitle} text={t.common.notFoundText}>
          <a className="font-medium text-accent underline underline-offset-4" href="#/">
            {t.common.toCalls}
          </a>
        </EmptyState>
      );
  }
  return (
    <Shell user={user} page={route.page} onRetryConnection={live.retryNow}>
      {content}
    </Shell>
  );
}

const scrolls = new Map<string, number>();

/** A page opens at its top; the list opens where it was left. */
function useKeptScroll(place: string): void {
  useLayoutEffect(() => {
    const kept = place === 'calls';
    scrollTo(0, kept ? (scrolls.get(place) ?? 0) : 0);
    if (!kept) return;
    const remember = () => scrolls.set(place, scrollY);
    addEventListener('scroll', remember, { passive: true });
    return () => removeEventListener('scroll', remember);
  }, [place]);
}

/** The last resort: says so when a component throws, instead of a blank page. */
class CrashGuard extends Component<{ children: ReactNode }, { crashed: boolean }> {
  override state = { crashed: false };

  static getDerivedStateFromError() {
    return { crashed: true };
  }

  override render() {
    return this.state.crashed ? <CrashPage /> : this.props.children;
  }
}

function CrashPage() {
  const { t } = useI18n();
  return (
    <EmptyState icon="warning" title={t.common.crashTitle} text={t.common.crashText}>
      <Button kind="primary" onClick={() => location.reload()}>
        {t.common.reload}
      </Button>
    </EmptyState>
  );
}
