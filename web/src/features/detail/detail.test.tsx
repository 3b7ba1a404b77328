import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { ReactElement } from 'react';
import { expect, it, vi } from 'vitest';
import type { CallDetail, Metrics, Score } from '../../api/types';
import { PlayerController } from '../player/controller';
import { MetricsPanel } from './MetricsPanel';
import { ScorePanel } from './ScorePanel';
import { Transcript } from './Transcript';

const none = { value: null, threshold: null, unit: null };
const score: Score = {
  scorecard: { id: 'd', version: 1, name: 'Карта' },
  engine: 'rules',
  level: 1,
  stale: false,
  overall_percent: 50,
  machine_percent: 50,
  changed_items: 0,
  open_disputes: 0,
  criteria: [
    {
      key: 'standards',
      name: 'Стандарты',
      name_en: 'Standards',
      weight: 1,
      percent: 50,
      auto_failed: false,
      items: [
        { key: 'na', name: 'Допродажа', weight: 1, verdict: 'not_applicable', machine_verdict: 'not_applicable', revision: 0, auto_fail: false, reason: { code: 'trigger_absent', ...none }, evidence: [], judged_by: 'rules' },
        { key: 'hello', name: 'Поздоровался', weight: 1, verdict: 'met', machine_verdict: 'met', revision: 0, auto_fail: false, reason: { code: 'phrase_found', ...none }, evidence: [], judged_by: 'rules' },
        {
          key: 'bye',
          name: 'Попрощался',
          weight: 1,
          verdict: 'failed',
          machine_verdict: 'failed',
          revision: 0,
          auto_fail: false,
          reason: { code: 'phrase_absent', ...none },
          evidence: [{ kind: 'expected', turn_index: 1, speaker: 'client', quote: '<b>До свидания</b>', start_ms: 61_000, end_ms: 62_000 }],
          judged_by: 'rules',
        },
      ],
    },
  ],
};

const detail = {
  call: { id: '1', filename: 'a.mp3', status: 'completed', speakers: 'channels', criteria: [] },
  transcript: {
    language: 'ru',
    model: 'base',
    incomplete: false,
    version: 0,
    doubtful: [],
    turns: [
      { index: 0, speaker: 'operator', start_ms: 0, end_ms: 900, text: 'Добрый день', words: [
        { start_ms: 0, end_ms: 400, text: 'Добрый', confidence: 0.9 },
        { start_ms: 500, end_ms: 900, text: 'день', confidence: 0.2 },
      ] },
      { index: 1, speaker: 'client', start_ms: 61_000, end_ms: 62_000, text: 'Алло', words: [
        { start_ms: 61_000, end_ms: 62_000, text: 'Алло', confidence: 0.9 },
      ] },
    ],
  },
} as unknown as CallDetail;

function renderTranscript(player: PlayerController) {
  const transcript = detail.transcript;
  if (!transcript) throw new Error('the sample has a transcript');
  return renderIn(<Transcript detail={detail} transcript={transcript} player={player} query="" />);
}

function renderIn(element: ReactElement) {
  return render(<QueryClientProvider client={new QueryClient()}>{element}</QueryClientProvider>);
}

it('puts failed items first and plays the second of the evidence', async () => {
  const player = new PlayerController();
  const playFrom = vi.spyOn(player, 'playFrom');
  renderIn(<ScorePanel score={score} player={player} />);
  const verdicts = [...screen.getByTestId('criterion-standards').querySelectorAll('[data-verdict]')].map((item) => item.getAttribute('data-verdict'));
  expect(verdicts).toEqual(['failed', 'met', 'not_applicable']);
  await userEvent.click(screen.getByTestId('evidence'));
  expect(playFrom).toHaveBeenCalledWith(61_000);
});

it('tells what a model judged, what it could not prove and why it is not asked', () => {
  const [criterion] = score.criteria;
  if (!criterion) throw new Error('the sample has a criterion');
  const note = { model: 'small', quotes: 4, confirmed: 3, input_tokens: 10, output_tokens: 2 };
  const items = criterion.items.map((item) =>
    item.key === 'hello'
      ? { ...item, verdict: 'unconfirmed' as const, reason: { code: 'model_unconfirmed' as const, ...none }, judged_by: 'model' as const, comment: '<i>сказал сам</i>' }
      : item,
  );
  const judged: Score = { ...score, engine: 'model', model: { ...note, state: 'judged' }, criteria: [{ ...criterion, items }] };
  const { unmount } = renderIn(<ScorePanel score={judged} player={new PlayerController()} />);
  expect(screen.getByTestId('model-note')).toHaveTextContent('small: подтверждено цитат 3 из 4');
  expect(screen.getByTestId('item-hello')).toHaveTextContent('Модель не подтвердила это цитатой из разговора');
  expect(screen.getByTestId('item-hello')).toHaveTextContent('<i>сказал сам</i>');
  unmount();
  const waiting: Score = { ...score, model: { ...note, state: 'waiting', code: 'llm_quota', message: 'HTTP 429' } };
  renderIn(<ScorePanel score={waiting} player={new PlayerController()} />);
  expect(screen.getByTestId('model-note')).toHaveTextContent('закончились средства');
});

it('shows the words of the server as text, whatever they are', () => {
  renderIn(<ScorePanel score={score} player={new PlayerController()} />);
  expect(screen.getByText('<b>До свидания</b>')).toBeInTheDocument();
});

it('plays a clicked word and walks the words by keyboard', async () => {
  const player = new PlayerController();
  const playFrom = vi.spyOn(player, 'playFrom');
  renderTranscript(player);
  const words = screen.getAllByTestId('word');
  await userEvent.click(words[1] as HTMLElement);
  expect(playFrom).toHaveBeenLastCalledWith(500);
  (words[0] as HTMLElement).focus();
  await userEvent.keyboard('{ArrowRight}{ArrowRight}{Enter}');
  expect(playFrom).toHaveBeenLastCalledWith(61_000);
});

it('lights the word being said without rendering again', () => {
  const player = new PlayerController();
  renderTranscript(player);
  const audio = document.createElement('audio');
  let seconds = 0;
  Object.defineProperty(audio, 'currentTime', { get: () => seconds });
  player.attach(audio);
  seconds = 0.6;
  act(() => void audio.dispatchEvent(new Event('timeupdate')));
  const lit = () => screen.getAllByTestId('word').filter((word) => word.dataset['lit'] !== undefined).map((word) => word.textContent);
  expect(lit()).toEqual(['день']);
  seconds = 30;
  audio.dispatchEvent(new Event('timeupdate'));
  expect(lit()).toEqual([]);
});

it('marks the words looked for', async () => {
  renderTranscript(new PlayerController());
  await userEvent.type(screen.getByRole('searchbox'), 'ДОБР');
  expect(await screen.findByText('1 совпадение')).toBeInTheDocument();
  expect(screen.getByText('Добрый')).toHaveAttribute('data-found');
});

it('shows a metric that could not be measured as a dash with its reason', () => {
  const metrics = {
    duration_ms: 1000, speech_ms: 500, operator_talk_share: null, non_talk_ms: 0, non_talk_share: 0, longest_pause_ms: 0, hold_ms: 0,
    speech_rate_wpm: { operator: null, client: null }, loudness: { operator: null, client: null },
    unavailable: [{ metric: 'operator_talk_share', reason: 'speakers_unknown' }],
  } as unknown as Metrics;
  renderIn(<MetricsPanel metrics={metrics} />);
  const row = screen.getByText('Оператор говорит, доля звонка').closest('div') as HTMLElement;
  expect(within(row).getByText(/—/)).toHaveTextContent('говорящие не разделены');
  expect(row).not.toHaveTextContent('0');
});
