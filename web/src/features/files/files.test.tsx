import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, expect, it, vi } from 'vitest';
import { parseHash, useHash } from '../../app/router';
import { FilesPage } from './FilesPage';
import { filesKey } from '../../api/files';

const file = (path: string, state: string, more = {}) => ({
  user: 'mango',
  path,
  key: path,
  name: encodeURIComponent(path),
  size_bytes: 2048,
  modified_at: '2026-11-22T08:00:00Z',
  arrived_at: '2026-11-22T08:00:00Z',
  started_at: null,
  duration_ms: 65_000,
  state,
  can_be_sent: ['waiting', 'refused', 'deleted'].includes(state),
  call_id: null,
  call_status: null,
  operator: null,
  caller: null,
  called: null,
  operator_phone: null,
  order_ids: [],
  reason: null,
  message: null,
  ...more,
});

let stored = [
  file('2026/звонок #1.mp3', 'waiting', { caller: '79161234567', called: '74951234567' }),
  file('done.mp3', 'taken', { call_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV', call_status: 'completed' }),
  file('bad.mp3', 'refused', { reason: 'damaged_file', message: 'The file is damaged.' }),
  file('half.mp3', 'incomplete'),
];
const all = stored;
let total = 4;

const asked: URLSearchParams[] = [];
const sent: [string, unknown][] = [];
let queries: QueryClient;

beforeEach(() => {
  asked.length = 0;
  sent.length = 0;
  stored = all;
  total = 4;
  history.replaceState(null, '', '#/files');
  HTMLDialogElement.prototype.showModal = function showModal() {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close() {
    this.open = false;
  };
  HTMLMediaElement.prototype.play = vi.fn(async () => undefined);
  HTMLMediaElement.prototype.pause = vi.fn();
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    let body: unknown = { items: [] };
    if (request.method === 'POST') {
      const wanted = (await request.json()) as { files?: { user: string; path: string }[] };
      const what = url.pathname.split('/sftp/')[1] ?? '';
      sent.push([what, wanted]);
      const count = wanted.files?.length ?? 0;
      if (what === 'process') body = { items: (wanted.files ?? []).map((one) => ({ ...one, state: 'taken', call_id: 'X', message: null })), queued: wanted.files ? 0 : 3 };
      else if (what === 'delete') body = { removed: count, failed: 0, failures: [] };
      else body = { id: 'archive', files: count, bytes: 1 };
    } else if (url.pathname.endsWith('/sftp/files')) {
      asked.push(url.searchParams);
      const state = url.searchParams.get('state');
      const items = stored.filter((one) => !state || one.state === state);
      body = { items, total: state ? items.length : total, total_bytes: 8192, sendable: 3, sending: 0, page: 1, page_size: 50 };
    }
    return new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } });
  });
});

function Routed() {
  const route = parseHash(useHash());
  return <FilesPage params={'params' in route ? route.params : new URLSearchParams()} />;
}

function open() {
  queries = new QueryClient();
  render(
    <QueryClientProvider client={queries}>
      <Routed />
    </QueryClientProvider>,
  );
}

const row = async (path: string) => {
  const found = (await screen.findAllByTestId('file-row')).find((one) => one.dataset.path === path);
  if (!found) throw new Error(`no row of ${path}`);
  return within(found);
};

it('shows what arrived and what became of it, with reasons in Russian', async () => {
  open();
  expect(await screen.findByRole('link', { name: 'done.mp3' })).toHaveAttribute('href', '#/calls/01ARZ3NDEKTSV4RRFFQ69G5FAV');
  expect(screen.getByText(/Файл повреждён/)).toBeVisible();
  expect((await row('half.mp3')).getByText('Не дослан')).toBeVisible();
  expect(screen.getByText(/^4 файла/)).toBeVisible();
  expect((await row('2026/звонок #1.mp3')).getByText(/79161234567 → 74951234567/)).toBeVisible();
});

it('offers of each file what can be done with it', async () => {
  open();
  const half = await row('half.mp3');
  expect(half.queryByTestId('file-send')).toBeNull();
  expect(half.queryByTestId('file-play')).toBeNull();
  expect(half.queryByTestId('file-download')).toBeNull();
  expect((await row('done.mp3')).queryByTestId('file-send')).toBeNull();
  const waiting = await row('2026/звонок #1.mp3');
  // Any name works in the address.
  expect(waiting.getByTestId('file-download').getAttribute('href')).toMatch(/\/sftp\/files\/2026%2F%D0%B7.*%20%231\.mp3\/download\?user=mango$/);
  await userEvent.click(waiting.getByTestId('file-play'));
  const audio = screen.getByTestId('audio');
  expect(audio.getAttribute('src')).toMatch(/%20%231\.mp3\/stream\?user=mango$/);
  expect(HTMLMediaElement.prototype.play).toHaveBeenCalled();
  await userEvent.click(waiting.getByTestId('file-play'));
  expect(screen.queryByTestId('audio')).toBeNull();
});

it('sends the chosen ones that can be sent, and removes after a question', async () => {
  open();
  await userEvent.click(await screen.findByRole('checkbox', { name: 'Выбрать все на странице' }));
  expect(screen.getByText('Выбрано 4 файла')).toBeVisible();
  await userEvent.click(screen.getByTestId('send-chosen'));
  const names = (...paths: string[]) => ({ files: paths.map((path) => ({ user: 'mango', path })) });
  await vi.waitFor(() => expect(sent).toEqual([['process', names('2026/звонок #1.mp3', 'bad.mp3')]]));
  await vi.waitFor(() => expect(screen.queryByTestId('chosen')).toBeNull());
  await userEvent.click((await row('bad.mp3')).getByTestId('file-remove'));
  expect(screen.getByText('Удалить 1 файл?')).toBeVisible();
  await userEvent.click(screen.getByTestId('confirm'));
  await vi.waitFor(() => expect(sent[1]).toEqual(['delete', names('bad.mp3')]));
});

it('chooses all that match, over all pages', async () => {
  total = 1234;
  open();
  await userEvent.click(await screen.findByRole('checkbox', { name: 'Выбрать все на странице' }));
  await userEvent.click(screen.getByTestId('choose-all'));
  expect(screen.getByText(/Выбрано 1\s234 файла/)).toBeVisible();
  const click = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => undefined);
  await userEvent.click(screen.getByTestId('download-chosen'));
  await vi.waitFor(() => expect(click).toHaveBeenCalled());
  expect((click.mock.instances[0] as unknown as HTMLAnchorElement).href).toMatch(/\/sftp\/download\/archive$/);
  await userEvent.click(screen.getByTestId('send-chosen'));
  await vi.waitFor(() => expect(sent.map(([what, wanted]) => [what, wanted])).toEqual([['download/prepare', { all: {} }], ['process', { all: {} }]]));
});

it('searches once the typing rests, keeps the filters in the address, and forgets the choice', async () => {
  open();
  await screen.findByText('done.mp3');
  await userEvent.click(screen.getByRole('checkbox', { name: 'Выбрать done.mp3' }));
  await userEvent.type(screen.getByTestId('filter-q'), 'звон');
  await vi.waitFor(() => expect(asked.at(-1)?.get('q')).toBe('звон'));
  expect(asked.filter((query) => query.has('q')).length).toBe(1);
  expect(location.hash).toContain('q=');
  expect(screen.queryByTestId('chosen')).toBeNull();
  await userEvent.selectOptions(screen.getByTestId('filter-state'), 'incomplete');
  await vi.waitFor(() => expect(screen.queryByText('done.mp3')).toBeNull());
  expect(screen.getByText('half.mp3')).toBeVisible();
});

it('moves the thumbs of the duration by keys and asks in seconds', async () => {
  open();
  await screen.findByText('done.mp3');
  await userEvent.click(screen.getByTestId('filters-more'));
  const { fireEvent } = await import('@testing-library/react');
  fireEvent.change(screen.getByRole('slider', { name: 'Длительность от' }), { target: { value: '4' } });
  await vi.waitFor(() => expect(asked.at(-1)?.get('duration_min')).toBe('30'));
  // One thumb does not pass the other.
  fireEvent.change(screen.getByRole('slider', { name: 'Длительность до' }), { target: { value: '1' } });
  await vi.waitFor(() => expect(asked.at(-1)?.get('duration_max')).toBe('45'));
});

it('shows new files when it is told of them', async () => {
  open();
  await screen.findByText('done.mp3');
  stored = [file('new.mp3', 'receiving'), ...all];
  total = 5;
  await act(() => queries.invalidateQueries({ queryKey: filesKey }));
  expect(await screen.findByText('new.mp3')).toBeVisible();
  expect(screen.getByText(/^5 файлов/)).toBeVisible();
});
