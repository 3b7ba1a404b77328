import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { ProviderSignIn } from './ProviderSignIn';

const answer = (provider: unknown) =>
  vi.spyOn(globalThis, 'fetch').mockImplementation(() =>
    Promise.resolve(
      new Response(JSON.stringify(provider === undefined ? {} : { provider }), {
        status: 200,
        headers: { 'content-type': 'application/json' },
      }),
    ),
  );

const show = () =>
  render(
    <QueryClientProvider client={new QueryClient()}>
      <ProviderSignIn />
    </QueryClientProvider>,
  );

afterEach(() => {
  window.history.replaceState(null, '', '/');
});

it('leads to the provider under its own name', async () => {
  answer({ label: 'Войти через Ромашку' });
  show();
  const link = await screen.findByRole('link', { name: 'Войти через Ромашку' });
  expect(link).toHaveAttribute('href', 'api/v1/auth/oidc/start');
});

it('has words of its own for a provider without a name', async () => {
  answer({ label: '' });
  show();
  expect(await screen.findByRole('link', { name: 'Войти через провайдера' })).toBeVisible();
});

it('shows no button without a provider', async () => {
  const fetched = answer(undefined);
  show();
  await vi.waitFor(() => expect(fetched).toHaveBeenCalled());
  expect(screen.queryByRole('link')).toBeNull();
});

it('says once why the provider let nobody in', () => {
  answer(undefined);
  window.history.replaceState(null, '', '/?sign_in=provider_unavailable#/calls');
  show();
  expect(screen.getByTestId('provider-error')).toHaveTextContent('Провайдер входа не отвечает');
  expect(window.location.search).toBe('');
  expect(window.location.hash).toBe('#/calls');
});
