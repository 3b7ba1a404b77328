import { useCallback, useEffect, useRef, type RefObject } from 'react';
import type { Turn } from '../../api/types';
import type { PlayerController } from '../player/controller';
import { wordAt, type WordTimes } from './words';

/** After the reader scrolls by hand, the page leaves the place alone for a while. */
const HANDS_OFF_MS = 5000;

/**
 * Lights the word being said and keeps it in view, by touching two elements a word and rendering nothing.
 * Returns a function that brings a word into view.
 */
export function useFollow(
  scrollerRef: RefObject<HTMLDivElement | null>,
  player: PlayerController,
  turns: readonly Turn[],
  times: WordTimes,
  follow: boolean,
): (element: HTMLElement, how: 'always' | 'when-out-of-view') => void {
  const followRef = useRef(follow);
  const handsOffUntil = useRef(0);
  useEffect(() => {
    followRef.current = follow;
  }, [follow]);

  const show = useCallback(
    (element: HTMLElement, how: 'always' | 'when-out-of-view') => {
      const scroller = scrollerRef.current;
      if (scroller) bringIntoView(scroller, element, how);
    },
    [scrollerRef],
  );

  useEffect(() => {
    const scroller = scrollerRef.current;
    if (!scroller) return;
    const handsOff = () => {
      handsOffUntil.current = Date.now() + HANDS_OFF_MS;
    };
    scroller.addEventListener('wheel', handsOff, { passive: true });
    scroller.addEventListener('touchmove', handsOff, { passive: true });
    return () => {
      scroller.removeEventListener('wheel', handsOff);
      scroller.removeEventListener('touchmove', handsOff);
    };
  }, [scrollerRef]);

  useEffect(() => {
    const scroller = scrollerRef.current;
    if (!scroller) return;
    let litIndex = -1;
    let litWord: HTMLElement | null = null;
    let litTurn: HTMLElement | null = null;

    const light = (ms: number) => {
      const index = wordAt(times, ms);
      if (index === litIndex) return;
      litIndex = index;
      litWord?.removeAttribute('data-lit');
      litWord = index < 0 ? null : scroller.querySelector<HTMLElement>(`[data-word="${index}"]`);
      litWord?.setAttribute('data-lit', '');
      const turn = litWord?.closest<HTMLElement>('[data-turn]') ?? null;
      if (turn && turn !== litTurn) {
        litTurn?.removeAttribute('data-current');
        turn.setAttribute('data-current', '');
        litTurn = turn;
      }
      if (litWord && player.playing && followRef.current && Date.now() > handsOffUntil.current) {
        bringIntoView(scroller, litWord, 'when-out-of-view');
      }
    };

    const jump = (ms: number) => {
      handsOffUntil.current = 0;
      const turn = turnAt(turns, ms);
      const element = turn && scroller.querySelector<HTMLElement>(`[data-turn="${turn.index}"]`);
      if (!element) return;
      bringIntoView(scroller, element, 'when-out-of-view');
      element.removeAttribute('data-flash');
      // Reading the size makes the browser forget the old animation, so that the flash starts anew.
      void element.offsetWidth;
      element.setAttribute('data-flash', '');
    };

    const stopTime = player.onTime(light);
    const stopSeek = player.onSeek(jump);
    return () => {
      stopTime();
      stopSeek();
      litWord?.removeAttribute('data-lit');
      litTurn?.removeAttribute('data-current');
    };
  }, [scrollerRef, player, turns, times]);

  return show;
}

/** The turn spoken at `ms`, or the next one, or the last. */
export function turnAt(turns: readonly Turn[], ms: number): Turn | undefined {
  return turns.find((turn) => ms < turn.end_ms) ?? turns.at(-1);
}

function bringIntoView(scroller: HTMLElement, element: HTMLElement, how: 'always' | 'when-out-of-view'): void {
  // Nothing to do in a part of the page that is not shown (a tab on a narrow screen).
  if (element.offsetParent === null) return;
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const behavior = calm ? 'auto' : 'smooth';
  const own = scroller.scrollHeight > scroller.clientHeight + 1;
  const box = element.getBoundingClientRect();
  const frame = own
    ? scroller.getBoundingClientRect()
    : { top: 70, bottom: innerHeight - 150, height: innerHeight - 220 };
  if (how === 'when-out-of-view' && box.top >= frame.top + 8 && box.bottom <= frame.bottom - 24) return;
  const top = box.top - frame.top - frame.height / 3;
  (own ? scroller : globalThis).scrollBy({ top, behavior });
}
