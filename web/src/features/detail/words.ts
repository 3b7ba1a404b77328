import type { Turn } from '../../api/types';

/** Every word of a call in one row, in the order they are spoken and shown. */
export interface WordTimes {
  startMs: Float64Array;
  endMs: Float64Array;
  /** The place of the first word of each turn in the row. */
  firstOfTurn: Int32Array;
}

export function wordTimes(turns: readonly Turn[]): WordTimes {
  const count = turns.reduce((sum, turn) => sum + turn.words.length, 0);
  const times: WordTimes = {
    startMs: new Float64Array(count),
    endMs: new Float64Array(count),
    firstOfTurn: new Int32Array(turns.length),
  };
  let next = 0;
  for (const [index, turn] of turns.entries()) {
    times.firstOfTurn[index] = next;
    for (const word of turn.words) {
      times.startMs[next] = word.start_ms;
      times.endMs[next] = word.end_ms;
      next += 1;
    }
  }
  return times;
}

/** A word stays lit a little after its end, so that the light does not flicker between words. */
const LINGER_MS = 250;
/** Turns may overlap: words near the found one are looked at too. */
const NEAR = 40;

/** The word spoken at `ms`, or -1 in a pause. Where two people speak at once, the one who began last. */
export function wordAt(times: WordTimes, ms: number): number {
  const { startMs, endMs } = times;
  let low = 0;
  let high = startMs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((startMs[middle] ?? 0) <= ms) low = middle + 1;
    else high = middle;
  }
  let best = -1;
  for (let index = Math.max(0, low - NEAR); index < Math.min(startMs.length, low + NEAR); index++) {
    const start = startMs[index] ?? 0;
    if (start > ms || ms >= (endMs[index] ?? 0) + LINGER_MS) continue;
    if (best < 0 || start >= (startMs[best] ?? 0)) best = index;
  }
  return best;
}

/** Lower case, «ё» as «е», no punctuation: how words are compared when searching. */
export function plainWord(text: string): string {
  return text
    .toLowerCase()
    .replaceAll('ё', 'е')
    .replaceAll(/[^\p{L}\p{N}]/gu, '');
}

/** Where the words of `query` stand one after another; each word of it may be a beginning. */
export function findWords(words: readonly string[], query: string): number[] {
  const wanted = query.split(/\s+/).map(plainWord).filter(Boolean);
  if (wanted.length === 0) return [];
  const found: number[] = [];
  for (let at = 0; at + wanted.length <= words.length; at++) {
    if (wanted.every((part, offset) => words[at + offset]?.startsWith(part))) found.push(at);
  }
  return found;
}
