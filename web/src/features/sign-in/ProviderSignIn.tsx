import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { client, unwrap } from '../../api/client';
import { useI18n } from '../../i18n';
import { Notice } from '../../ui/States';

/** Why the identity provider's door did not open: the server says it in the address. */
function takeFailure(): string | null {
  const url = new URL(window.location.href);
  const failure = url.searchParams.get('sign_in');
  if (failure === null) return null;
  url.searchParams.delete('sign_in');
  // Reloading the page must not say it again.
  window.history.replaceState(null, '', url);
  return failure;
}

/** The button of the identity provider, where the server has one. Without an answer there is none. */
export function ProviderSignIn() {
  const { t } = useI18n();
  const [failure] = useState(takeFailure);
  const ways = useQuery({
    queryKey: ['sign-in-ways'],
    queryFn: () => unwrap(client.GET('/auth/ways')),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const provider = ways.data?.provider;
  const reasons: Partial<Record<string, string>> = t.provider.failures;
  return (
    <>
      {failure !== null && (
        <div role="alert" data-testid="provider-error" className="mt-4">
          <Notice tone="bad">{reasons[failure] ?? t.provider.failed}</Notice>
        </div>
      )}
      {provider && (
        <a
          className="mt-4 inline-flex h-10 w-full items-center justify-center rounded-[9px] border border-line bg-surface px-4 font-medium text-ink transition-colors hover:border-line-strong hover:bg-sunken"
          href="api/v1/auth/oidc/start"
          data-testid="provider-sign-in"
        >
          {provider.label || t.provider.submit}
        </a>
      )}
    </>
  );
}
