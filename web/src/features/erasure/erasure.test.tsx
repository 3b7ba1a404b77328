import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, expect, it, vi } from 'vitest';
import { ErasureSection, RetentionSection } from './ErasureSection';

const call = { id: '01A', filename: '<img src=x onerror=alert(1)>.mp3', operator: null, source: 'sftp', at: '2026-11-22T10:00:00Z', reason: 'client' };

const removed = {
  calls: 1, transcripts: 2, scores: 1, answers: 0, analysis_rows: 0, insights: 1, notices: 0, payloads: 0, errands: 0,
  dropped_files: 1, pulled_names: 0, questions: 0, copies: 0, store_copies: 0,
};

let reports: unknown[] = [];
let retention: unknown = null;
const sent: { path: string; body: unknown }[] = [];

beforeEach(() => {
  reports = [];
  retention = { at: '03:30', rules: [], calls: [], total: 0 };
  sent.length = 0;
  HTMLDialogElement.prototype.showModal ??= function () {};
  HTMLDialogElement.prototype.close ??= function () {};
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const path = new URL(request.url).pathname.replace(/^.*\/api\/v1/, '');
    const json = (body: unknown, status = 200) =>
      new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
    if (request.method === 'POST') sent.push({ path, body: await request.json() });
    if (path === '/retention/preview') return json(retention);
    if (path === '/erasures/preview') {
      return json({ masked: '7••••••••67', calls: [call], total: 1, notices: 2, dropped_files: 1, pulled_names: 0 });
    }
    if (request.method === 'POST') {
      const one = { id: 'e1', author: 'admin', ordered_at: '2026-11-22T10:00:00Z', masked: '7••••••••67', mark: 'm', done: true, ended_at: null, removed, left: [{ reason: 'copy', detail: 'Permission denied' }] };
      reports = [one];
      return json(one, 202);
    }
    return json({ items: reports });
  });
});

function open(section: React.ReactNode) {
  render(<QueryClientProvider client={new QueryClient()}>{section}</QueryClientProvider>);
}

it('shows first, asks, erases and reports', async () => {
  const user = userEvent.setup();
  open(<ErasureSection />);
  expect(await screen.findByText('Стираний ещё не было.')).toBeVisible();
  expect(screen.queryByRole('button', { name: 'Стереть' })).toBeNull();
  await user.type(screen.getByLabelText('Номер клиента'), '+7 916 123-45-67');
  await user.click(screen.getByRole('button', { name: 'Найти' }));
  expect(await screen.findByText('Будет стёрто: 1 звонок.')).toBeVisible();
  expect(screen.getByText(call.filename)).toBeVisible();
  expect(document.querySelector('img')).toBeNull();
  expect(sent).toEqual([{ path: '/erasures/preview', body: { phone: '+7 916 123-45-67' } }]);
  await user.click(screen.getByRole('button', { name: 'Стереть' }));
  expect(sent).toHaveLength(1);
  const buttons = screen.getAllByRole('button', { name: 'Стереть', hidden: true });
  await user.click(buttons[buttons.length - 1] as HTMLElement);
  const list = await screen.findByTestId('erasure-reports');
  expect(within(list).getByText(/стёрто: 1 звонок; заказал admin/)).toBeVisible();
  expect(sent.at(-1)?.path).toBe('/erasures');
});

it('says what the rules remove next', async () => {
  retention = {
    at: '02:15',
    rules: [
      { days: 30, source: null, status: 'failed', calls: 1 },
      { days: 0, source: 'mango', status: null, calls: 0 },
    ],
    calls: [{ ...call, reason: 'rule 1' }],
    total: 1,
  };
  open(<RetentionSection />);
  expect(await screen.findByText('любой источник, Ошибка: 30 дней')).toBeVisible();
  expect(screen.getByText('MANGO OFFICE, любой статус: бессрочно')).toBeVisible();
  expect(screen.getByText('Следующей ночью будет удалено: 1 звонок.')).toBeVisible();
  expect(screen.getByText(/правило 1/)).toBeVisible();
});
