/** What two versions of a scorecard differ in, in the terms of the page rather than of a file. */
import type { CardCriterion, CardDocument, CardItem } from '../../api/types';

export type Change =
  | { kind: 'added'; what: 'criterion' | 'item' | 'list'; name: string; within?: string }
  | { kind: 'removed'; what: 'criterion' | 'item' | 'list'; name: string; within?: string }
  | { kind: 'changed'; name: string; within?: string; field: Field; before: string; after: string }
  | { kind: 'words'; name: string; within?: string; field: Field; added: string[]; removed: string[] };

export type Field =
  | 'name'
  | 'name_en'
  | 'weight'
  | 'auto_fail'
  | 'metric'
  | 'speaker'
  | 'window'
  | 'min'
  | 'max'
  | 'after'
  | 'phrases'
  | 'lexicons'
  | 'except'
  | 'except_lexicons'
  | 'order'
  | 'hold'
  | 'operator_marks'
  | 'back_channels';

const PLAIN = ['name', 'name_en', 'weight', 'auto_fail', 'metric', 'speaker', 'min', 'max'] as const;
const LISTS = ['phrases', 'lexicons', 'except', 'except_lexicons'] as const;

const shown = (value: unknown): string => (value == null || value === false ? '' : String(value));

function words(before: readonly string[], after: readonly string[]): { added: string[]; removed: string[] } {
  return {
    added: after.filter((phrase) => !before.includes(phrase)),
    removed: before.filter((phrase) => !after.includes(phrase)),
  };
}

function window(item: CardItem): string {
  if (item.first_s != null) return `first ${item.first_s}`;
  return item.last_s == null ? '' : `last ${item.last_s}`;
}

function diffItem(before: CardItem, after: CardItem, within: string): Change[] {
  const changes: Change[] = [];
  const changed = (field: Field, old: string, now: string) => {
    if (old !== now) changes.push({ kind: 'changed', name: after.name, within, field, before: old, after: now });
  };
  for (const field of PLAIN) changed(field, shown(before[field]), shown(after[field]));
  changed('window', window(before), window(after));
  for (const field of LISTS) {
    const { added, removed } = words(before[field] ?? [], after[field] ?? []);
    if (added.length + removed.length > 0) changes.push({ kind: 'words', name: after.name, within, field, added, removed });
  }
  changed('after', before.after ? JSON.stringify(before.after) : '', after.after ? JSON.stringify(after.after) : '');
  return changes;
}

function diffCriterion(before: CardCriterion, after: CardCriterion): Change[] {
  const changes: Change[] = [];
  for (const field of ['name', 'name_en', 'weight'] as const) {
    const [old, now] = [shown(before[field]), shown(after[field])];
    if (old !== now) changes.push({ kind: 'changed', name: after.name, field, before: old, after: now });
  }
  for (const item of after.items) {
    const old = before.items.find((one) => one.key === item.key);
    if (old) changes.push(...diffItem(old, item, after.name));
    else changes.push({ kind: 'added', what: 'item', name: item.name, within: after.name });
  }
  for (const item of before.items)
    if (!after.items.some((one) => one.key === item.key))
      changes.push({ kind: 'removed', what: 'item', name: item.name, within: after.name });
  return changes;
}

export function diffCards(before: CardDocument, after: CardDocument): Change[] {
  const changes: Change[] = [];
  if (before.name !== after.name) changes.push({ kind: 'changed', name: after.name, field: 'name', before: before.name, after: after.name });
  for (const criterion of after.criteria) {
    const old = before.criteria.find((one) => one.key === criterion.key);
    if (old) changes.push(...diffCriterion(old, criterion));
    else changes.push({ kind: 'added', what: 'criterion', name: criterion.name });
  }
  for (const criterion of before.criteria)
    if (!after.criteria.some((one) => one.key === criterion.key)) changes.push({ kind: 'removed', what: 'criterion', name: criterion.name });
  const [oldLists, newLists] = [before.lexicons ?? {}, after.lexicons ?? {}];
  for (const [name, phrases] of Object.entries(newLists)) {
    const old = oldLists[name];
    if (!old) {
      changes.push({ kind: 'added', what: 'list', name });
      continue;
    }
    const { added, removed } = words(old, phrases);
    if (added.length + removed.length > 0) changes.push({ kind: 'words', name, field: 'phrases', added, removed });
  }
  for (const name of Object.keys(oldLists)) if (!(name in newLists)) changes.push({ kind: 'removed', what: 'list', name });
  for (const field of ['hold', 'operator_marks', 'back_channels'] as const) {
    const { added, removed } = words(before[field] ?? [], after[field] ?? []);
    if (added.length + removed.length > 0) changes.push({ kind: 'words', name: after.name, field, added, removed });
  }
  const order = (card: CardDocument, other: CardDocument) => {
    const known = new Set(other.criteria.flatMap((one) => one.items.map((item) => item.key)));
    return card.criteria.flatMap((one) => one.items.map((item) => item.key).filter((key) => known.has(key))).join();
  };
  if (order(before, after) !== order(after, before)) changes.push({ kind: 'changed', name: after.name, field: 'order', before: '', after: '' });
  return changes;
}
