import { useId, type ReactNode } from 'react';

interface Props {
  title: string;
  /** A number that stands beside the title, where it is not 0. */
  count?: number;
  testId: string;
  children: ReactNode;
}

export function Section({ title, count, testId, children }: Props) {
  const id = useId();
  return (
    <section aria-labelledby={id} data-testid={testId} className="card min-w-0 p-4 sm:p-6">
      <h2 id={id} className="mb-3 flex items-center gap-2 text-[1.05rem] font-semibold">
        {title}
        {count ? <CountBadge count={count} /> : null}
      </h2>
      {children}
    </section>
  );
}

export function CountBadge({ count }: { count: number }) {
  return (
    <span className="tabular inline-flex h-5 min-w-5 items-center justify-center rounded-full bg-fair-soft px-1.5 text-[0.78rem] font-semibold text-fair">
      {count}
    </span>
  );
}
