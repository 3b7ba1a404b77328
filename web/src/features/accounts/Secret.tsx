import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { toast } from '../../ui/Toasts';

interface Props {
  title: string;
  text: string;
  secret: string;
  onClose(): void;
}

/** Something that is shown this once. */
export function SecretDialog({ title, text, secret, onClose }: Props) {
  const { t } = useI18n();
  const words = t.accounts;
  return (
    <Dialog title={title} text={text} testId="secret" onClose={onClose}>
      <output className="mt-4 block rounded-lg border border-line bg-sunken px-3 py-2 font-mono break-all whitespace-pre-wrap select-all">
        {secret}
      </output>
      <div className="mt-6 flex justify-end gap-2">
        {/* The clipboard is closed to pages opened over plain http. */}
        {'clipboard' in navigator && (
          <Button onClick={() => void navigator.clipboard.writeText(secret).then(() => toast(words.copied))}>{words.copy}</Button>
        )}
        <Button kind="primary" onClick={onClose}>
          {words.done}
        </Button>
      </div>
    </Dialog>
  );
}
