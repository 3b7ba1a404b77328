import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, expect, it, vi } from 'vitest';
import { AuditPage } from './AuditPage';

const HOSTILE = '<img src=x onerror=alert(1)>';

const entry = (number: number, more = {}) => ({
  number,
  at: '2026-11-22T10:00:00Z',
  actor: 'person',
  who: 'olga',
  key: null,
  action: 'viewed',
  outcome: 'done',
  status: 200,
  operation: 'result',
  subject: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  session: 's1',
  address: '10.0.0.7',
  user_agent: 'Firefox',
  detail: null,
  ...more,
});

let pages: Record<string, unknown> = {};
let verified: unknown = null;
const asked: URL[] = [];

beforeEach(() => {
  const actions = ['viewed', 'played', 'sign_in_failed'];
  pages = {
    first: {
      items: [entry(3, { actor: 'nobody', who: HOSTILE, action: 'sign_in_failed', outcome: 'refused', status: 401 }), entry(2)],
      next: 2,
      actions,
    },
    second: { items: [entry(1, { action: 'started', actor: 'system', who: null })], next: null, actions },
  };
  verified = { entries: 3, first: 1, last: 3, head: '3:abc', whole: true, fault_number: null, fault: null };
  asked.length = 0;
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const url = new URL(new Request(input, init).url);
    asked.push(url);
    const body = url.pathname.endsWith('/verify') ? verified : url.searchParams.has('before') ? pages.second : pages.first;
    return new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } });
  });
});

function open() {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <AuditPage />
    </QueryClientProvider>,
  );
}

it('shows who did what, and hostile names as the texts they are', async () => {
  open();
  const table = await screen.findByTestId('audit-entries');
  const rows = within(table).getAllByRole('row');
  expect(rows).toHaveLength(3);
  expect(rows[1]).toHaveTextContent('неудачный вход');
  expect(rows[1]).toHaveTextContent('отказано (401)');
  expect(screen.getByText(HOSTILE)).toBeVisible();
  expect(document.querySelector('img')).toBeNull();
  expect(rows[2]).toHaveTextContent('просмотр звонка');
});

it('goes on where the page ends', async () => {
  const user = userEvent.setup();
  open();
  await user.click(await screen.findByRole('button', { name: 'Показать ещё' }));
  expect(await screen.findByText('запуск сервера', { selector: 'td' })).toBeVisible();
  expect(asked.at(-1)?.searchParams.get('before')).toBe('2');
  expect(screen.queryByRole('button', { name: 'Показать ещё' })).toBeNull();
});

it('asks for what the filter says, and exports the same', async () => {
  const user = userEvent.setup();
  open();
  await screen.findByTestId('audit-entries');
  await user.type(screen.getByLabelText('Кто'), 'olga');
  await user.selectOptions(screen.getByLabelText('Действие'), 'played');
  await vi.waitFor(() => {
    const last = asked.at(-1);
    expect(last?.searchParams.get('who')).toBe('olga');
    expect(last?.searchParams.get('action')).toBe('played');
  });
  const href = new URL(screen.getByTestId('audit-csv').getAttribute('href') ?? '');
  expect(href.searchParams.get('format')).toBe('csv');
  expect(href.searchParams.get('who')).toBe('olga');
});

it('says whether the audit is whole, and where it is not', async () => {
  const user = userEvent.setup();
  open();
  await user.click(await screen.findByTestId('audit-verify'));
  expect(await screen.findByText('Журнал цел: 3 записи.')).toBeVisible();
  expect(screen.getByText('3:abc')).toBeVisible();
  verified = { entries: 1, first: 1, last: 1, head: '3:abc', whole: false, fault_number: 2, fault: 'the entry is missing' };
  await user.click(screen.getByTestId('audit-verify'));
  expect(await screen.findByText(/Журнал нарушен на записи № 2/)).toHaveTextContent('the entry is missing');
});
