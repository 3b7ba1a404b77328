import { describe, expect, it } from 'vitest';
import type { Turn } from '../../api/types';
import { turnAt } from './useFollow';
import { findWords, plainWord, wordAt, wordTimes } from './words';

const turn = (index: number, words: [number, number, string][]): Turn => ({
  index,
  speaker: index % 2 ? 'client' : 'operator',
  start_ms: words[0]?.[0] ?? 0,
  end_ms: words.at(-1)?.[1] ?? 0,
  text: words.map((word) => word[2]).join(' '),
  words: words.map(([start_ms, end_ms, text]) => ({ start_ms, end_ms, text, confidence: 1, corrected: false })),
});

describe('the word being said', () => {
  const times = wordTimes([
    turn(0, [[1000, 1400, 'Добрый'], [1450, 1900, 'день']]),
    turn(1, [[1800, 2400, 'Алло']]),
    turn(2, [[10_000, 10_500, 'Да']]),
  ]);

  it('is none before the first one and in a pause', () => {
    expect(wordAt(times, 0)).toBe(-1);
    expect(wordAt(times, 5000)).toBe(-1);
  });

  it('is found at its start, inside, and lingers over the gap to the next', () => {
    expect(wordAt(times, 1000)).toBe(0);
    expect(wordAt(times, 1420)).toBe(0);
    expect(wordAt(times, 1450)).toBe(1);
  });

  it('is the later one where two people speak at once', () => {
    expect(wordAt(times, 1850)).toBe(2);
  });

  it('copes with a transcript without words', () => {
    expect(wordAt(wordTimes([]), 100)).toBe(-1);
    expect(wordTimes([turn(0, []), turn(1, [[1, 2, 'а']])]).firstOfTurn).toEqual(new Int32Array([0, 0]));
  });
});

it('finds the turn of a moment, or the next one', () => {
  const turns = [turn(0, [[0, 100, 'а']]), turn(1, [[500, 600, 'б']])];
  expect(turnAt(turns, 50)?.index).toBe(0);
  expect(turnAt(turns, 300)?.index).toBe(1);
  expect(turnAt(turns, 9000)?.index).toBe(1);
  expect(turnAt([], 0)).toBeUndefined();
});

describe('finding words', () => {
  const words = ['Ещё', 'один', 'вопрос:', 'скидка', 'десять', 'процентов', 'скидки'].map(plainWord);

  it('knows no case, punctuation or «ё», and takes beginnings', () => {
    expect(findWords(words, 'еще')).toEqual([0]);
    expect(findWords(words, 'СКИД')).toEqual([3, 6]);
    expect(findWords(words, 'вопрос скидка')).toEqual([2]);
  });

  it('finds nothing for nothing', () => {
    expect(findWords(words, ' ?! ')).toEqual([]);
  });
});
