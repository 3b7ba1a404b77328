import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { CallDetail } from '../../api/types';
import { Toasts } from '../../ui/Toasts';
import { PlayerController } from '../player/controller';
import { RetryDialog } from './RetryDialog';
import { Transcript } from './Transcript';

const word = (start_ms: number, text: string, corrected = false) => ({ start_ms, end_ms: start_ms + 300, text, confidence: 1, corrected });

function sample(version = 4): CallDetail {
  return {
    call: { id: 'X', filename: 'a.mp3', status: 'completed', speakers: 'diarized', criteria: [], language: 'ru' },
    transcript: {
      language: 'ru',
      model: 'base',
      incomplete: false,
      version,
      author: null,
      operator_confidence: 0.55,
      voices: 2,
      doubtful: [{ start_ms: 1500, end_ms: 2500 }],
      turns: [
        { index: 0, speaker: 'operator', start_ms: 0, end_ms: 900, text: 'Добрый день', words: [word(0, 'Добрый', true), word(500, 'день')] },
        { index: 1, speaker: 'client', start_ms: 3000, end_ms: 3900, text: 'где заказ', words: [word(3000, 'где'), word(3400, 'заказ')] },
      ],
    },
  } as unknown as CallDetail;
}

interface Sent {
  method: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
}

let sent: Sent[] = [];
let answers: Record<string, () => Response> = {};

beforeEach(() => {
  sent = [];
  answers = {};
  vi.stubGlobal('fetch', async (request: Request) => {
    const url = new URL(request.url);
    const path = url.pathname.replace(/^.*\/api\/v1/, '');
    const text = await request.text();
    sent.push({ method: request.method, path, query: url.searchParams, body: text ? JSON.parse(text) : null });
    const answer = answers[`${request.method} ${path}`];
    return answer ? answer() : new Response('{"code":"not_found","message":""}', { status: 404 });
  });
});
afterEach(() => vi.unstubAllGlobals());

function show(detail = sample(), player = new PlayerController()) {
  const { transcript } = detail;
  if (!transcript) throw new Error('the sample has a transcript');
  render(
    <QueryClientProvider client={new QueryClient()}>
      <Transcript detail={detail} transcript={transcript} player={player} query="" />
      <Toasts />
    </QueryClientProvider>,
  );
}

const pencil = (n: number) => screen.getAllByTestId('turn-edit')[n] as HTMLElement;

it('corrects a turn with Enter, naming the version that was seen', async () => {
  answers['PATCH /results/X/turns/1'] = () => Response.json(sample(5));
  show();
  await userEvent.click(pencil(1));
  const area = screen.getByLabelText('Текст реплики');
  expect(area).toHaveFocus();
  await userEvent.clear(area);
  await userEvent.type(area, 'где  мой заказ');
  await userEvent.click(within(screen.getByTestId('turn-editor')).getByLabelText('Оператор'));
  await userEvent.type(area, '{Enter}');
  await waitFor(() => expect(screen.queryByTestId('turn-editor')).toBeNull());
  expect(sent[0]).toMatchObject({ method: 'PATCH', body: { version: 4, text: 'где мой заказ', speaker: 'operator' } });
  expect(screen.getByText('Исправлено, оценка пересчитана')).toBeInTheDocument();
});

it('leaves everything as it was with Escape, and sends nothing when nothing changed', async () => {
  show();
  await userEvent.click(pencil(0));
  await userEvent.type(screen.getByLabelText('Текст реплики'), 'ещё{Escape}');
  expect(screen.queryByTestId('turn-editor')).toBeNull();
  expect(screen.getByText('Добрый')).toBeInTheDocument();
  await userEvent.click(pencil(0));
  await userEvent.type(screen.getByLabelText('Текст реплики'), '{Enter}');
  expect(screen.queryByTestId('turn-editor')).toBeNull();
  expect(sent).toEqual([]);
});

it('tells of somebody else’s change and keeps what was written', async () => {
  answers['PATCH /results/X/turns/1'] = () => Response.json({ code: 'stale_version', message: 'x' }, { status: 409 });
  show();
  await userEvent.click(pencil(1));
  const area = screen.getByLabelText('Текст реплики');
  await userEvent.type(area, ' мой{Enter}');
  expect(await screen.findByText(/изменил другой человек/)).toHaveTextContent('Сейчас здесь: где заказ');
  expect(area).toHaveValue('где заказ мой');
});

it('divides a turn at the cursor between the two sides', async () => {
  answers['PATCH /results/X/turns/1'] = () => Response.json(sample(5));
  show();
  await userEvent.click(pencil(1));
  const area: HTMLTextAreaElement = screen.getByLabelText('Текст реплики');
  expect(screen.getByTestId('turn-split')).toBeDisabled();
  await userEvent.type(area, ' сейчас', { initialSelectionStart: 3, initialSelectionEnd: 3 });
  await userEvent.click(screen.getByTestId('turn-split'));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]?.body).toEqual({
    version: 4,
    parts: [
      { speaker: 'client', text: 'где сейчас' },
      { speaker: 'operator', text: 'заказ' },
    ],
  });
});

it('marks what people corrected and where words may be missing', async () => {
  const player = new PlayerController();
  const playFrom = vi.spyOn(player, 'playFrom');
  show(sample(), player);
  const turns = screen.getAllByTestId('turn');
  expect(within(turns[0] as HTMLElement).getByTestId('turn-corrected')).toBeInTheDocument();
  expect(within(turns[1] as HTMLElement).queryByTestId('turn-corrected')).toBeNull();
  const doubtful = screen.getByTestId('doubtful');
  expect(turns[0]?.compareDocumentPosition(doubtful)).toBe(Node.DOCUMENT_POSITION_FOLLOWING);
  expect(turns[1]?.compareDocumentPosition(doubtful)).toBe(Node.DOCUMENT_POSITION_PRECEDING);
  await userEvent.click(within(doubtful).getByRole('button'));
  expect(playFrom).toHaveBeenLastCalledWith(1500);
  expect(screen.getByText(/Роли определены неуверенно/)).toBeInTheDocument();
});

it('offers the transcript as files with the speakers in the language of the page', async () => {
  show();
  const button = screen.getByTestId('export');
  await userEvent.click(button);
  expect(button).toHaveAttribute('aria-expanded', 'true');
  for (const format of ['txt', 'srt', 'vtt', 'json']) {
    const link = screen.getByTestId(`export-${format}`);
    expect(link.getAttribute('href')).toContain(`/api/v1/results/X/transcript?format=${format}&lang=ru`);
    expect(link).toHaveAttribute('download');
  }
  await userEvent.keyboard('{Escape}');
  expect(screen.queryByTestId('export-srt')).toBeNull();
  expect(button).toHaveFocus();
});

it('lists the versions and puts one back', async () => {
  const base = { model: 'base', language: 'ru', edit: null, restored_from: null };
  const edit = { start_ms: 3000, before: 'где', after: '', speaker_changed: false };
  const reworded = { start_ms: 0, before: 'где мой заказ', after: 'где наш заказ', speaker_changed: false };
  answers['GET /results/X/versions'] = () =>
    Response.json({
      items: [
        { ...base, version: 4, current: true, author: 'olga', made_at: '2026-01-02T03:04:05Z', change: 'edited', edit },
        { ...base, version: 3, current: false, author: 'olga', made_at: '2026-01-02T03:04:05Z', change: 'edited', edit: reworded },
        { ...base, version: 0, current: false, author: null, made_at: null, change: 'recognized' },
      ],
    });
  answers['POST /results/X/versions/0/restore'] = () => Response.json(sample(5));
  show();
  await userEvent.click(screen.getByTestId('history'));
  const rows = await screen.findAllByTestId('version');
  expect(rows[0]).toHaveTextContent('olga');
  expect(rows[0]).toHaveTextContent('реплика удалена');
  expect(within(rows[0] as HTMLElement).queryByTestId('restore')).toBeNull();
  expect(rows[1]).toHaveTextContent('где мой наш заказ');
  expect([rows[1]?.querySelector('del'), rows[1]?.querySelector('ins')].map((part) => part?.textContent)).toEqual(['мой', 'наш']);
  expect(rows[2]).toHaveTextContent('распознано моделью base');
  await userEvent.click(within(rows[2] as HTMLElement).getByTestId('restore'));
  await waitFor(() => expect(screen.queryByTestId('versions')).toBeNull());
  expect(sent.find((one) => one.method === 'POST')?.body).toEqual({ version: 4 });
});

it('asks for another model and language', async () => {
  const model = (name: string, installed: boolean) => ({ name, installed, size_bytes: 1, multilingual: true });
  answers['GET /models'] = () =>
    Response.json({ default_model: 'base', default_language: 'ru', models: [model('turbo', true), model('small', false)], languages: ['kk', 'ru', 'en'] });
  answers['POST /results/X/retry'] = () => Response.json({ code: 'model_damaged', message: 'x' }, { status: 400 });
  const close = vi.fn();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RetryDialog detail={sample()} onClose={close} />
    </QueryClientProvider>,
  );
  await screen.findByRole('option', { name: 'turbo' });
  expect(screen.queryByRole('option', { name: 'small' })).toBeNull();
  await userEvent.click(screen.getByText('Нужной модели нет в списке?'));
  expect(screen.getByText(/small/)).toHaveTextContent('call-analytics model pull');
  await userEvent.selectOptions(screen.getByLabelText('Модель'), 'turbo');
  await userEvent.selectOptions(screen.getByLabelText('Язык разговора'), 'казахский');
  await userEvent.click(screen.getByTestId('retry-start'));
  expect(await screen.findByText(/Файл этой модели повреждён/)).toBeInTheDocument();
  expect(Object.fromEntries(sent.at(-1)?.query ?? [])).toEqual({ from: 'transcribe', model: 'turbo', language: 'kk' });
  expect(close).not.toHaveBeenCalled();
  await userEvent.selectOptions(screen.getByLabelText('Что сделать'), 'Пересчитать оценку');
  expect(screen.queryByLabelText('Модель')).toBeNull();
  await userEvent.click(screen.getByTestId('retry-start'));
  await waitFor(() => expect(sent.filter((one) => one.method === 'POST')).toHaveLength(2));
  expect(Object.fromEntries(sent.findLast((one) => one.method === 'POST')?.query ?? [])).toEqual({ from: 'score' });
});
