import { useId } from 'react';
import type { Metrics } from '../../api/types';
import { useI18n, type Dictionary, type Format } from '../../i18n';
import { Icon } from '../../ui/Icon';
import { measure } from './reason';

type MetricName = keyof Dictionary['metrics']['names'];
type Group = keyof Dictionary['metrics']['groups'];

interface Row {
  name: MetricName;
  /** The server's name of the metric: where the reason of its absence is looked up. */
  metric: string;
  value: string | null;
  /** A remark on the value, such as clipping. */
  flag?: string | null;
}

export function MetricsPanel({ metrics }: { metrics: Metrics }) {
  const { t, fmt } = useI18n();
  const titleId = useId();
  const groups = metricRows(metrics, t, fmt);
  return (
    <section aria-labelledby={titleId} className="card p-4 sm:p-5">
      <h2 id={titleId} className="text-[1.05rem] font-semibold">
        {t.metrics.title}
      </h2>
      <TalkSplit metrics={metrics} />
      <div className="mt-4 flex flex-col gap-4">
        {groups.map(([group, rows]) => (
          <div key={group}>
            <h3 className="mb-1 text-[0.85rem] font-semibold text-ink-soft">{t.metrics.groups[group]}</h3>
            <dl className="divide-y divide-line">
              {rows.map((row) => (
                <div key={row.name} data-metric={row.name} className="flex items-baseline justify-between gap-4 py-1.5">
                  <dt className="min-w-0">{t.metrics.names[row.name]}</dt>
                  <dd className="max-w-[60%] shrink-0 text-right">
                    {row.value === null ? (
                      <span className="text-ink-faint">
                        {t.common.dash} <span className="text-[0.82rem]">{whyNot(metrics, row.metric, t)}</span>
                      </span>
                    ) : (
                      <span className="tabular font-medium">{row.value}</span>
                    )}
                    {row.flag && (
                      <span className="ml-2 inline-flex items-center gap-1 text-[0.85rem] text-fair">
                        <Icon name="warning" className="size-3.5" />
                        {row.flag}
                      </span>
                    )}
                  </dd>
                </div>
              ))}
            </dl>
          </div>
        ))}
      </div>
    </section>
  );
}

function TalkSplit({ metrics }: { metrics: Metrics }) {
  const { t, fmt } = useI18n();
  const { operator_speech_share: operator, client_speech_share: client } = metrics;
  if (operator == null || client == null) return null;
  const whole = operator + client || 1;
  return (
    <div className="mt-3">
      <p className="sr-only">{t.metrics.talkSplit}</p>
      <div aria-hidden="true" className="flex h-3 gap-0.5 overflow-hidden rounded-full">
        <span className="h-full bg-operator" style={{ width: `${(operator / whole) * 100}%` }} />
        <span className="h-full flex-1 bg-client" />
      </div>
      <div className="mt-1.5 flex justify-between gap-4 font-medium">
        <span className="text-operator">
          {t.speakers.operator} <span className="tabular">{fmt.percent(operator)}</span>
        </span>
        <span className="text-client">
          <span className="tabular">{fmt.percent(client)}</span> {t.speakers.client}
        </span>
      </div>
    </div>
  );
}

function whyNot(metrics: Metrics, metric: string, t: Dictionary): string {
  const known = metrics.unavailable.find((one) => one.metric === metric || metric.startsWith(`${one.metric}.`));
  return (known && t.metrics.unavailable[known.reason]) ?? t.metrics.unavailableOther;
}

function metricRows(m: Metrics, t: Dictionary, fmt: Format): [Group, Row[]][] {
  const say = (value: number | null | undefined, unit: string) => (value == null ? null : measure(value, unit, t, fmt));
  const row = (name: MetricName, value: number | null | undefined, unit: string, metric: string = name): Row => ({
    name,
    metric,
    value: say(value, unit),
  });
  const interruptions = (party: 'operator' | 'client'): Row => {
    const found = m.interruptions?.[party];
    return {
      name: `interruptions_${party}`,
      metric: `interruptions.${party}`,
      value: found ? (found.count > 0 ? `${t.metrics.times(found.count)}, ${fmt.span(found.ms)}` : t.metrics.times(0)) : null,
    };
  };
  const loudness = (party: 'operator' | 'client'): Row => {
    const found = m.loudness[party];
    return {
      name: `loudness_${party}`,
      metric: `loudness.${party}`,
      value: say(found?.rms_dbfs, 'dbfs'),
      flag: found?.clipping ? t.metrics.clipping : found?.near_silent ? t.metrics.nearSilent : null,
    };
  };
  return [
    [
      'balance',
      [
        row('operator_talk_share', m.operator_talk_share, 'percent'),
        row('overtalk_share', m.overtalk_share, 'percent'),
        interruptions('operator'),
        interruptions('client'),
        row('longest_monologue_ms', m.longest_monologue_ms, 'ms'),
        row('customer_story_ms', m.customer_story_ms, 'ms'),
      ],
    ],
    [
      'pauses',
      [
        row('speech_ms', m.speech_ms, 'ms'),
        row('non_talk_ms', m.non_talk_ms, 'ms'),
        row('non_talk_share', m.non_talk_share, 'percent'),
        row('longest_pause_ms', m.longest_pause_ms, 'ms'),
        row('hold_ms', m.hold_ms, 'ms'),
      ],
    ],
    [
      'dynamics',
      [
        row('speech_rate_operator', m.speech_rate_wpm.operator, 'wpm', 'speech_rate_wpm.operator'),
        row('speech_rate_client', m.speech_rate_wpm.client, 'wpm', 'speech_rate_wpm.client'),
        {
          name: 'pace_mismatch',
          metric: 'pace_mismatch',
          value: m.pace_mismatch == null ? null : `${fmt.number(m.pace_mismatch, 2)}${t.units.times}`,
        },
        row('patience_ms', m.patience_ms, 'ms'),
        row('first_response_ms', m.first_response_ms, 'ms'),
        row('interactivity_per_min', m.interactivity_per_min, 'per_min'),
      ],
    ],
    ['line', [loudness('operator'), loudness('client')]],
  ];
}
