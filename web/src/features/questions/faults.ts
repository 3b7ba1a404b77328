/** What the server says of a tracker that it refuses, in the language of the page. */
import type { Dictionary } from '../../i18n';

type Kind = keyof Dictionary['questions']['trackers']['faultKinds'];

const KINDS: readonly [RegExp, Kind][] = [
  [/^it is empty$/, 'empty'],
  [/^from 1 to \d+ characters/, 'name'],
  [/^at least one is needed$/, 'none'],
  [/^at most \d+ together/, 'many'],
  [/^at most \d+ characters and \d+ words$/, 'long'],
  [/^"(.*)" is not a word;/, 'word'],
  [/^the phrase "(.*)" has no word/, 'must'],
];

/** A line such as `phrases[1]: it is empty`; one of an unknown kind stays as the server wrote it. */
export function trackerFault(line: string, t: Dictionary): string {
  const words = t.questions.trackers;
  const [, place, number, text] = /^(name|name_en|phrases|except)(?:\[(\d+)\])?: (.*)$/.exec(line) ?? [];
  if (!place || !text) return line;
  for (const [pattern, kind] of KINDS) {
    const found = pattern.exec(text);
    if (found) {
      const at = words.faultPlaces[place as keyof typeof words.faultPlaces];
      const where = number === undefined ? at : words.faultLine(at, Number(number) + 1);
      return `${where}: ${words.faultKinds[kind]}${found[1] === undefined ? '' : ` («${found[1]}»)`}`;
    }
  }
  return line;
}
