import { useEffect, useId, useRef, useState } from 'react';
import { apiUrl } from '../../api/client';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';

const FORMATS = ['txt', 'srt', 'vtt', 'json'] as const;

/** The transcript as a file: a button that opens a list of links. */
export function ExportMenu({ callId }: { callId: string }) {
  const { t, lang } = useI18n();
  const id = useId();
  const ref = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);

  useEffect(() => {
    if (!open) return;
    const away = (event: Event) => {
      if (event.target instanceof Node && !ref.current?.contains(event.target)) setOpen(false);
    };
    addEventListener('pointerdown', away);
    addEventListener('focusin', away);
    return () => {
      removeEventListener('pointerdown', away);
      removeEventListener('focusin', away);
    };
  }, [open]);

  return (
    // The key is handled here for the button and the links inside.
    // oxlint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      ref={ref}
      className="relative"
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return;
        event.stopPropagation();
        setOpen(false);
        ref.current?.querySelector('button')?.focus();
      }}
    >
      <Button
        size="sm"
        icon="download"
        title={t.exporting.title}
        aria-expanded={open}
        aria-controls={id}
        data-testid="export"
        onClick={() => setOpen(!open)}
      >
        {t.exporting.open}
      </Button>
      {open && (
        <ul id={id} aria-label={t.exporting.title} className="absolute right-0 z-20 mt-1 w-60 rounded-xl border border-line bg-surface p-1 shadow-high">
          {FORMATS.map((format) => (
            <li key={format}>
              <a
                download
                data-testid={`export-${format}`}
                href={apiUrl(`/results/${callId}/transcript?format=${format}&lang=${lang}`)}
                className="flex items-center justify-between gap-3 rounded-lg px-3 py-2 hover:bg-sunken"
                onClick={() => setOpen(false)}
              >
                {t.exporting.formats[format]}
                <span className="text-[0.8rem] text-ink-faint uppercase">{format}</span>
              </a>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
