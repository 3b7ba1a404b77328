import { useEffect, useId, useRef, type ReactNode } from 'react';
import { useI18n } from '../i18n';
import { Button } from './Button';

interface DialogProps {
  title: string;
  /** What is read out with the title. */
  text?: string;
  wide?: boolean;
  testId?: string;
  children: ReactNode;
  onClose(): void;
}

/** A window above the page. Mounted means open; Escape closes it and the focus goes back. */
export function Dialog({ title, text, wide, testId, children, onClose }: DialogProps) {
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
      data-testid={testId}
      aria-labelledby={titleId}
      aria-describedby={text ? textId : undefined}
      className={`${wide ? 'w-[min(44rem,calc(100vw-2rem))]' : 'w-[min(28rem,calc(100vw-2rem))]'} rounded-2xl border border-line bg-surface p-6 text-ink shadow-high`}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <h2 id={titleId} className="text-lg font-semibold">
        {title}
      </h2>
      {text && (
        <p id={textId} className="mt-2 text-ink-soft">
          {text}
        </p>
      )}
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  text: string;
  confirmLabel: string;
  busy?: boolean;
  onConfirm(): void;
  onCancel(): void;
}

/** A question before something that cannot be undone; the focus starts on "cancel". */
export function ConfirmDialog({ title, text, confirmLabel, busy, onConfirm, onCancel }: ConfirmProps) {
  const { t } = useI18n();
  return (
    <Dialog title={title} text={text} onClose={onCancel}>
      <div className="mt-6 flex justify-end gap-2">
        <Button onClick={onCancel}>{t.common.cancel}</Button>
        <Button kind="danger" busy={busy} onClick={onConfirm} data-testid="confirm">
          {confirmLabel}
        </Button>
      </div>
    </Dialog>
  );
}
