import { expect, it } from 'vitest';
import { kappaMeaning } from './kappa';
import { allStarts, labelled, pathOf, segments, xOf, yOf, type Box } from './scale';

const box: Box = { width: 120, height: 60, left: 10, right: 10, top: 5, bottom: 5 };

it('puts periods evenly apart, and one alone in the middle', () => {
  expect([0, 1, 2].map((index) => xOf(index, 3, box))).toEqual([10, 60, 110]);
  expect(xOf(0, 1, box)).toBe(60);
});

it('has 0 % at the bottom and 100 % at the top', () => {
  expect([yOf(0, box), yOf(50, box), yOf(100, box), yOf(120, box)]).toEqual([55, 30, 5, 5]);
});

it('joins neighbours only', () => {
  const runs = segments([null, 0, 100, null, undefined, 50], box);
  expect(runs.map((run) => run.map((point) => point.index))).toEqual([[1, 2], [5]]);
  expect(pathOf(runs[0] ?? [])).toBe('M30.0 55.0L50.0 5.0');
  expect(segments([null], box)).toEqual([]);
});

it('labels few periods, the last among them', () => {
  expect(labelled(3, 8)).toEqual([0, 1, 2]);
  expect(labelled(31, 8)).toEqual([2, 6, 10, 14, 18, 22, 26, 30]);
  expect(labelled(0, 8)).toEqual([]);
});

it('puts the periods of several answers in one order, from the first one with calls', () => {
  const answer = (...periods: [string, number][]) => periods.map(([start, scored]) => ({ start, scored }));
  const one = answer(['2026-01-05', 0], ['2026-01-12', 0], ['2026-01-19', 4], ['2026-01-26', 0]);
  const other = answer(['2026-01-05', 0], ['2026-01-12', 1]);
  expect(allStarts([one, other])).toEqual(['2026-01-12', '2026-01-19', '2026-01-26']);
  expect(allStarts([answer(['2026-01-05', 0]), []])).toEqual([]);
});

it.each([
  [-0.1, 'worse'],
  [0, 'slight'],
  [0.2, 'slight'],
  [0.4, 'fair'],
  [0.41, 'moderate'],
  [0.8, 'substantial'],
  [1, 'full'],
] as const)('calls %d %s', (kappa, meaning) => {
  expect(kappaMeaning(kappa)).toBe(meaning);
});
