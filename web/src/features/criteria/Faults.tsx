import type { CardFault } from '../../api/types';
import { useI18n, type Dictionary } from '../../i18n';
import { Notice } from '../../ui/States';

/** What is wrong, in the language of the page; the server's sentence for a kind the page does not know. */
export function faultText(fault: CardFault, t: Dictionary): string {
  const known: Record<string, string> = t.criteria.faults;
  const text = known[fault.code];
  if (!text) return fault.message;
  return fault.detail ? `${text}: ${fault.detail}` : text;
}

/** The faults that are not shown beside their item. */
export function Faults({ faults }: { faults: readonly CardFault[] }) {
  const { t } = useI18n();
  if (faults.length === 0) return null;
  return (
    <div role="alert" data-testid="card-faults">
      <Notice tone="bad">
        <p className="font-medium">{t.criteria.faultsTitle(faults.length)}</p>
        <ul className="mt-1">
          {faults.map((fault, index) => (
            <li key={index}>
              {fault.place && <span className="font-medium">{fault.place.replace(/^line /, t.criteria.line)}: </span>}
              {faultText(fault, t)}
            </li>
          ))}
        </ul>
      </Notice>
    </div>
  );
}
