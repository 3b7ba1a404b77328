import { useEffect, useId, useMemo, useState, type RefObject } from 'react';
import { useI18n } from '../../i18n';
import { IconButton } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { useDebounced } from '../../ui/useDebounced';
import { findWords, plainWord } from './words';

interface Props {
  scrollerRef: RefObject<HTMLDivElement | null>;
  words: readonly string[];
  initial: string;
  onShow(element: HTMLElement, how: 'always' | 'when-out-of-view'): void;
}

/** Marks the words looked for, and walks from one to the next. */
export function FindBar({ scrollerRef, words, initial, onShow }: Props) {
  const { t } = useI18n();
  const id = useId();
  const [text, setText] = useState(initial);
  const [at, setAt] = useState(-1);
  const query = useDebounced(text, 150);
  const plain = useMemo(() => words.map(plainWord), [words]);
  const found = useMemo(() => findWords(plain, query), [plain, query]);

  useEffect(() => {
    const scroller = scrollerRef.current;
    const length = query.split(/\s+/).map(plainWord).filter(Boolean).length;
    const marked: Element[] = [];
    for (const first of found) {
      for (let index = first; index < first + length; index++) {
        const word = scroller?.querySelector(`[data-word="${index}"]`);
        word?.setAttribute('data-found', '');
        if (word) marked.push(word);
      }
    }
    return () => {
      for (const word of marked) word.removeAttribute('data-found');
    };
  }, [scrollerRef, found, query]);

  const showNext = () => {
    if (found.length === 0) return;
    const next = (at + 1) % found.length;
    setAt(next);
    const word = scrollerRef.current?.querySelector<HTMLElement>(`[data-word="${found[next]}"]`);
    if (word) onShow(word, 'always');
  };

  return (
    <div className="relative">
      <label htmlFor={id} className="sr-only">
        {t.transcript.find}
      </label>
      <Icon name="search" className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-ink-faint" />
      <input
        id={id}
        type="search"
        className="field h-9 pr-40 pl-9"
        placeholder={t.transcript.find}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(-1);
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') showNext();
        }}
      />
      <span role="status" className="absolute top-1/2 right-1 flex -translate-y-1/2 items-center gap-1 text-[0.82rem] text-ink-soft">
        {query.trim() && (
          <>
            {at >= 0 && found.length > 0 ? `${at + 1} / ${found.length}` : t.transcript.matches(found.length)}
            {found.length > 0 && (
              <IconButton icon="arrowDown" label={t.transcript.findNext} className="size-7!" iconClassName="size-4" onClick={showNext} />
            )}
          </>
        )}
      </span>
    </div>
  );
}
