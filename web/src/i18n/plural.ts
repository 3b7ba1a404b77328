/** Plural forms. Russian needs three for whole numbers; English two. */

const russian = new Intl.PluralRules('ru');
const english = new Intl.PluralRules('en');

/** one: 1, 21 · few: 2–4, 22–24 · many: 0, 5–20. A fraction takes the "few" form, as in «1,5 звонка». */
export function pluralRu(n: number, one: string, few: string, many: string): string {
  const form = russian.select(n);
  return form === 'one' ? one : form === 'few' || form === 'other' ? few : many;
}

export function pluralEn(n: number, one: string, other: string): string {
  return english.select(n) === 'one' ? one : other;
}
