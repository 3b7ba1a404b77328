import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useReducer } from 'react';
import { answersKey, listen } from '../../api/questions';
import type { Answer, AnswerEvent } from '../../api/types';

export interface Heard {
  text: string;
  parts: { done: number; of: number } | null;
}

export function hear(heard: Heard, event: AnswerEvent): Heard {
  switch (event.kind) {
    case 'text':
      return { ...heard, text: heard.text + (event.text ?? '') };
    case 'again':
      return { ...heard, text: '' };
    case 'part':
      return { ...heard, parts: { done: event.parts ?? 0, of: event.of ?? 0 } };
    case 'done':
      return heard;
  }
}

/** What is heard of an answer that is being written; once it is whole it takes its place in the list. */
export function useHeard(call: string, answer: string): Heard {
  const queries = useQueryClient();
  const [heard, dispatch] = useReducer(hear, { text: '', parts: null });
  useEffect(
    () =>
      listen(call, answer, (event) => {
        dispatch(event);
        if (event.kind !== 'done') return;
        const whole = event.answer;
        queries.setQueryData<Answer[]>(answersKey(call), (known) =>
          whole ? known?.map((one) => (one.id === whole.id ? whole : one)) : known?.filter((one) => one.id !== answer),
        );
      }),
    [queries, call, answer],
  );
  return heard;
}
