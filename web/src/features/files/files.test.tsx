import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, expect, it, vi } from 'vitest';
import { FilesPage } from './FilesPage';

const file = (path: string, state: string, more = {}) => ({
  user: 'mango',
  path,
  size_bytes: 2048,
  modified_at: '2026-11-22T08:00:00Z',
  arrived_at: '2026-11-22T08:00:00Z',
  state,
  call_id: null,
  reason: null,
  message: null,
  ...more,
});

const FILES = [
  file('2026/звонок.mp3', 'waiting'),
  file('done.mp3', 'taken', { call_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV' }),
  file('bad.mp3', 'refused', { reason: 'damaged_file', message: 'The file is damaged.' }),
  file('half.mp3', 'incomplete'),
];

const asked: URLSearchParams[] = [];
const sent: unknown[] = [];

beforeEach(() => {
  asked.length = 0;
  sent.length = 0;
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    let body: unknown;
    if (request.method === 'POST') {
      const { files } = (await request.json()) as { files: { user: string; path: string }[] };
      sent.push(files);
      body = { items: files.map((one) => ({ ...one, state: 'taken', call_id: 'X', message: null })) };
    } else {
      asked.push(url.searchParams);
      const state = url.searchParams.get('state');
      const items = FILES.filter((one) => !state || one.state === state);
      body = { items, total: items.length, page: 1, page_size: 50 };
    }
    return new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } });
  });
});

function open() {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <FilesPage />
    </QueryClientProvider>,
  );
}

it('shows what arrived and what became of it, with reasons in Russian', async () => {
  open();
  expect(await screen.findByRole('link', { name: 'done.mp3' })).toHaveAttribute('href', '#/calls/01ARZ3NDEKTSV4RRFFQ69G5FAV');
  expect(screen.getByText(/Файл повреждён/)).toBeVisible();
  expect(within(screen.getByRole('table')).getByText('Не дослан')).toBeVisible();
  expect(screen.getByText('4 файла')).toBeVisible();
});

it('sends the chosen ones, and only what is whole and no call yet', async () => {
  open();
  await userEvent.click(await screen.findByRole('checkbox', { name: 'Выбрать все на странице' }));
  expect(screen.getByRole('checkbox', { name: 'Выбрать half.mp3' })).toBeDisabled();
  expect(screen.getByRole('checkbox', { name: 'Выбрать done.mp3' })).toBeDisabled();
  await userEvent.click(screen.getByRole('button', { name: 'Отправить в Whisper: 2' }));
  await vi.waitFor(() =>
    expect(sent).toEqual([
      [
        { user: 'mango', path: '2026/звонок.mp3' },
        { user: 'mango', path: 'bad.mp3' },
      ],
    ]),
  );
});

it('searches once the typing rests, and filters by state', async () => {
  open();
  await screen.findByText('done.mp3');
  await userEvent.type(screen.getByRole('searchbox'), 'звон');
  await vi.waitFor(() => expect(asked.at(-1)?.get('q')).toBe('звон'));
  expect(asked.filter((query) => query.has('q')).length).toBe(1);
  await userEvent.selectOptions(screen.getByRole('combobox'), 'incomplete');
  await vi.waitFor(() => expect(screen.queryByText('done.mp3')).toBeNull());
  expect(screen.getByText('half.mp3')).toBeVisible();
});
