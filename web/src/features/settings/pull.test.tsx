import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, expect, it, vi } from 'vitest';
import { PullSection } from './Pull';

const run = (more = {}) => ({
  source: 'mango',
  trigger: 'daily',
  started_at: '2026-11-22T00:00:00Z',
  ended_at: '2026-11-22T00:01:00Z',
  duration_ms: 60_000,
  found: 120,
  new: 7,
  known: 1,
  skipped: 111,
  failed: 1,
  bytes: 2048,
  error_code: null,
  error: null,
  ...more,
});

const source = (more = {}) => ({
  name: 'mango',
  protocol: 'sftp',
  host: 'ftp.example.com',
  port: 22,
  user: 'u1',
  dir: '/calls',
  recursive: true,
  include: [],
  at: '03:00',
  time_zone: 'Europe/Moscow',
  fallback_hours: 6,
  after: 'move',
  move_to: '/done',
  host_key: 'SHA256:abc',
  host_key_configured: false,
  current: null,
  last: run(),
  next_at: '2026-11-23T00:00:00Z',
  ...more,
});

let sources: unknown[] = [];
let runs: unknown[] = [];
const asked: string[] = [];

beforeEach(() => {
  sources = [source()];
  runs = [run()];
  asked.length = 0;
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const path = new URL(request.url).pathname.replace(/^.*\/api\/v1/, '');
    if (request.method !== 'GET') {
      asked.push(`${request.method} ${path}`);
      return new Response(null, { status: request.method === 'DELETE' ? 204 : 202 });
    }
    const items = path === '/pull/runs' ? runs : sources;
    return new Response(JSON.stringify({ items, total: items.length, page: 1, page_size: 10 }), {
      headers: { 'content-type': 'application/json' },
    });
  });
});

function open() {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <PullSection />
    </QueryClientProvider>,
  );
}

it('shows the source, its schedule and what its runs brought', async () => {
  open();
  expect(await screen.findByText('sftp://u1@ftp.example.com:22/calls')).toBeVisible();
  expect(screen.getByText('каждый день в 03:00 (Europe/Moscow), повтор каждые 6 часов, если записей не было')).toBeVisible();
  expect(screen.getByText('переносятся: /done')).toBeVisible();
  const table = await screen.findByRole('table', { name: 'Последние запуски' });
  const cells = within(table)
    .getAllByRole('cell')
    .map((cell) => cell.textContent?.replaceAll('\u00a0', ' '));
  expect(cells.slice(1)).toEqual(['по расписанию', '120', '7', '1', '111', '1', '2 КБ', '1 мин', 'успешно']);
  await userEvent.click(screen.getByRole('button', { name: 'Запустить сейчас' }));
  await vi.waitFor(() => expect(asked).toEqual(['POST /pull/sources/mango/run']));
});

it('says what ails a source, with the words of the server, and forgets a host key only after a question', async () => {
  const error = 'The server shows the host key SHA256:new, but SHA256:abc is expected.';
  sources = [source({ last: run({ error_code: 'host_key_changed', error }) })];
  runs = [run({ error_code: 'host_key_changed', error })];
  open();
  expect(await screen.findByText(/SHA256:new, but SHA256:abc/)).toBeVisible();
  expect(screen.getAllByText(/показал другой ключ/)[0]).toBeVisible();
  await userEvent.click(screen.getByRole('button', { name: 'Забыть ключ' }));
  expect(asked).toEqual([]);
  await userEvent.click(screen.getByTestId('confirm'));
  await vi.waitFor(() => expect(asked).toEqual(['DELETE /pull/sources/mango/host-key']));
});

it('shows a run that is under way and stops it', async () => {
  sources = [source({ current: run({ ended_at: null, found: 50_000 }) })];
  open();
  expect(await screen.findByText(/Идёт забор: найдено 50000/)).toBeVisible();
  await userEvent.click(screen.getByRole('button', { name: 'Остановить' }));
  await vi.waitFor(() => expect(asked).toEqual(['POST /pull/sources/mango/stop']));
});

it('says how to name a source where there is none', async () => {
  sources = [];
  open();
  expect(await screen.findByText(/MANGO_FTP_HOST/)).toBeVisible();
});
