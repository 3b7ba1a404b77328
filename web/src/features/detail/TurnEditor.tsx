import { useEffect, useId, useRef, useState } from 'react';
import { usePatchTurn } from '../../api/calls';
import { ApiError } from '../../api/client';
import type { Speaker, Turn, TurnPatch } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Segmented } from '../../ui/Segmented';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';

interface Props {
  callId: string;
  turn: Turn;
  /** Version of the transcript that is shown. */
  version: number;
  /** True where a turn may belong to nobody. */
  unseparated: boolean;
  onClose(): void;
}

const OTHER: Record<Speaker, Speaker> = { operator: 'client', client: 'operator', unknown: 'unknown' };

/** A turn being corrected: its words, its speaker, or where it is divided. */
export function TurnEditor({ callId, turn, version, unseparated, onClose }: Props) {
  const { t, fmt } = useI18n();
  const errorText = useErrorText();
  const id = useId();
  const ref = useRef<HTMLTextAreaElement>(null);
  const patch = usePatchTurn(callId);
  const [text, setText] = useState(turn.text);
  const [speaker, setSpeaker] = useState<Speaker>(turn.speaker);
  const [caret, setCaret] = useState(0);
  const stale = patch.error instanceof ApiError && patch.error.code === 'stale_version';

  useEffect(() => {
    const area = ref.current;
    area?.focus();
    area?.setSelectionRange(area.value.length, area.value.length);
  }, []);

  const send = (body: Omit<TurnPatch, 'version'>) =>
    patch.mutate(
      { index: turn.index, patch: { version, ...body } },
      {
        onSuccess: () => {
          toast(t.editing.saved);
          onClose();
        },
      },
    );
  const save = () => {
    const words = text.trim().replaceAll(/\s+/g, ' ');
    if (words === turn.text && speaker === turn.speaker) return onClose();
    send({ text: words, speaker });
  };
  const [before, after] = [text.slice(0, caret).trim(), text.slice(caret).trim()];
  const rest = turn.speaker === 'unknown' && speaker !== 'unknown' ? 'unknown' : OTHER[speaker];
  const speakers: Speaker[] = unseparated ? ['operator', 'client', 'unknown'] : ['operator', 'client'];

  return (
    <li data-testid="turn-editor" data-turn={turn.index} className="rounded-xl border border-accent bg-surface p-3">
      <form
        className="flex flex-col gap-2.5"
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <div className="flex flex-wrap items-center justify-between gap-2">
          <Segmented<Speaker>
            legend={t.editing.speaker}
            value={speaker}
            options={speakers.map((value) => ({ value, label: t.speakers[value] }))}
            onChange={setSpeaker}
            testId="turn-speaker"
          />
          <span className="tabular text-[0.85rem] text-ink-faint">{fmt.clock(turn.start_ms)}</span>
        </div>
        <label htmlFor={id} className="sr-only">
          {t.editing.text}
        </label>
        <textarea
          ref={ref}
          id={id}
          data-testid="turn-text"
          aria-describedby={`${id}-hint`}
          rows={Math.min(10, Math.max(2, Math.ceil(text.length / 60)))}
          className="field h-auto! resize-y py-2 leading-relaxed"
          value={text}
          maxLength={100_000}
          onChange={(event) => {
            setText(event.target.value);
            setCaret(event.target.selectionStart);
          }}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
          onKeyDown={(event) => {
            // The list around plays words by keys; here they are letters.
            event.stopPropagation();
            if (event.key === 'Escape') {
              event.preventDefault();
              onClose();
            } else if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              save();
            }
          }}
        />
        {stale ? (
          <Notice tone="fair">
            {t.editing.changedMeanwhile}
            <span className="mt-1 block text-ink">
              {t.editing.now} {turn.text}
            </span>
          </Notice>
        ) : (
          patch.isError && <Notice tone="bad">{errorText(patch.error)}</Notice>
        )}
        <div className="flex flex-wrap items-center gap-2">
          <Button kind="primary" size="sm" type="submit" busy={patch.isPending} data-testid="turn-save">
            {t.common.save}
          </Button>
          <Button kind="ghost" size="sm" onClick={onClose}>
            {t.common.cancel}
          </Button>
          <Button
            size="sm"
            title={t.editing.splitHint}
            data-testid="turn-split"
            disabled={!before || !after || rest === speaker || patch.isPending}
            onClick={() => send({ parts: [{ speaker, text: before }, { speaker: rest, text: after }] })}
          >
            {t.editing.split}
          </Button>
        </div>
        <p id={`${id}-hint`} className="text-[0.8rem] text-ink-faint">
          {t.editing.hint}
        </p>
      </form>
    </li>
  );
}
