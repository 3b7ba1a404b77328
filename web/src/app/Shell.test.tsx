import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import { beforeEach, expect, it, vi } from 'vitest';
import { Shell } from './Shell';

let llm: Record<string, unknown>;

beforeEach(() => {
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const path = new URL(new Request(input, init).url).pathname.replace(/^.*\/api\/v1/, '');
    const answers: Record<string, unknown> = {
      '/llm': llm,
      '/server': { status: 'ok', model: { state: 'ready' }, store: { ok: true } },
    };
    return new Response(JSON.stringify(answers[path] ?? { items: [], total: 0 }), { headers: { 'content-type': 'application/json' } });
  });
});

function open() {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <Shell user={{ name: 'admin', role: 'admin' } as never} page="calls" onRetryConnection={() => {}}>
        <p>содержание</p>
      </Shell>
    </QueryClientProvider>,
  );
}

const paused = (code: string) => ({ enabled: true, waiting: 3, paused: { until: '2026-11-23T12:00:00Z', code, message: 'x' } });

it('tells on every page that the model waits for somebody', async () => {
  llm = paused('llm_quota');
  open();
  expect(await screen.findByTestId('llm-alert')).toHaveTextContent('Языковая модель не оценивает звонки');
});

it('does not trouble people with what passes by itself', async () => {
  llm = paused('llm_unavailable');
  open();
  expect(await screen.findByText('содержание')).toBeVisible();
  await vi.waitFor(() => expect(fetch).toHaveBeenCalled());
  expect(screen.queryByTestId('llm-alert')).toBeNull();
});
