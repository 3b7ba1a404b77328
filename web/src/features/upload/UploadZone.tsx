import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useId, useRef, useState } from 'react';
import { keys } from '../../api/calls';
import { useStore } from '../../api/store';
import { addUploads, clearSettledUploads, uploadStore } from '../../api/upload';
import { useMustName } from '../../app/may';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { OperatorCombobox } from '../../ui/OperatorCombobox';
import { UploadItem } from './UploadItem';

const LANGUAGES = ['ru', 'auto', 'en'] as const;

/** Where recordings come in: a drop target and a file picker. */
export function UploadZone() {
  const { t } = useI18n();
  const id = useId();
  const inputRef = useRef<HTMLInputElement>(null);
  const [operatorName, setOperatorName] = useState('');
  const mustName = useMustName();
  const [nameless, setNameless] = useState(false);
  const [language, setLanguage] = useState<(typeof LANGUAGES)[number]>('ru');

  const add = (files: Iterable<File> | null | undefined) => {
    if (!files) return;
    const missing = mustName && operatorName.trim() === '';
    setNameless(missing);
    if (!missing) addUploads(files, { operatorName: operatorName.trim(), language });
  };
  const dragging = usePageDrop(add);

  return (
    <section aria-labelledby={`${id}-title`} className="card flex flex-col gap-3 p-4 sm:p-5">
      <h2 id={`${id}-title`} className="font-semibold">
        {t.upload.title}
      </h2>
      <label
        htmlFor={`${id}-input`}
        className={`flex flex-1 flex-col items-center justify-center gap-0.5 rounded-xl border-2 border-dashed px-4 py-4 text-center transition-colors has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent ${
          dragging ? 'border-accent bg-accent-soft' : 'border-line hover:border-accent hover:bg-accent-soft/50'
        }`}
      >
        <input
          ref={inputRef}
          id={`${id}-input`}
          data-testid="upload-input"
          type="file"
          multiple
          accept="audio/*,video/*,.mp3,.wav,.ogg,.opus,.oga,.flac,.m4a,.aac,.mp4,.mkv,.mka,.webm,.mov,.gsm,.g722,.ulaw,.ul,.alaw,.al,.sln,.sln16,.raw,.pcm"
          className="sr-only"
          aria-label={t.upload.title}
          onChange={(event) => {
            add(event.target.files);
            event.target.value = '';
          }}
        />
        <Icon name="upload" className="mb-1 size-6 text-accent" />
        <span>
          {dragging ? (
            t.upload.dropAnywhere
          ) : (
            <>
              <span className="hidden sm:inline">
                {t.upload.drop} {t.upload.or}{' '}
              </span>
              <span className="font-medium text-accent underline decoration-accent/40 underline-offset-4 first-letter:uppercase max-sm:inline-block">
                {t.upload.choose}
              </span>
            </>
          )}
        </span>
        <span className="text-[0.8rem] text-ink-faint">{t.upload.formats}</span>
      </label>
      <div className="grid grid-cols-[minmax(0,1fr)_minmax(0,9.5rem)] gap-2">
        <OperatorCombobox
          label={t.upload.operator}
          value={operatorName}
          placeholder={mustName ? t.upload.operatorNeeded : t.upload.operatorPlaceholder}
          onChange={(name) => {
            setOperatorName(name);
            setNameless(false);
          }}
        />
        <div>
          <label className="label" htmlFor={`${id}-language`}>
            {t.upload.language}
          </label>
          <select
            id={`${id}-language`}
            className="field"
            value={language}
            onChange={(event) => setLanguage(event.target.value as typeof language)}
          >
            {LANGUAGES.map((value) => (
              <option key={value} value={value}>
                {t.upload.languages[value]}
              </option>
            ))}
          </select>
        </div>
      </div>
      {nameless && (
        <p role="alert" className="text-bad">
          {t.upload.nameFirst}
        </p>
      )}
    </section>
  );
}

/** The files on their way, and those that arrived, until they are cleared. */
export function UploadList() {
  const { t } = useI18n();
  const titleId = useId();
  const uploads = useStore(uploadStore);
  const settled = uploads.some((entry) => entry.state !== 'waiting' && entry.state !== 'sending');
  useRefreshWhenAccepted(uploads.filter((entry) => entry.state === 'accepted').length);
  useAskBeforeLeaving(uploads.some((entry) => entry.state === 'waiting' || entry.state === 'sending'));
  if (uploads.length === 0) return null;
  return (
    <section aria-labelledby={titleId} className="card p-4 sm:p-5">
      <div className="mb-2 flex min-h-8 items-center justify-between gap-3">
        <h2 id={titleId} className="font-semibold">
          {t.upload.listLabel}
        </h2>
        {settled && (
          <Button kind="ghost" size="sm" onClick={clearSettledUploads}>
            {t.upload.clear}
          </Button>
        )}
      </div>
      <ul className="grid max-h-72 gap-2 overflow-y-auto sm:grid-cols-2 xl:grid-cols-3">
        {uploads.map((entry) => (
          <UploadItem key={entry.key} entry={entry} />
        ))}
      </ul>
    </section>
  );
}

/** A file may be dropped anywhere on the page, not only on the marked place. */
function usePageDrop(onFiles: (files: FileList) => void): boolean {
  const [dragging, setDragging] = useState(false);
  const latest = useRef(onFiles);
  useEffect(() => {
    latest.current = onFiles;
  });
  useEffect(() => {
    let depth = 0;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
    const enter = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth += 1;
      setDragging(true);
    };
    const over = (event: DragEvent) => {
      if (hasFiles(event)) event.preventDefault();
    };
    const leave = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setDragging(false);
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth = 0;
      setDragging(false);
      if (event.dataTransfer?.files.length) latest.current(event.dataTransfer.files);
    };
    addEventListener('dragenter', enter);
    addEventListener('dragover', over);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragenter', enter);
      removeEventListener('dragover', over);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, []);
  return dragging;
}

/** Closing the page would break off the files on their way. */
function useAskBeforeLeaving(busy: boolean): void {
  useEffect(() => {
    if (!busy) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  }, [busy]);
}

/** The list of calls learns of an accepted file at once, even when the live channel is down. */
function useRefreshWhenAccepted(accepted: number): void {
  const queryClient = useQueryClient();
  useEffect(() => {
    if (accepted === 0) return;
    void queryClient.invalidateQueries({ queryKey: keys.lists });
    void queryClient.invalidateQueries({ queryKey: keys.active });
    void queryClient.invalidateQueries({ queryKey: ['calls', 'operators'] });
  }, [accepted, queryClient]);
}
