import { describe, expect, it } from 'vitest';
import { createI18n } from '.';
import { pluralRu } from './plural';

const plain = (text: string) => text.replaceAll(/[\u00a0\u202f]/g, ' ');

describe('Russian plurals', () => {
  it.each([
    [0, 'звонков'],
    [1, 'звонок'],
    [2, 'звонка'],
    [5, 'звонков'],
    [11, 'звонков'],
    [12, 'звонков'],
    [21, 'звонок'],
    [22, 'звонка'],
    [111, 'звонков'],
    [1.5, 'звонка'],
  ])('%d', (n, word) => {
    expect(pluralRu(n, 'звонок', 'звонка', 'звонков')).toBe(word);
  });

  it('agrees the verb as well', () => {
    const { t } = createI18n('ru');
    expect(t.results.found(1, '1')).toBe('Найден 1 звонок');
    expect(t.results.found(3, '3')).toBe('Найдено 3 звонка');
  });
});

describe('formats', () => {
  const ru = createI18n('ru').fmt;
  const en = createI18n('en').fmt;

  it('writes percents the way each language does', () => {
    expect(plain(ru.percent(87.5))).toBe('87,5 %');
    expect(en.percent(87.5)).toBe('87.5%');
  });

  it('shows what is not known as a dash, never as zero', () => {
    for (const text of [ru.percent(null), ru.clock(null), ru.span(null), ru.number(null)]) {
      expect(text).toBe('—');
    }
    expect(plain(ru.percent(0))).toBe('0 %');
  });

  it('writes places in a recording', () => {
    expect(ru.clock(0)).toBe('0:00');
    expect(ru.clock(187_400)).toBe('3:07');
    expect(ru.clock(3_765_000)).toBe('1:02:45');
  });

  it('writes lengths in words', () => {
    expect(plain(ru.span(4500))).toBe('4,5 с');
    expect(plain(ru.span(187_000))).toBe('3 мин 7 с');
    expect(plain(en.span(3_720_000))).toBe('1 h 2 min');
  });

  it('writes sizes and running times', () => {
    expect(plain(ru.bytes(2_244_141))).toBe('2,1 МБ');
    expect(plain(ru.uptime(93_784))).toBe('1 д 2 ч');
  });
});

describe('errors', () => {
  it('are told by their code, in the language of the page', () => {
    const { errorText } = createI18n('ru');
    expect(errorText({ code: 'bad_credentials', message: 'x' })).toBe('Неверное имя пользователя или пароль.');
  });

  it('fall back to the sentence of the server for a code the page does not know', () => {
    const { errorText } = createI18n('ru');
    expect(errorText({ code: 'brand_new', message: 'Do this.' })).toBe('Do this.');
    expect(errorText({ code: 'toString', message: 'Do that.' })).toBe('Do that.');
  });
});

it('picks names by language', () => {
  const thing = { name: 'Лояльность', name_en: 'Loyalty' };
  expect(createI18n('ru').nameOf(thing)).toBe('Лояльность');
  expect(createI18n('en').nameOf(thing)).toBe('Loyalty');
  expect(createI18n('en').nameOf({ name: 'Своё', name_en: null })).toBe('Своё');
});
