import { expect, it } from 'vitest';
import { createI18n } from '../../i18n';
import { trackerFault } from './faults';

it('tells faults of a topic with their place', () => {
  const { t } = createI18n('ru');
  expect(trackerFault('phrases[1]: it is empty', t)).toBe('Фразы, строка 2: пусто');
  expect(trackerFault('phrases: at least one is needed', t)).toBe('Фразы: нужна хотя бы одна');
  expect(trackerFault('except[0]: "до-рого" is not a word; write words, a|b, word*, =word, word?, * and ...', t)).toContain(
    'Исключения, строка 1: это не слово',
  );
  expect(trackerFault('except[0]: "до-рого" is not a word; write', t)).toContain('«до-рого»');
  expect(trackerFault('phrases[0]: something new', t)).toBe('phrases[0]: something new');
});
