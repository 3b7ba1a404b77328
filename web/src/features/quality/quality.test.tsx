import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { ReactElement } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Item, Score } from '../../api/types';
import { Toasts } from '../../ui/Toasts';
import { ScorePanel } from '../detail/ScorePanel';
import { PlayerController } from '../player/controller';
import { QualityPage } from './QualityPage';

const plain = (text: string | null | undefined) => (text ?? '').replaceAll(/[\u00a0\u202f]/g, ' ');

interface Sent {
  method: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
}

let sent: Sent[] = [];
let answers: Record<string, (query: URLSearchParams) => unknown> = {};

beforeEach(() => {
  sent = [];
  answers = {};
  vi.stubGlobal('fetch', async (request: Request) => {
    const url = new URL(request.url);
    const path = url.pathname.replace(/^.*\/api\/v1/, '');
    const text = await request.text();
    sent.push({ method: request.method, path, query: url.searchParams, body: text ? JSON.parse(text) : null });
    const answer = answers[`${request.method} ${path}`]?.(url.searchParams);
    if (answer instanceof Response) return answer;
    return answer ? Response.json(answer) : Response.json({ code: 'not_found', message: '' }, { status: 404 });
  });
});
afterEach(() => vi.unstubAllGlobals());

const posted = () => sent.filter((one) => one.method === 'POST').map((one) => one.body);

function show(element: ReactElement) {
  return render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      {element}
      <Toasts />
    </QueryClientProvider>,
  );
}

const hello: Item = {
  key: 'hello',
  name: 'Поздоровался',
  weight: 1,
  verdict: 'met',
  machine_verdict: 'met',
  auto_fail: false,
  reason: { code: 'phrase_found', value: null, threshold: null, unit: null },
  evidence: [],
  judged_by: 'rules',
  revision: 0,
};

const word: NonNullable<Item['review']> = {
  act: 'changed',
  author: 'olga',
  at: '2026-01-02T03:04:05Z',
  comment: '<b>здоровался робот</b>',
  scorecard_version: 2,
  other_scorecard: false,
  transcript_version: 0,
  machine_then: 'met',
  machine_changed: false,
};

function score(item: Partial<Item>, more: Partial<Score> = {}): Score {
  return {
    scorecard: { id: 'd', version: 3, name: 'Карта' },
    engine: 'rules',
    level: 2,
    stale: false,
    overall_percent: 50,
    machine_percent: 50,
    changed_items: 0,
    open_disputes: 0,
    criteria: [
      { key: 'standards', name: 'Стандарты', weight: 1, percent: 50, machine_percent: 50, auto_failed: false, items: [{ ...hello, ...item }] },
    ],
    ...more,
  };
}

function showScore(item: Partial<Item> = {}, more: Partial<Score> = {}) {
  return show(<ScorePanel score={score(item, more)} player={new PlayerController()} callId="X" />);
}

it('confirms with one click, naming what was seen', async () => {
  answers['POST /results/X/reviews'] = () => ({});
  showScore({ revision: 4 });
  await userEvent.click(screen.getByTestId('review-confirm'));
  await screen.findByText('Подтверждено');
  expect(posted()).toEqual([{ item: 'hello', act: 'confirm', seen_verdict: 'met', revision: 4 }]);
});

it('offers no agreement with a verdict that the machine could not prove', () => {
  showScore({ verdict: 'unconfirmed', machine_verdict: 'unconfirmed' });
  expect(screen.queryByTestId('review-confirm')).toBeNull();
  expect(screen.getByTestId('review-change')).toBeInTheDocument();
});

it('asks for a verdict and a reason before a change, by keyboard alone', async () => {
  answers['POST /results/X/reviews'] = () => ({});
  showScore();
  const open = screen.getByTestId('review-change');
  open.focus();
  await userEvent.keyboard('{Enter}');
  const dialog = screen.getByTestId('review-dialog');
  expect(within(dialog).queryByRole('radio', { name: 'Выполнено' })).toBeNull();
  await userEvent.click(screen.getByTestId('review-submit'));
  expect(within(dialog).getByRole('alert')).toHaveTextContent('Выберите, как должно быть.');
  within(dialog).getByRole('radio', { name: 'Не выполнено' }).focus();
  await userEvent.keyboard(' ');
  await userEvent.click(screen.getByTestId('review-submit'));
  expect(within(dialog).getByRole('alert')).toHaveTextContent('Напишите, почему');
  expect(posted()).toEqual([]);
  await userEvent.type(screen.getByTestId('review-comment'), ' не здоровался ');
  await userEvent.click(screen.getByTestId('review-submit'));
  await waitFor(() => expect(screen.queryByTestId('review-dialog')).toBeNull());
  expect(posted()).toEqual([
    { item: 'hello', act: 'change', verdict: 'failed', comment: 'не здоровался', seen_verdict: 'met', revision: 0 },
  ]);
  expect(open).toHaveFocus();
});

it('keeps what was written when somebody else was faster, and says what to do', async () => {
  answers['POST /results/X/reviews'] = () => Response.json({ code: 'stale_review', message: 'x' }, { status: 409 });
  showScore();
  await userEvent.click(screen.getByTestId('review-dispute'));
  await userEvent.type(screen.getByTestId('review-comment'), 'сказал же');
  await userEvent.click(screen.getByTestId('review-submit'));
  expect(await screen.findByText(/тем временем изменилась/)).toHaveTextContent('Теперь здесь: выполнено.');
  expect(screen.getByTestId('review-comment')).toHaveValue('сказал же');
});

it('shows both verdicts, who changed it, why, and on which version', () => {
  showScore(
    { verdict: 'failed', review: { ...word, other_scorecard: true, machine_changed: true }, revision: 1 },
    { changed_items: 1, overall_percent: 0, machine_percent: 87.5 },
  );
  const note = screen.getByTestId('review-word');
  expect(note).toHaveTextContent('Изменено: olga');
  expect(note).toHaveTextContent('машина: выполнено → человек: не выполнено');
  expect(note).toHaveTextContent('<b>здоровался робот</b>');
  expect(note).toHaveTextContent('Оценка человека дана на версии 2 карты.');
  expect(note).toHaveTextContent('тогда она считала: выполнено');
  expect(plain(screen.getByTestId('both-percents').textContent)).toBe('машина: 87,5 %, с правками: 0 %');
  expect(screen.getByTestId('item-hello')).toHaveAttribute('data-verdict', 'failed');
  expect(screen.getByTestId('review-withdraw')).toBeInTheDocument();
  expect(screen.queryByTestId('review-confirm')).toBeNull();
});

it('says nothing of two percents while nothing is changed', () => {
  showScore({ review: { ...word, act: 'confirmed', comment: '' }, revision: 1 });
  expect(screen.queryByTestId('both-percents')).toBeNull();
  expect(screen.getByTestId('review-word')).toHaveTextContent('Согласен: olga');
});

it('settles a dispute and does nothing else before', async () => {
  answers['POST /results/X/reviews'] = () => ({});
  showScore(
    { dispute: { author: 'ivan', at: '2026-01-02T03:04:05Z', comment: 'я здоровался' }, verdict: 'failed', machine_verdict: 'failed', revision: 1 },
    { open_disputes: 2 },
  );
  expect(screen.getByTestId('dispute')).toHaveTextContent('Оспорено: ivan');
  expect(screen.getByTestId('disputes-notice')).toHaveTextContent('Оспорен 1 пункт');
  expect(screen.getByTestId('disputes-notice')).toHaveTextContent('Ещё 1 спор о пунктах, которых в карте больше нет');
  for (const other of ['confirm', 'change', 'dispute']) expect(screen.queryByTestId(`review-${other}`)).toBeNull();
  await userEvent.click(screen.getByTestId('review-decline'));
  await userEvent.type(screen.getByTestId('review-comment'), 'не слышно');
  await userEvent.click(screen.getByTestId('review-submit'));
  await waitFor(() => expect(posted()).toHaveLength(1));
  expect(posted()[0]).toEqual({ item: 'hello', act: 'decline', comment: 'не слышно', seen_verdict: 'failed', revision: 1 });
});

it('tells the history of an item, the newest first', async () => {
  const entry = {
    author: 'olga', at: '2026-01-02T03:04:05Z', comment: 'a', from: 'met', to: 'failed', machine: 'met', engine: 'rules', scorecard_id: 'd',
    scorecard_version: 1, transcript_version: 0,
  };
  answers['GET /results/X/reviews'] = () => ({
    items: [
      { item: 'other', name: 'x', scored: true, entries: [{ ...entry, act: 'disputed' }] },
      { item: 'hello', name: 'x', scored: true, entries: [{ ...entry, act: 'changed' }, { ...entry, act: 'withdrawn', from: 'failed', to: 'met' }] },
    ],
  });
  showScore({ revision: 2 });
  await userEvent.click(screen.getByTestId('review-history'));
  const rows = await within(screen.getByTestId('review-history-dialog')).findAllByRole('listitem');
  expect(rows.map((row) => /olga (\S+ ?\S*)/.exec(row.textContent ?? '')?.[1])).toEqual(['отменил правку:', 'изменил: выполнено']);
});

const pairs = { n: 12, share: 0.5, kappa: 0.1, no_kappa: null, counts: [[4, 3, 0], [3, 2, 0], [0, 0, 0]], undecided: 0 };
const period = (start: string, overall_percent: number | null, scored = overall_percent == null ? 0 : 3) => ({
  start, scored, overall_percent, criteria: overall_percent == null ? [] : [{ key: 'a', name: 'Стандарты', percent: 10 }],
});

function quality(more: Record<string, (query: URLSearchParams) => unknown> = {}) {
  answers = {
    'GET /disputes': () => ({ items: [], total: 0, open: 0, page: 1, page_size: 10 }),
    'GET /quality/agreement': () => ({ items: [], all: { ...pairs, n: 0, share: null, kappa: null }, calls: 0, confirmed: 0, changed: 0, min_sample: 10 }),
    'GET /quality/dynamics': () => ({ step: 'week', time_zone: 'Europe/Moscow', periods: [] }),
    'GET /operators': () => ({ items: [{ name: 'Анна', calls: 3 }] }),
    ...more,
  };
  return show(<QualityPage />);
}

it('says what to do while there is nothing', async () => {
  quality();
  expect(await screen.findByText('Открытых споров нет.')).toBeInTheDocument();
  expect(await screen.findByText(/нажмите у пунктов «Согласен»/)).toBeInTheDocument();
  expect(await screen.findByText('За это время оценённых звонков нет')).toBeInTheDocument();
  expect(screen.queryByTestId('dynamics-chart')).toBeNull();
});

it('lists agreement as the server orders it, with what a kappa means', async () => {
  const item = (key: string, more: object) => ({ scorecard_id: 'd', item: key, name: key, name_en: null, pairs: { ...pairs, ...more } });
  quality({
    'GET /quality/agreement': () => ({
      items: [
        item('Мутный пункт', { kappa: 0.1 }),
        item('Ясный пункт', { kappa: 0.85, counts: [[9, 0, 0], [0, 3, 0], [0, 0, 0]] }),
        item('Одинаковый', { kappa: null, no_kappa: 'one_category', undecided: 2 }),
        item('Редкий', { n: 3, kappa: null, no_kappa: 'too_few' }),
      ],
      all: pairs, calls: 12, confirmed: 0, changed: 6, min_sample: 10,
    }),
  });
  const rows = await screen.findAllByTestId('agreement-row');
  expect(rows.map((row) => within(row).getByRole('button').textContent)).toEqual(['Мутный пункт', 'Ясный пункт', 'Одинаковый', 'Редкий']);
  expect(plain(rows[0]?.textContent)).toContain('50 %');
  expect(rows[0]).toHaveTextContent('0,1');
  expect(rows[0]).toHaveTextContent('переформулируйте пункт');
  expect(rows[1]).toHaveTextContent('почти полное');
  expect(rows[2]).toHaveTextContent('каппа не определена');
  expect(rows[2]).toHaveTextContent('Расходятся часто');
  expect(rows[1]).not.toHaveTextContent('Расходятся часто');
  expect(rows[2]).toHaveTextContent('не подтверждено машиной: 2');
  expect(rows[3]).toHaveTextContent('мало данных: 3 из 10');
  expect(screen.getByText(/по одним правкам судить о согласии нельзя/)).toBeInTheDocument();
  await userEvent.click(screen.getByRole('button', { name: 'Показать, где разошлись: Мутный пункт' }));
  const row = screen.getByRole('row', { name: /Машина: не выполнено/ });
  expect(within(row).getAllByRole('cell').map((cell) => cell.textContent)).toEqual(['3', '2', '0']);
});

it('settles a dispute from the list with what the list showed', async () => {
  const opened = {
    act: 'disputed', author: 'ivan', at: '2026-01-02T03:04:05Z', comment: 'сказано', from: 'failed', to: 'failed', machine: 'failed', engine: 'rules',
    scorecard_id: 'd', scorecard_version: 1,
  };
  const row = {
    call_id: 'X', filename: 'a.mp3', operator: 'Анна', call_at: '2026-01-02T03:04:05Z', item: 'hello', name: 'Поздоровался', state: 'open', opened,
    verdict: 'failed', machine_verdict: 'failed', revision: 3,
  };
  const gone = { ...row, item: 'gone', name: 'Пропавший', verdict: null, machine_verdict: null };
  quality({
    'GET /disputes': () => ({ items: [row, gone], total: 2, open: 2, page: 1, page_size: 10 }),
    'POST /results/X/reviews': () => ({}),
  });
  const rows = await screen.findAllByTestId('dispute-row');
  expect(within(rows[1] as HTMLElement).queryByTestId('dispute-accept')).toBeNull();
  expect(rows[1]).toHaveTextContent('можно только отклонить');
  await userEvent.click(within(rows[0] as HTMLElement).getByTestId('dispute-accept'));
  await userEvent.click(screen.getByRole('radio', { name: 'Выполнено' }));
  await userEvent.type(screen.getByTestId('review-comment'), 'верно');
  await userEvent.click(screen.getByTestId('review-submit'));
  await waitFor(() => expect(posted()).toHaveLength(1));
  expect(posted()[0]).toEqual({ item: 'hello', act: 'accept', verdict: 'met', comment: 'верно', seen_verdict: 'failed', revision: 3 });
  await userEvent.click(screen.getByRole('radio', { name: 'Все' }));
  await waitFor(() => expect(sent.at(-1)?.path === '/disputes' && !sent.at(-1)?.query.has('state')).toBe(true));
});

it('draws a line an operator and interrupts it where there were no calls', async () => {
  quality({
    'GET /quality/dynamics': (query) => ({
      operator: query.get('operator'), step: 'week', time_zone: 'Europe/Moscow',
      periods: query.get('operator')
        ? [period('2026-01-12', 90)]
        : [period('2026-01-05', 50), period('2026-01-12', 60), period('2026-01-19', null), period('2026-01-26', 70)],
    }),
  });
  const chart = await screen.findByTestId('dynamics-chart');
  expect(chart).toHaveAccessibleName(/Все операторы/);
  expect(within(chart).getAllByTestId('chart-point')).toHaveLength(3);
  expect(chart.querySelectorAll('path[fill="none"]')).toHaveLength(2);
  await userEvent.click(screen.getByText('Таблицей'));
  const table = within(screen.getByTestId('dynamics-table'));
  expect(table.getAllByRole('row').map((row) => plain(row.textContent))[3]).toContain('— нет звонков');

  const field = within(screen.getByTestId('dynamics')).getByRole('combobox', { name: 'Добавить оператора' });
  await userEvent.type(field, 'Анна{Enter}');
  await waitFor(() => expect(screen.getByTestId('dynamics-lines')).toHaveTextContent('Анна'));
  expect(await screen.findByText(/Пока один период/)).toBeInTheDocument();
  expect(sent.some((one) => one.path === '/quality/dynamics' && one.query.get('operator') === 'Анна')).toBe(true);
  await userEvent.selectOptions(screen.getByLabelText('Что показать'), 'Стандарты');
  expect(plain(screen.getByTestId('chart-point').textContent)).toContain('10 %');
  await userEvent.click(screen.getByRole('button', { name: 'Убрать: Анна' }));
  await waitFor(() => expect(screen.getByTestId('dynamics-lines')).toHaveTextContent('Все операторы'));
});
