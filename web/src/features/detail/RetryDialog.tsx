import { useId, useState } from 'react';
import { useModels, useRetryWith } from '../../api/calls';
import { trackView } from '../../api/live';
import type { CallDetail } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';

type From = 'resume' | 'transcribe' | 'diarize' | 'score';

/** Asks what shall be done again, with which model and in which language. */
export function RetryDialog({ detail, onClose }: { detail: CallDetail; onClose(): void }) {
  const { t, lang } = useI18n();
  const errorText = useErrorText();
  const id = useId();
  const { call, transcript } = detail;
  const stopped = call.status === 'failed' || call.status === 'cancelled';
  const models = useModels();
  const retry = useRetryWith(call.id);
  const [from, setFrom] = useState<From>(stopped ? 'resume' : 'transcribe');
  const [model, setModel] = useState('');
  const [chosenLanguage, setLanguage] = useState<string | null>(null);
  const present = call.language ?? models.data?.default_language ?? 'auto';
  const language = chosenLanguage ?? present;
  const stages: From[] = [...(stopped ? (['resume'] as const) : []), 'transcribe', ...(transcript ? (['diarize', 'score'] as const) : [])];
  const installed = models.data?.models.filter((one) => one.installed) ?? [];
  const missing = models.data?.models.filter((one) => !one.installed).map((one) => one.name) ?? [];
  const recognizes = from === 'transcribe';

  const start = () =>
    retry.mutate(
      {
        ...(from !== 'resume' && { from }),
        ...(recognizes && model && { model }),
        ...(recognizes && language !== present && { language }),
      },
      {
        onSuccess: (view) => {
          trackView(view);
          toast(t.detail.retried);
          onClose();
        },
      },
    );

  return (
    <Dialog title={t.again.title} testId="retry-dialog" onClose={onClose}>
      <form
        className="mt-4 flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          start();
        }}
      >
        <div>
          <label className="label" htmlFor={`${id}-from`}>
            {t.again.from}
          </label>
          <select id={`${id}-from`} className="field" data-testid="retry-from" value={from} onChange={(event) => setFrom(event.target.value as From)}>
            {stages.map((stage) => (
              <option key={stage} value={stage}>
                {t.again.stages[stage]}
              </option>
            ))}
          </select>
        </div>
        {recognizes && (
          <>
            <div>
              <label className="label" htmlFor={`${id}-model`}>
                {t.again.model}
              </label>
              <select id={`${id}-model`} className="field" data-testid="retry-model" value={model} onChange={(event) => setModel(event.target.value)}>
                <option value="">{t.again.modelDefault(shortName(models.data?.default_model ?? '…'))}</option>
                {installed.map((one) => (
                  <option key={one.name} value={one.name}>
                    {one.name}
                  </option>
                ))}
              </select>
              {missing.length > 0 && (
                <details className="mt-1 text-[0.82rem] text-ink-faint">
                  <summary className="rounded">{t.again.others}</summary>
                  <p className="mt-1">{t.again.missing(missing.join(', '))}</p>
                </details>
              )}
            </div>
            <div>
              <label className="label" htmlFor={`${id}-language`}>
                {t.again.language}
              </label>
              <select
                id={`${id}-language`}
                className="field"
                data-testid="retry-language"
                value={language}
                onChange={(event) => setLanguage(event.target.value)}
              >
                <option value="auto">{t.again.auto}</option>
                {languages(models.data?.languages ?? [present], lang).map(([code, name]) => (
                  <option key={code} value={code}>
                    {name}
                  </option>
                ))}
              </select>
            </div>
          </>
        )}
        {transcript && from !== 'score' && from !== 'resume' && <p className="text-[0.9rem] text-ink-soft">{t.again.kept}</p>}
        {retry.isError && <Notice tone="bad">{errorText(retry.error)}</Notice>}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button kind="primary" type="submit" busy={retry.isPending} data-testid="retry-start">
            {t.again.start}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** The settings may name a file: its name is enough. */
function shortName(model: string): string {
  return model.split('/').at(-1) ?? model;
}

/** Codes with their names in the language of the page, by name; the usual ones first. */
function languages(codes: readonly string[], lang: string): [string, string][] {
  const names = new Intl.DisplayNames([lang], { type: 'language' });
  const first = ['ru', 'en'];
  const rank = (code: string) => (first.includes(code) ? first.indexOf(code) : first.length);
  return codes
    .filter((code) => code !== 'auto')
    .map((code): [string, string] => [code, names.of(code) ?? code])
    .toSorted(([a, x], [b, y]) => rank(a) - rank(b) || x.localeCompare(y, lang));
}
