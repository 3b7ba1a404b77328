import { useI18n } from '../i18n';
import { Icon } from './Icon';

interface SortHeaderProps {
  name: string;
  by: string;
  first: '' | '-';
  sort: string;
  className: string;
  onSort(sort: string): void;
}

/** The header of a column that the list can be ordered by. */
export function SortHeader({ name, by, first, sort, className, onSort }: SortHeaderProps) {
  const { t } = useI18n();
  const direction = sort === by ? 'ascending' : sort === `-${by}` ? 'descending' : undefined;
  const next = direction ? (direction === 'ascending' ? `-${by}` : by) : `${first}${by}`;
  return (
    <th scope="col" aria-sort={direction} className={className}>
      <button
        type="button"
        title={t.results.sortBy(name)}
        className={`-mx-1.5 inline-flex items-center gap-1 rounded-md px-1.5 py-0.5 hover:bg-sunken hover:text-ink ${direction ? 'text-accent' : ''}`}
        onClick={() => onSort(next)}
      >
        {name}
        <Icon
          name={direction === 'ascending' ? 'arrowUp' : direction === 'descending' ? 'arrowDown' : 'sort'}
          className={`size-3.5 ${direction ? '' : 'opacity-45'}`}
        />
      </button>
    </th>
  );
}
