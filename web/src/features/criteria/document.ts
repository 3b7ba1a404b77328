/** Changes of a scorecard's form that keep its keys unique. */
import type { CardCriterion, CardDocument, CardItem } from '../../api/types';

function freeKey(document: CardDocument, prefix: string): string {
  const taken = new Set(document.criteria.flatMap((criterion) => [criterion.key, ...criterion.items.map((item) => item.key)]));
  let number = 1;
  while (taken.has(`${prefix}_${number}`)) number += 1;
  return `${prefix}_${number}`;
}

export function newItem(document: CardDocument, name: string): CardItem {
  return { key: freeKey(document, 'item'), name, weight: 1, auto_fail: false, phrases: [], lexicons: [], except: [], except_lexicons: [] } as CardItem;
}

export function newCriterion(document: CardDocument, name: string, item: string): CardCriterion {
  return { key: freeKey(document, 'criterion'), name, weight: 1, items: [newItem(document, item)] } as CardCriterion;
}

/** The list with `index` replaced; `null` takes it out. */
export function replaced<T>(list: readonly T[], index: number, value: T | null): T[] {
  return list.flatMap((one, at) => (at === index ? (value === null ? [] : [value]) : [one]));
}

/** The list with one moved by `step`. */
export function moved<T>(list: readonly T[], index: number, step: number): T[] {
  const target = index + step;
  const copy = [...list];
  const [one] = copy.splice(index, 1);
  if (one === undefined || target < 0 || target >= list.length) return [...list];
  copy.splice(target, 0, one);
  return copy;
}

/** One phrase a line. */
export function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}
