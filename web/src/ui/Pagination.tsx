import { useI18n } from '../i18n';
import { Button } from './Button';

interface Props {
  page: number;
  pages: number;
  onPage(page: number): void;
}

export function Pagination({ page, pages, onPage }: Props) {
  const { t } = useI18n();
  return (
    <nav aria-label={t.results.pages} className="flex items-center gap-2">
      <Button size="sm" icon="chevronLeft" disabled={page <= 1} onClick={() => onPage(page - 1)}>
        {t.results.previous}
      </Button>
      <span className="tabular px-1 text-ink-soft">{t.results.page(page, pages)}</span>
      <Button size="sm" disabled={page >= pages} onClick={() => onPage(page + 1)}>
        {t.results.next}
      </Button>
    </nav>
  );
}
