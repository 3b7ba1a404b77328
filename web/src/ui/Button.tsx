import type { ButtonHTMLAttributes } from 'react';
import { Icon, type IconName } from './Icon';

type Kind = 'primary' | 'secondary' | 'ghost' | 'danger' | 'danger-quiet';

const KINDS: Record<Kind, string> = {
  primary: 'bg-accent text-accent-ink hover:bg-accent-hover',
  secondary: 'border border-line bg-surface text-ink hover:bg-sunken hover:border-line-strong',
  ghost: 'text-ink-soft hover:bg-sunken hover:text-ink',
  danger: 'bg-bad text-surface hover:opacity-90',
  'danger-quiet': 'border border-line bg-surface text-bad hover:bg-bad-soft hover:border-bad-fill',
};

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: Kind;
  size?: 'md' | 'sm';
  icon?: IconName;
  busy?: boolean;
}

export function Button({ kind = 'secondary', size = 'md', icon, busy, className = '', children, ...rest }: Props) {
  const box = size === 'sm' ? 'h-8 rounded-lg px-2.5 text-[0.85rem]' : 'h-10 rounded-[9px] px-4';
  return (
    <button
      type="button"
      {...rest}
      disabled={rest.disabled || busy}
      aria-busy={busy || undefined}
      className={`inline-flex items-center justify-center gap-1.5 font-medium whitespace-nowrap transition-colors disabled:opacity-60 ${box} ${KINDS[kind]} ${className}`}
    >
      {busy ? <span className="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: IconName;
  label: string;
  iconClassName?: string;
}

export function IconButton({ icon, label, className = '', iconClassName, ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      title={label}
      {...rest}
      aria-label={label}
      className={`inline-flex size-9 shrink-0 items-center justify-center rounded-lg text-ink-soft transition-colors hover:bg-sunken hover:text-ink disabled:opacity-50 ${className}`}
    >
      <Icon name={icon} className={iconClassName ?? 'size-[1.15rem]'} />
    </button>
  );
}
