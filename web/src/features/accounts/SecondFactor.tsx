import { useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { useBeginFactor, useConfirmFactor, useRecoveryCodes, useRemoveFactor } from '../../api/accounts';
import { sessionKey } from '../../api/session';
import type { User } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Notice, useErrorText } from '../../ui/States';
import { toast } from '../../ui/Toasts';
import { Section } from '../settings/parts';
import { SecretDialog } from './Secret';

type Step = 'idle' | 'prove-to-begin' | 'prove-to-renew' | 'prove-to-remove' | 'scan';

/** A code of the authenticator after the password: setting it up, and taking it away. */
export function SecondFactorSection({ user }: { user: User }) {
  const { t } = useI18n();
  const words = t.accounts.own;
  const errorText = useErrorText();
  const id = useId();
  const queries = useQueryClient();
  const begin = useBeginFactor();
  const confirm = useConfirmFactor();
  const renew = useRecoveryCodes();
  const remove = useRemoveFactor();
  const [step, setStep] = useState<Step>('idle');
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const proving = step !== 'idle' && step !== 'scan';
  const action = step === 'prove-to-renew' ? renew : step === 'prove-to-remove' ? remove : begin;
  const failure = step === 'scan' ? confirm.error : proving ? action.error : null;

  const go = (next: Step) => {
    for (const one of [begin, confirm, renew, remove]) if (next !== 'scan' || one !== begin) one.reset();
    setStep(next);
  };

  function prove(event: React.FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const password = String(new FormData(event.currentTarget).get('password') ?? '');
    if (step === 'prove-to-begin') begin.mutate(password, { onSuccess: () => go('scan') });
    if (step === 'prove-to-renew') {
      renew.mutate(password, {
        onSuccess: ({ recovery_codes }) => {
          setCodes(recovery_codes);
          go('idle');
        },
      });
    }
    if (step === 'prove-to-remove') {
      remove.mutate(password, {
        onSuccess: () => {
          toast(words.off);
          go('idle');
        },
      });
    }
  }

  return (
    <Section title={words.factor}>
      <p className="mb-4 text-ink-soft">{user.second_factor ? words.factorOn : words.factorOff}</p>
      {failure && (
        <div role="alert" className="mb-3">
          <Notice tone="bad">{errorText(failure)}</Notice>
        </div>
      )}
      {step === 'idle' &&
        (user.second_factor ? (
          <div className="flex flex-wrap gap-2">
            <Button onClick={() => go('prove-to-renew')}>{words.newRecovery}</Button>
            <Button kind="danger-quiet" onClick={() => go('prove-to-remove')}>
              {words.turnOff}
            </Button>
          </div>
        ) : (
          <Button kind="primary" data-testid="factor-begin" onClick={() => go('prove-to-begin')}>
            {words.setUp}
          </Button>
        ))}
      {proving && (
        <form className="flex max-w-sm flex-col gap-3" onSubmit={prove}>
          <div>
            <label className="label" htmlFor={`${id}-password`}>
              {words.password}
            </label>
            <input id={`${id}-password`} name="password" type="password" className="field" autoComplete="current-password" required />
          </div>
          <div className="flex gap-2">
            <Button onClick={() => go('idle')}>{t.common.cancel}</Button>
            <Button kind="primary" type="submit" busy={action.isPending}>
              {words.next}
            </Button>
          </div>
        </form>
      )}
      {step === 'scan' && begin.data && (
        <form
          className="flex flex-col gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            const code = String(new FormData(event.currentTarget).get('code') ?? '').trim();
            confirm.mutate(code, {
              onSuccess: ({ recovery_codes }) => {
                toast(words.on);
                setCodes(recovery_codes);
                setStep('idle');
              },
            });
          }}
        >
          <p>{words.scan}</p>
          <Qr rows={begin.data.qr} label={begin.data.address} />
          <p className="text-[0.87rem] text-ink-soft">
            {words.byHand} <code className="font-mono break-all select-all" data-testid="factor-secret">{begin.data.secret}</code>
          </p>
          <div className="max-w-sm">
            <label className="label" htmlFor={`${id}-code`}>
              {words.code}
            </label>
            <input id={`${id}-code`} name="code" className="field" inputMode="numeric" autoComplete="one-time-code" maxLength={8} required />
          </div>
          <div className="flex gap-2">
            <Button onClick={() => go('idle')}>{t.common.cancel}</Button>
            <Button kind="primary" type="submit" busy={confirm.isPending} data-testid="factor-confirm">
              {words.confirm}
            </Button>
          </div>
        </form>
      )}
      {codes && (
        <SecretDialog
          title={words.recoveryTitle}
          text={words.recoveryText}
          secret={codes.join('\n')}
          onClose={() => {
            setCodes(null);
            // The page goes on to the next step only after the codes were seen.
            void queries.invalidateQueries({ queryKey: sessionKey });
          }}
        />
      )}
    </Section>
  );
}

/** Rows of 0 and 1 as dark squares on white, whatever the theme: cameras want contrast. */
function Qr({ rows, label }: { rows: readonly string[]; label: string }) {
  const size = rows.length + 8;
  const path = rows.flatMap((row, y) => [...row].flatMap((cell, x) => (cell === '1' ? [`M${x + 4} ${y + 4}h1v1h-1z`] : []))).join('');
  return (
    <svg viewBox={`0 0 ${size} ${size}`} className="size-52 rounded-lg" role="img" aria-label={label} shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
