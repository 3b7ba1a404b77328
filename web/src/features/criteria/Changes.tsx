import { useCard, type CardKey } from '../../api/criteria';
import type { CardDocument } from '../../api/types';
import { useI18n, type Dictionary } from '../../i18n';
import { diffCards, type Change } from './diff';

/** What a draft changes against the version it was begun from. */
export function ChangesSince({ base, document }: { base: CardKey | null; document: CardDocument }) {
  const { t } = useI18n();
  const content = useCard(base).data;
  if (!base || !content) return null;
  return <ChangeList title={t.criteria.changesSince(base.version)} changes={diffCards(content.document, document)} />;
}

export function ChangeList({ title, changes }: { title: string; changes: readonly Change[] }) {
  const { t } = useI18n();
  return (
    <section className="card p-4" data-testid="card-changes">
      <h3 className="font-semibold">{title}</h3>
      {changes.length === 0 ? (
        <p className="mt-1 text-ink-soft">{t.criteria.noChanges}</p>
      ) : (
        <ul className="mt-2 flex flex-col gap-1.5 text-[0.92rem]">
          {changes.map((change, index) => (
            <li key={index}>
              <ChangeLine change={change} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function ChangeLine({ change }: { change: Change }) {
  const { t } = useI18n();
  const words = t.criteria.diff;
  const where = change.within ? `${change.within} → ${change.name}` : change.name;
  if (change.kind === 'added') return <Mark tone="text-good" mark="+" text={words.added(words.things[change.what], where)} />;
  if (change.kind === 'removed') return <Mark tone="text-bad" mark="−" text={words.removed(words.things[change.what], where)} />;
  const field = words.fields[change.field];
  if (change.kind === 'changed')
    return (
      <Mark
        tone="text-accent"
        mark="~"
        text={change.field === 'order' || change.field === 'after' ? `${where}: ${field}` : `${where}: ${field} ${value(change.before, change.field, t)} → ${value(change.after, change.field, t)}`}
      />
    );
  return (
    <>
      <Mark tone="text-accent" mark="~" text={`${where}: ${field}`} />
      <ul className="ml-6">
        {change.added.map((phrase) => (
          <li key={`+${phrase}`} className="text-good">
            + {phrase}
          </li>
        ))}
        {change.removed.map((phrase) => (
          <li key={`-${phrase}`} className="text-bad">
            − {phrase}
          </li>
        ))}
      </ul>
    </>
  );
}

function value(text: string, field: string, t: Dictionary): string {
  const words = t.criteria.diff;
  if (text === '') return words.none;
  if (text === 'true') return words.yes;
  if (field === 'metric') return (t.criteria.metrics as Record<string, string>)[text] ?? text;
  if (field === 'speaker') return (t.criteria.item.whoOptions as Record<string, string>)[text] ?? text;
  if (field === 'window') return text.replace('first', words.first).replace('last', words.last);
  return text;
}

function Mark({ tone, mark, text }: { tone: string; mark: string; text: string }) {
  return (
    <span>
      <span aria-hidden="true" className={`mr-2 inline-block w-3 text-center font-semibold ${tone}`}>
        {mark}
      </span>
      {text}
    </span>
  );
}
