import { useEffect, useId, useRef } from 'react';
import { useI18n } from '../i18n';
import { Button } from './Button';

interface Props {
  title: string;
  text: string;
  confirmLabel: string;
  busy?: boolean;
  onConfirm(): void;
  onCancel(): void;
}

/** A question before something that cannot be undone. Mounted means open; the focus starts on "cancel". */
export function ConfirmDialog({ title, text, confirmLabel, busy, onConfirm, onCancel }: Props) {
  const { t } = useI18n();
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const textId = useId();

  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);

  return (
    <dialog
      ref={ref}
      aria-labelledby={titleId}
      aria-describedby={textId}
      className="w-[min(28rem,calc(100vw-2rem))] rounded-2xl border border-line bg-surface p-6 text-ink shadow-high"
      onCancel={(event) => {
        event.preventDefault();
        onCancel();
      }}
    >
      <h2 id={titleId} className="text-lg font-semibold">
        {title}
      </h2>
      <p id={textId} className="mt-2 text-ink-soft">
        {text}
      </p>
      <div className="mt-6 flex justify-end gap-2">
        <Button onClick={onCancel}>{t.common.cancel}</Button>
        <Button kind="danger" busy={busy} onClick={onConfirm} data-testid="confirm">
          {confirmLabel}
        </Button>
      </div>
    </dialog>
  );
}
