import { expect, it } from 'vitest';
import { createI18n } from '../../i18n';
import { reasonText } from './reason';

const plain = (text: string) => text.replaceAll(/[\u00a0\u202f]/g, ' ');
const { t, fmt } = createI18n('ru');

it('tells a measured value and its norm in words', () => {
  const text = reasonText({ code: 'metric_exceeded', value: 14_000, threshold: 10_000, unit: 'ms' }, t, fmt);
  expect(plain(text)).toBe('Больше нормы: 14 с при норме до 10 с');
});

it('says only the reason when nothing was measured', () => {
  expect(reasonText({ code: 'phrase_absent', value: null, threshold: null, unit: null }, t, fmt)).toBe('Нужной фразы не было');
});

it('keeps a unit it does not know', () => {
  const text = reasonText({ code: 'metric_ok', value: 3, threshold: null, unit: 'parrots' }, t, fmt);
  expect(text).toBe('В пределах нормы: 3 parrots');
});
