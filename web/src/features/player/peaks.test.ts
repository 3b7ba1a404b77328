import { expect, it } from 'vitest';
import { barsOf, gainOf } from './peaks';

it('keeps the loudest peak under each bar', () => {
  expect([...barsOf([0, 255, 51, 0], 2)]).toEqual([1, Math.fround(0.2)]);
});

it('stretches few peaks over many bars and survives none', () => {
  expect([...barsOf([255], 3)]).toEqual([1, 1, 1]);
  expect([...barsOf([], 2)]).toEqual([0, 0]);
  expect([...barsOf([1], 0)]).toEqual([]);
});

it('raises a quiet recording but not silence', () => {
  expect(gainOf([[51], [10]])).toBe(5);
  expect(gainOf([[3], [0]])).toBe(1);
});
