import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { ReactElement } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createI18n } from '../../i18n';
import { AnalysisView } from './AnalysisView';
import { AskPanel } from './AskPanel';
import { InsightPanel } from './InsightPanel';
import { QuestionsPage, requestOf } from './QuestionsPage';
import { TrackersSection } from './TrackersSection';
import { hear } from './useHeard';

const quote = { turn_index: 1, speaker: 'client', text: 'где <b>мой</b> заказ?', start_ms: 61_000, end_ms: 62_000 };
const finding = (more = {}) => ({
  kind: 'model', text: 'Клиент спросил о заказе.', quotes: [quote], confirmed: true, why: null, model: 'small',
  input_tokens: 1, output_tokens: 1, cost: 0, version: 0, ...more,
});
const answer = (more = {}) => ({
  id: 'A1', call_id: 'C1', question: 'Что с заказом?', saved_id: null, asked_by: 'admin', asked_at: '2026-11-22T10:00:00Z', answer: finding(), ...more,
});
const analysis = (more = {}) => ({
  id: 'N1', question: 'Что с заказом?', saved_id: null, filter: {}, matching: 3, calls: 2, most_cost: null, state: 'done', done: 2, answered: 1, confirmed: 1,
  input_tokens: 0, output_tokens: 0, cost: 0.24, asked_by: 'admin', asked_at: '2026-11-22T10:00:00Z', ended_at: null, waits: null, ...more,
});

/** What the server answers by method and path; what was sent to it. */
let routes: Record<string, unknown> = {};
let sent: [string, unknown][] = [];

class FakeSource extends EventTarget {
  static last: FakeSource | null = null;
  closed = false;
  readonly url: string;
  constructor(url: string) {
    super();
    this.url = url;
    FakeSource.last = this;
  }
  close() {
    this.closed = true;
  }
  tell(event: object) {
    act(() => void this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(event) })));
  }
}

beforeEach(() => {
  sent = [];
  routes = { 'GET /questions': { items: [] }, 'GET /trackers': { items: [], waiting: 0 }, 'GET /llm': { enabled: false, waiting: 0 } };
  vi.stubGlobal('EventSource', FakeSource);
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const route = `${request.method} ${new URL(request.url).pathname.replace(/^.*\/api\/v1/, '')}`;
    const text = await request.text();
    if (request.method !== 'GET') sent.push([route, text ? JSON.parse(text) : null]);
    const known = routes[route];
    if (known === undefined) return new Response(JSON.stringify({ code: 'not_found', message: route }), { status: 404 });
    if (known instanceof Response) return known.clone();
    return new Response(JSON.stringify(known), { headers: { 'content-type': 'application/json' } });
  });
});

afterEach(() => vi.unstubAllGlobals());

function show(element: ReactElement) {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return render(<QueryClientProvider client={queries}>{element}</QueryClientProvider>);
}

it('shows an answer while it is written, then the whole, whose quote plays', async () => {
  routes['GET /results/C1/answers'] = { items: [] };
  routes['POST /analysis/custom-query'] = { answer: answer({ answer: null }), analysis: null };
  const play = vi.fn();
  show(<AskPanel callId="C1" version={0} play={play} />);
  await screen.findByText('О звонке ещё не спрашивали.');
  await userEvent.type(screen.getByTestId('ask-field'), 'Что с заказом?{Enter}');
  const writing = await screen.findByTestId('writing');
  expect(sent).toEqual([['POST /analysis/custom-query', { call_id: 'C1', question: 'Что с заказом?' }]]);
  const source = FakeSource.last;
  if (!source) throw new Error('nobody listens');
  expect(source.url).toMatch(/results\/C1\/answers\/A1\/events$/);
  source.tell({ kind: 'part', parts: 1, of: 3 });
  expect(writing).toHaveTextContent('прочитано 1 из 3');
  source.tell({ kind: 'text', text: 'Клиент ' });
  source.tell({ kind: 'text', text: 'спросил' });
  expect(writing).toHaveTextContent('Клиент спросил');
  source.tell({ kind: 'again' });
  expect(writing).not.toHaveTextContent('Клиент спросил');
  source.tell({ kind: 'done', answer: answer() });
  expect(source.closed).toBe(true);
  const found = await screen.findByTestId('finding');
  expect(found).toHaveTextContent('Подтверждён цитатами');
  expect(screen.queryByTestId('writing')).toBeNull();
  await userEvent.click(within(found).getByTestId('quote'));
  expect(play).toHaveBeenCalledWith(61_000);
  expect(found).toHaveTextContent('где <b>мой</b> заказ?');
});

it('says what is a search and what no quote proves', async () => {
  routes['GET /results/C1/answers'] = {
    items: [
      answer({ id: 'A1', answer: finding({ confirmed: false, quotes: [] }) }),
      answer({ id: 'A2', answer: finding({ kind: 'search', confirmed: false, text: 'x', why: { code: 'llm_quota', message: 'HTTP 429' } }) }),
      answer({ id: 'A3', answer: finding({ kind: 'search', confirmed: false, text: 'x', quotes: [], why: { code: 'llm_off', message: 'off' } }) }),
    ],
  };
  show(<AskPanel callId="C1" version={0} play={() => {}} />);
  const [unproven, search, nothing] = await screen.findAllByTestId('finding');
  expect(unproven).toHaveTextContent('Не подтверждён');
  expect(unproven).toHaveTextContent('Проверьте сами');
  expect(search).toHaveTextContent('закончились средства');
  expect(search).toHaveTextContent('Это не ответ модели');
  expect(nothing).toHaveTextContent('Слов вопроса в разговоре нет');
  expect(screen.queryByText(/по прежней версии/)).toBeNull();
});

it('says that an answer is of an earlier transcript', async () => {
  routes['GET /results/C1/answers'] = { items: [answer()] };
  show(<AskPanel callId="C1" version={3} play={() => {}} />);
  expect(await screen.findByText(/по прежней версии расшифровки/)).toBeInTheDocument();
});

it('asks a saved question with one click, and deletes an answer', async () => {
  routes['GET /results/C1/answers'] = { items: [answer()] };
  routes['GET /questions'] = { items: [{ id: 'Q1', name: 'Обещания', text: 'Что обещали?', created_at: '' }] };
  routes['POST /analysis/custom-query'] = { answer: answer({ id: 'A2' }), analysis: null };
  routes['DELETE /results/C1/answers/A1'] = new Response(null, { status: 204 });
  show(<AskPanel callId="C1" version={0} play={() => {}} />);
  await userEvent.click(await screen.findByText('Обещания'));
  await waitFor(() => expect(sent).toEqual([['POST /analysis/custom-query', { call_id: 'C1', question: 'Что обещали?', saved_id: 'Q1' }]]));
  const old = (await screen.findAllByTestId('answer')).at(-1) as HTMLElement;
  await userEvent.click(within(old).getByRole('button', { name: 'Удалить ответ' }));
  await waitFor(() => expect(sent.at(-1)?.[0]).toBe('DELETE /results/C1/answers/A1'));
});

it('tells who made a summary and what has no proof', async () => {
  const summary = {
    by: 'model', model: 'small', why: null,
    about: { text: 'Спросил о заказе.', quote: null },
    next_step: { text: 'Перезвонят', quote: null },
    objections: [{ text: 'Долго', quote }],
  };
  const topics = [{ key: 'price', name: 'Цена', name_en: 'Price', count: 3, quotes: [quote] }];
  routes['GET /results/C1/insight'] = { has_model: true, insight: { summary, waits: false, topics, version: 0 } };
  const play = vi.fn();
  show(<InsightPanel callId="C1" play={play} />);
  const panel = await screen.findByTestId('insight');
  expect(panel).toHaveTextContent('Составила модель small');
  expect(within(panel).getAllByText('нет цитаты в расшифровке')).toHaveLength(1);
  expect(within(panel).getByTestId('topic')).toHaveTextContent('Цена 3 раза');
  expect(within(panel).getByText('Все звонки с темой «Цена»')).toHaveAttribute('href', '#/?topic=price');
  await userEvent.click(within(panel).getAllByTestId('quote')[0] as HTMLElement);
  expect(play).toHaveBeenCalledWith(61_000);
});

it('says that rules made a summary, and why', async () => {
  const summary = { by: 'rules', model: null, why: { code: 'llm_off', message: '' }, about: { text: quote.text, quote }, next_step: null, objections: [] };
  routes['GET /results/C1/insight'] = { has_model: false, insight: { summary, waits: false, topics: [], version: 0 } };
  show(<InsightPanel callId="C1" play={() => {}} />);
  const panel = await screen.findByTestId('insight');
  expect(panel).toHaveTextContent('Составлено по правилам');
  expect(panel).toHaveTextContent('Языковая модель выключена');
  expect(within(panel).getAllByText('не найдено')).toHaveLength(2);
});

it('says how many calls will be asked before it starts', async () => {
  routes['GET /analysis'] = { items: [analysis({ state: 'out_of_budget' })] };
  routes['POST /analysis/estimate'] = { matching: 30, calls: 22, duration_ms: 1, tokens: 1200, cost: 0, why: { code: 'llm_off', message: '' } };
  routes['POST /analysis/start'] = analysis({ id: 'N2', state: 'running' });
  show(<QuestionsPage params={new URLSearchParams()} />);
  expect(await screen.findByText(/Будет спрошено 22 звонка \(подходит 30\)/)).toHaveTextContent('Ответит поиск по словам');
  expect(await screen.findByTestId('analysis-state')).toHaveTextContent('бюджет исчерпан');
  expect(screen.getByTestId('many-start')).toBeDisabled();
  await userEvent.type(screen.getByTestId('many-question'), 'Что обещали?');
  await userEvent.click(screen.getByTestId('many-start'));
  await waitFor(() => expect(location.hash).toBe('#/questions?analysis=N2'));
  expect(sent.at(-1)).toEqual(['POST /analysis/start', { question: 'Что обещали?', filter: {}, most_calls: 100 }]);
});

it('reads the choice of calls as people type it', () => {
  const choice = { operator: 'Анна', from: '2026-03-05', to: '', score_min: '', score_max: '60', topic: 'price', q: ' скидка ', most: '99999', mostCost: '1,5' };
  expect(requestOf('q', undefined, choice)).toEqual({
    question: 'q',
    saved_id: undefined,
    filter: { operator: 'Анна', date_from: new Date(2026, 2, 5).toISOString(), date_to: undefined, score_min: undefined, score_max: 60, topic: 'price', q: 'скидка' },
    most_calls: 5000,
    most_cost: 1.5,
  });
});

it('shows the table of an analysis: answers lead to their second, the rest says why', async () => {
  const row = { call_id: 'C1', filename: 'a.mp3', operator: 'Анна', at: '2026-11-22T10:00:00Z', answer: finding(), why: null };
  const items = [row, { ...row, call_id: 'C2', answer: null, why: { code: 'budget', message: 'spent' } }, { ...row, call_id: 'C3', answer: null }];
  const waits = { code: 'llm_unavailable', message: '' };
  routes['GET /analysis/N1'] = { analysis: analysis({ state: 'running', done: 1, waits }), items, total: 60, page: 1, page_size: 25 };
  routes['POST /analysis/N1/cancel'] = analysis({ state: 'cancelled' });
  show(<AnalysisView id="N1" />);
  const [first, second, third] = await screen.findAllByTestId('analysis-row');
  expect(within(first as HTMLElement).getByTestId('quote')).toHaveAttribute('href', '#/calls/C1?t=61');
  expect(second).toHaveTextContent('Бюджет анализа исчерпан');
  expect(third).toHaveTextContent('Ждёт');
  expect(screen.getByRole('progressbar')).toHaveAttribute('aria-valuenow', '50');
  expect(screen.getByTestId('analysis')).toHaveTextContent('Модель сейчас недоступна');
  expect(screen.getByTestId('export-csv').getAttribute('href')).toMatch(/analysis\/N1\/export\?format=csv&lang=ru$/);
  await userEvent.click(screen.getByTestId('analysis-cancel'));
  await waitFor(() => expect(sent.at(-1)?.[0]).toBe('POST /analysis/N1/cancel'));
});

it('edits a topic, and shows where it is wrong', async () => {
  const tracker = { key: 'price', name: 'Цена', name_en: 'Price', speaker: null, phrases: ['цена'], except: [], calls: 4 };
  routes['GET /trackers'] = { items: [tracker], waiting: 21 };
  routes['PUT /trackers/price'] = new Response(JSON.stringify({ code: 'bad_tracker', message: 'phrases[1]: it is empty\nname: x' }), { status: 400 });
  show(<TrackersSection />);
  expect(await screen.findByText('Просматривается 21 звонок…')).toBeInTheDocument();
  await userEvent.click(screen.getByRole('button', { name: 'Изменить тему «Цена»' }));
  const dialog = screen.getByTestId('tracker-dialog');
  await userEvent.type(within(dialog).getByLabelText('Фразы, по одной в строке'), '\n сколько ... стоит ');
  await userEvent.click(within(dialog).getByRole('button', { name: 'Сохранить' }));
  expect(await within(dialog).findByText('Фразы, строка 2: пусто')).toBeInTheDocument();
  expect(sent.at(-1)).toEqual(['PUT /trackers/price', { name: 'Цена', name_en: 'Price', phrases: ['цена', 'сколько ... стоит'], except: [] }]);
});

it('a voided answer begins anew', () => {
  const heard = hear(hear({ text: '', parts: null }, { kind: 'text', text: 'До' }), { kind: 'again' });
  expect(hear(heard, { kind: 'text', text: 'Де' }).text).toBe('Де');
});

it('counts calls in Russian', () => {
  const { many } = createI18n('ru').t.questions;
  expect(many.estimate(1, '1')).toContain('Будет спрошен 1 звонок');
  expect(many.estimate(3, '3')).toContain('Будет спрошено 3 звонка');
  expect(many.estimate(11, '11')).toContain('Будет спрошено 11 звонков');
});
