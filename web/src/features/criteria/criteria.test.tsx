import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { CardDocument } from '../../api/types';
import { CriteriaPage } from './CriteriaPage';
import { diffCards } from './diff';
import { lines, moved, newItem, replaced } from './document';

const card = (): CardDocument =>
  ({
    id: 'sales-ru',
    name: 'Продажи',
    operator_marks: [],
    hold: [],
    back_channels: [],
    lexicons: { greeting: ['здравств*'] },
    criteria: [
      {
        key: 'standards',
        name: 'Стандарты',
        weight: 4,
        items: [
          { key: 'greeting', name: 'Поздоровался', weight: 2, auto_fail: false, phrases: [], lexicons: ['greeting'], except: [], except_lexicons: [], first_s: 20 },
          { key: 'farewell', name: 'Попрощался', weight: 1, auto_fail: false, phrases: ['до свидания'], lexicons: [], except: [], except_lexicons: [] },
        ],
      },
    ],
  }) as CardDocument;

describe('differences of scorecards', () => {
  it('are none between the same', () => {
    expect(diffCards(card(), card())).toEqual([]);
  });

  it('are told item by item and phrase by phrase', () => {
    const after = card();
    const [greeting, farewell] = after.criteria[0]!.items;
    greeting!.weight = 3;
    greeting!.first_s = 30;
    farewell!.phrases = ['до свидания', 'всего доброго'];
    after.lexicons = { greeting: ['добрый день'], thanks: ['спасибо'] };
    after.criteria[0]!.items.push({ ...newItem(after, 'Скидка') });
    after.criteria[0]!.items.reverse();
    const told = diffCards(card(), after).map((change) =>
      change.kind === 'changed'
        ? `${change.name} ${change.field} ${change.before}>${change.after}`
        : change.kind === 'words'
          ? `${change.name} ${change.field} +${change.added.join()} -${change.removed.join()}`
          : `${change.kind} ${change.what} ${change.name}`,
    );
    expect(told).toEqual([
      'added item Скидка',
      'Попрощался phrases +всего доброго -',
      'Поздоровался weight 2>3',
      'Поздоровался window first 20>first 30',
      'greeting phrases +добрый день -здравств*',
      'added list thanks',
      'Продажи order >',
    ]);
  });

  it('name what was taken out', () => {
    const after = card();
    after.criteria[0]!.items.pop();
    expect(diffCards(card(), after)).toEqual([{ kind: 'removed', what: 'item', name: 'Попрощался', within: 'Стандарты' }]);
  });
});

it('keeps keys unique and lists whole', () => {
  const document = card();
  document.criteria[0]!.items.push(newItem(document, 'a'));
  expect(newItem(document, 'b').key).toBe('item_2');
  expect(moved(['a', 'b', 'c'], 0, 1)).toEqual(['b', 'a', 'c']);
  expect(moved(['a', 'b'], 0, -1)).toEqual(['a', 'b']);
  expect(replaced(['a', 'b'], 0, null)).toEqual(['b']);
  expect(lines(' a \n\n b')).toEqual(['a', 'b']);
});

const version = (more = {}) => ({
  id: 'sales-ru',
  version: 1,
  name: 'Продажи',
  in_force: true,
  created_at: '2026-11-22T10:00:00Z',
  origin: 'built_in',
  author: null,
  comment: '',
  ...more,
});

let faults: unknown[] = [];
const asked: { path: string; method: string; body: Record<string, unknown> }[] = [];

beforeEach(() => {
  faults = [];
  asked.length = 0;
  location.hash = '#/criteria';
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const path = new URL(request.url).pathname.replace(/^.*\/api\/v1/, '');
    const body = request.method === 'GET' ? {} : ((await request.json().catch(() => ({}))) as Record<string, unknown>);
    if (request.method !== 'GET') asked.push({ path, method: request.method, body });
    const draft = { id: 'd1', text: 'text', name: 'Продажи', base_id: 'sales-ru', base_version: 1, saved_at: '2026-11-22T10:00:00Z', revision: 1, author: 'admin' };
    const answers: Record<string, unknown> = {
      '/scorecards': { versions: [version()], drafts: [], history: [], from_file: false, metrics: [{ name: 'patience', unit: 's' }] },
      '/scorecards/sales-ru/versions/1': { id: 'sales-ru', version: 1, text: 'text', document: card() },
      '/scorecard-drafts': draft,
      '/scorecard-drafts/d1': { ...draft, revision: 2 },
      '/scorecards/check': { faults, text: 'new text', document: body.document ?? card() },
      '/prompts': { items: [], model: false },
    };
    return new Response(JSON.stringify(answers[path] ?? {}), { headers: { 'content-type': 'application/json' } });
  });
});

function open() {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <CriteriaPage params={new URLSearchParams()} />
    </QueryClientProvider>,
  );
}

it('edits a copy of the card in force, saves it and shows what it changes', async () => {
  const user = userEvent.setup();
  open();
  await user.click(await screen.findByRole('button', { name: 'Изменить' }));
  const item = await screen.findByTestId('edit-item-farewell');
  await user.click(within(item).getByRole('button', { name: /Попрощался/ }));
  const phrases = within(item).getByLabelText('Фразы, по одной в строке');
  await user.type(phrases, '\nвсего доброго');
  await vi.waitFor(() => expect(asked.some((one) => one.method === 'PUT' && one.path === '/scorecard-drafts/d1' && one.body.text === 'new text' && one.body.revision === 1)).toBe(true));
  expect(await screen.findByText('+ всего доброго')).toBeVisible();
  expect(await screen.findByText('Черновик сохранён')).toBeVisible();
  expect(screen.getByRole('button', { name: 'Ввести в действие' })).toBeEnabled();
});

it('shows a fault beside its item and does not let it into force', async () => {
  faults = [{ code: 'no_phrases', place: 'criteria.standards.farewell', criterion: 0, item: 1, detail: '', message: 'x' }];
  const user = userEvent.setup();
  open();
  await user.click(await screen.findByRole('button', { name: 'Изменить' }));
  const item = await screen.findByTestId('edit-item-farewell');
  expect(within(item).getByText('нужны фразы, список фраз или показатель')).toBeVisible();
  expect(screen.getByRole('button', { name: 'Ввести в действие' })).toBeDisabled();
});
