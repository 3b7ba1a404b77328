import { useState } from 'react';
import type { CardFault, CardItem, Scorecards } from '../../api/types';
import { useI18n } from '../../i18n';
import { IconButton } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { Field, NumberField, PhrasesField } from './fields';
import { faultText } from './Faults';

interface Props {
  item: CardItem;
  lists: readonly string[];
  metrics: Scorecards['metrics'];
  faults: readonly CardFault[];
  first: boolean;
  last: boolean;
  onChange(item: CardItem): void;
  onMove(step: number): void;
  onRemove(): void;
}

/** One checkable question: a line that opens into its form. */
export function ItemForm({ item, lists, metrics, faults, first, last, onChange, onMove, onRemove }: Props) {
  const { t, fmt } = useI18n();
  const words = t.criteria.item;
  const [open, setOpen] = useState(item.phrases?.length === 0 && item.lexicons?.length === 0 && !item.metric);
  const set = (change: Partial<CardItem>) => onChange({ ...item, ...change });
  const names: Record<string, string> = t.criteria.metrics;
  const about = item.metric
    ? (names[item.metric] ?? item.metric)
    : words.phraseCount((item.phrases ?? []).length, (item.lexicons ?? []).join(', '));
  return (
    <li data-testid={`edit-item-${item.key}`} className={`border-t border-line ${faults.length > 0 ? 'bg-bad-soft/40' : ''}`}>
      <div className="flex items-center gap-1 px-3 py-1.5 sm:px-4">
        <button
          type="button"
          aria-expanded={open}
          className="flex min-w-0 flex-1 items-center gap-2 rounded-lg py-1 text-left"
          onClick={() => setOpen(!open)}
        >
          <Icon name={open ? 'chevronDown' : 'chevronRight'} className="size-4 text-ink-faint" />
          <span className="min-w-0 flex-1">
            <span className="font-medium">{item.name || words.unnamed}</span>{' '}
            <span className="text-[0.85rem] text-ink-faint">
              {about} · {t.score.weight(fmt.number(item.weight ?? 1, 2))}
              {item.auto_fail && ` · ${t.score.autoFail}`}
            </span>
          </span>
          {faults.length > 0 && <Icon name="warning" className="size-4 text-bad" />}
        </button>
        <IconButton icon="arrowUp" label={words.up} disabled={first} onClick={() => onMove(-1)} />
        <IconButton icon="arrowDown" label={words.down} disabled={last} onClick={() => onMove(1)} />
        <IconButton icon="trash" label={words.remove} onClick={onRemove} />
      </div>
      {faults.length > 0 && (
        <ul className="px-4 pb-2 pl-10 text-[0.88rem] text-bad">
          {faults.map((fault, index) => (
            <li key={index}>{faultText(fault, t)}</li>
          ))}
        </ul>
      )}
      {open && (
        <div className="grid gap-3 px-4 pt-1 pb-4 sm:grid-cols-6 sm:pl-10">
          <Field label={words.name} className="sm:col-span-4">
            {(id) => <input id={id} className="field" value={item.name} onChange={(event) => set({ name: event.target.value })} />}
          </Field>
          <NumberField label={words.weight} className="sm:col-span-2" value={item.weight ?? null} onChange={(weight) => set({ weight: weight ?? 0 })} />
          <Field label={words.kind} className="sm:col-span-3">
            {(id) => (
              <select
                id={id}
                className="field"
                value={item.metric ?? ''}
                onChange={(event) =>
                  set(
                    event.target.value
                      ? { metric: event.target.value, phrases: [], lexicons: [], except: [], except_lexicons: [], after: null, first_s: null, last_s: null }
                      : { metric: null, min: null, max: null },
                  )
                }
              >
                <option value="">{words.said}</option>
                {metrics.map((metric) => (
                  <option key={metric.name} value={metric.name}>
                    {names[metric.name] ?? metric.name}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <label className="flex items-center gap-2 self-end pb-2 sm:col-span-3">
            <input type="checkbox" checked={item.auto_fail ?? false} onChange={(event) => set({ auto_fail: event.target.checked })} />
            {words.autoFail}
          </label>
          {item.metric ? <Bounds item={item} unit={metrics.find((one) => one.name === item.metric)?.unit} set={set} /> : <Said item={item} lists={lists} set={set} />}
        </div>
      )}
    </li>
  );
}

interface PartProps {
  item: CardItem;
  set(change: Partial<CardItem>): void;
}

function Bounds({ item, unit, set }: PartProps & { unit: string | undefined }) {
  const { t } = useI18n();
  const units: Record<string, string> = t.criteria.units;
  const of = unit && units[unit] ? `, ${units[unit]}` : '';
  return (
    <>
      <NumberField label={`${t.criteria.item.least}${of}`} className="sm:col-span-3" value={item.min} onChange={(min) => set({ min })} />
      <NumberField label={`${t.criteria.item.most}${of}`} className="sm:col-span-3" value={item.max} onChange={(max) => set({ max })} />
    </>
  );
}

function Said({ item, lists, set }: PartProps & { lists: readonly string[] }) {
  const { t } = useI18n();
  const words = t.criteria.item;
  const part = item.first_s != null ? 'first' : item.last_s != null ? 'last' : 'whole';
  const forbidden = item.max === 0;
  return (
    <>
      <Field label={words.who} className="sm:col-span-2">
        {(id) => (
          <select
            id={id}
            className="field"
            value={item.speaker ?? 'operator'}
            onChange={(event) => set({ speaker: event.target.value as CardItem['speaker'] })}
          >
            <option value="operator">{words.whoOptions.operator}</option>
            <option value="client">{words.whoOptions.client}</option>
            <option value="any">{words.whoOptions.any}</option>
          </select>
        )}
      </Field>
      <Field label={words.rule} className="sm:col-span-2">
        {(id) => (
          <select
            id={id}
            className="field"
            value={forbidden ? 'forbidden' : 'wanted'}
            onChange={(event) => set(event.target.value === 'forbidden' ? { max: 0, min: null, after: null } : { max: null, min: null })}
          >
            <option value="wanted">{words.wanted}</option>
            <option value="forbidden">{words.forbidden}</option>
          </select>
        )}
      </Field>
      <Field label={words.part} className="sm:col-span-2">
        {(id) => (
          <div className="flex gap-2">
            <select
              id={id}
              className="field"
              value={part}
              onChange={(event) => {
                const seconds = item.first_s ?? item.last_s ?? 30;
                set({
                  first_s: event.target.value === 'first' ? seconds : null,
                  last_s: event.target.value === 'last' ? seconds : null,
                });
              }}
            >
              <option value="whole">{words.parts.whole}</option>
              <option value="first">{words.parts.first}</option>
              <option value="last">{words.parts.last}</option>
            </select>
          </div>
        )}
      </Field>
      {part !== 'whole' && (
        <NumberField
          label={words.seconds}
          className="sm:col-span-2"
          value={item.first_s ?? item.last_s}
          onChange={(seconds) => set(part === 'first' ? { first_s: seconds ?? 0 } : { last_s: seconds ?? 0 })}
        />
      )}
      {!forbidden && (
        <NumberField label={words.atLeast} className="sm:col-span-2" value={item.min} onChange={(min) => set({ min })} />
      )}
      <div className="sm:col-span-6">
        <PhrasesField label={words.phrases} hint={words.phrasesHint} value={item.phrases ?? []} onChange={(phrases) => set({ phrases })} />
      </div>
      <ListChoice label={words.lists} lists={lists} chosen={item.lexicons ?? []} onChange={(lexicons) => set({ lexicons })} />
      <div className="sm:col-span-6">
        <PhrasesField label={words.except} rows={1} value={item.except ?? []} onChange={(except) => set({ except })} />
      </div>
      {!forbidden && <Trigger item={item} lists={lists} set={set} />}
    </>
  );
}

function ListChoice(props: { label: string; lists: readonly string[]; chosen: readonly string[]; onChange(chosen: string[]): void }) {
  const { label, lists, chosen, onChange } = props;
  if (lists.length === 0) return null;
  return (
    <fieldset className="sm:col-span-6">
      <legend className="label">{label}</legend>
      <div className="flex flex-wrap gap-x-4 gap-y-1">
        {lists.map((name) => (
          <label key={name} className="inline-flex items-center gap-1.5 text-[0.9rem]">
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={(event) => onChange(event.target.checked ? [...chosen, name] : chosen.filter((one) => one !== name))}
            />
            {name}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** The item is an answer to what the other party said. */
function Trigger({ item, lists, set }: PartProps & { lists: readonly string[] }) {
  const { t } = useI18n();
  const words = t.criteria.item;
  const after = item.after;
  return (
    <div className="sm:col-span-6">
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          checked={after != null}
          onChange={(event) =>
            set({ after: event.target.checked ? ({ phrases: [], lexicons: [], except: [], within_s: 30, min_share: 1 } as CardItem['after']) : null })
          }
        />
        {words.after}
      </label>
      {after && (
        <div className="mt-2 grid gap-3 border-l-2 border-line pl-4 sm:grid-cols-6">
          <NumberField label={words.within} className="sm:col-span-3" value={after.within_s} onChange={(within_s) => set({ after: { ...after, within_s: within_s ?? 0 } })} />
          <NumberField
            label={words.share}
            className="sm:col-span-3"
            value={Math.round((after.min_share ?? 1) * 100)}
            onChange={(share) => set({ after: { ...after, min_share: (share ?? 0) / 100 } })}
          />
          <div className="sm:col-span-6">
            <PhrasesField label={words.trigger} value={after.phrases ?? []} onChange={(phrases) => set({ after: { ...after, phrases } })} />
          </div>
          <ListChoice label={words.lists} lists={lists} chosen={after.lexicons ?? []} onChange={(lexicons) => set({ after: { ...after, lexicons } })} />
        </div>
      )}
    </div>
  );
}
