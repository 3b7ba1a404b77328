//! The offline rules engine: applies a scorecard to a transcript and its
//! metrics. Called by the score stage; pure.

use crate::domain::score::{
    CriterionScore, Engine, Evidence, EvidenceKind, ItemScore, Reason, ReasonCode, Score, Verdict,
    criterion_percent, overall_percent,
};
use crate::domain::scorecard::{Check, MetricCheck, MetricName, PhraseCheck, Window};
use crate::domain::{Metrics, Scorecard, Separation, Span, Speaker, Transcript, Turn};

use super::evidence::{at_moment, expected_at, part_of, quote, sample_of};
use super::metrics::turn_pace;
use super::phrases::{Match, Phrases, Tokens};

/// Most pieces of evidence kept for one item.
pub(super) const MAX_EVIDENCE: usize = 8;

/// A scorecard with its phrases compiled, ready to be applied to many calls.
pub struct Rules {
    card: Scorecard,
    items: Vec<Vec<CompiledItem>>,
    /// Phrases that announce a hold.
    pub hold: Phrases,
    /// Words that do not interrupt.
    pub back_channels: Phrases,
    /// Phrases only the operator says.
    pub operator_marks: Phrases,
}

#[derive(Default)]
struct CompiledItem {
    phrases: Phrases,
    except: Phrases,
    trigger: Phrases,
    trigger_except: Phrases,
}

/// One place where something was said.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) turn: usize,
    pub(super) words: Match,
    pub(super) span: Span,
}

/// A transcript prepared for matching.
struct Spoken<'a> {
    transcript: &'a Transcript,
    tokens: Vec<Tokens>,
    whole: Span,
}

impl Rules {
    /// Compiles the phrases.
    pub fn compile(card: Scorecard) -> Self {
        let items = card
            .criteria
            .iter()
            .map(|criterion| {
                criterion
                    .items
                    .iter()
                    .map(|item| match &item.check {
                        Check::Metric(_) => CompiledItem::default(),
                        Check::Phrase(check) => CompiledItem {
                            phrases: Phrases::compile(&check.phrases),
                            except: Phrases::compile(&check.except),
                            trigger: check
                                .after
                                .as_ref()
                                .map(|after| Phrases::compile(&after.phrases))
                                .unwrap_or_default(),
                            trigger_except: check
                                .after
                                .as_ref()
                                .map(|after| Phrases::compile(&after.except))
                                .unwrap_or_default(),
                        },
                    })
                    .collect()
            })
            .collect();
        Self {
            hold: Phrases::compile(&card.hold_phrases),
            back_channels: Phrases::compile(&card.back_channels),
            operator_marks: Phrases::compile(&card.operator_phrases),
            items,
            card,
        }
    }

    /// The scorecard that was compiled.
    pub fn card(&self) -> &Scorecard {
        &self.card
    }

    /// Applies the scorecard.
    pub fn apply(&self, transcript: &Transcript, metrics: Metrics) -> Score {
        let spoken = Spoken::new(transcript);
        let criteria: Vec<CriterionScore> = self
            .card
            .criteria
            .iter()
            .zip(&self.items)
            .map(|(criterion, compiled)| {
                let items: Vec<ItemScore> = criterion
                    .items
                    .iter()
                    .zip(compiled)
                    .map(|(item, compiled)| {
                        let judged = match &item.check {
                            Check::Phrase(check) => spoken.phrase(check, compiled),
                            Check::Metric(check) => spoken.metric(check, &metrics),
                        };
                        ItemScore {
                            key: item.key.clone(),
                            name: item.name.clone(),
                            name_en: item.name_en.clone(),
                            weight: item.weight,
                            auto_fail: item.auto_fail,
                            verdict: judged.verdict,
                            reason: judged.reason,
                            evidence: judged.evidence,
                            judged_by: Engine::Rules,
                            comment: None,
                        }
                    })
                    .collect();
                let (percent, auto_failed) = criterion_percent(&items);
                CriterionScore {
                    key: criterion.key.clone(),
                    name: criterion.name.clone(),
                    name_en: criterion.name_en.clone(),
                    weight: criterion.weight,
                    percent,
                    auto_failed,
                    items,
                }
            })
            .collect();
        Score {
            scorecard_id: self.card.id.clone(),
            scorecard_version: self.card.version,
            scorecard_name: self.card.name.clone(),
            engine: Engine::Rules,
            level: if transcript.separation == Separation::Unseparated {
                3
            } else {
                2
            },
            overall_percent: overall_percent(&criteria),
            criteria,
            metrics,
            model: None,
        }
    }
}

struct Judged {
    verdict: Verdict,
    reason: Reason,
    evidence: Vec<Evidence>,
}

fn reason(code: ReasonCode, value: Option<f64>, threshold: Option<f64>, unit: &str) -> Reason {
    Reason {
        code,
        value,
        threshold,
        unit: (value.is_some() || threshold.is_some()).then(|| unit.to_owned()),
    }
}

fn not_applicable(code: ReasonCode) -> Judged {
    Judged {
        verdict: Verdict::NotApplicable,
        reason: reason(code, None, None, ""),
        evidence: Vec::new(),
    }
}

impl<'a> Spoken<'a> {
    fn new(transcript: &'a Transcript) -> Self {
        let start_ms = transcript
            .turns
            .iter()
            .map(|turn| turn.span().start_ms)
            .min()
            .unwrap_or(0);
        let end_ms = transcript
            .turns
            .iter()
            .map(|turn| turn.span().end_ms)
            .max()
            .unwrap_or(0);
        Self {
            transcript,
            tokens: transcript.turns.iter().map(Tokens::of).collect(),
            whole: Span { start_ms, end_ms },
        }
    }

    fn find(
        &self,
        speaker: Option<Speaker>,
        phrases: &Phrases,
        except: &Phrases,
        window: Span,
    ) -> Vec<Found> {
        let mut found = Vec::new();
        for (index, turn) in self.transcript.turns.iter().enumerate() {
            if speaker.is_some_and(|speaker| speaker != turn.speaker) {
                continue;
            }
            let span = turn.span();
            if span.start_ms >= window.end_ms || span.end_ms <= window.start_ms {
                continue;
            }
            for words in phrases.find_except(&self.tokens[index], except) {
                let span = Span {
                    start_ms: turn.words[words.first_word].start_ms,
                    end_ms: turn.words[words.last_word].end_ms,
                };
                if span.start_ms < window.end_ms && span.end_ms > window.start_ms {
                    found.push(Found {
                        turn: index,
                        words,
                        span,
                    });
                }
            }
        }
        found
    }

    fn quotes(&self, found: &[Found]) -> Vec<Evidence> {
        found
            .iter()
            .take(MAX_EVIDENCE)
            .map(|found| quote(self.transcript, found, EvidenceKind::Quote))
            .collect()
    }

    fn phrase(&self, check: &PhraseCheck, compiled: &CompiledItem) -> Judged {
        let one_party = check.speaker.is_some()
            || check
                .after
                .as_ref()
                .is_some_and(|after| after.speaker.is_some());
        if one_party && self.transcript.separation == Separation::Unseparated {
            return not_applicable(ReasonCode::SpeakersUnknown);
        }
        if check.after.is_some() {
            return self.answer(check, compiled);
        }
        let window = part_of(check.window, self.whole);
        let found = self.find(check.speaker, &compiled.phrases, &compiled.except, window);
        let count = found.len() as f64;
        if let Some(max) = check.max
            && found.len() > max as usize
        {
            return Judged {
                verdict: Verdict::Failed,
                reason: reason(
                    ReasonCode::PhraseForbiddenFound,
                    Some(count),
                    Some(f64::from(max)),
                    "count",
                ),
                evidence: self.quotes(&found),
            };
        }
        match check.min {
            Some(min) if found.len() < min as usize => {
                let mut evidence = self.quotes(&found);
                evidence.extend(expected_at(self.transcript, check.speaker, check.window));
                Judged {
                    verdict: Verdict::Failed,
                    reason: reason(
                        ReasonCode::PhraseAbsent,
                        Some(count),
                        Some(f64::from(min)),
                        "count",
                    ),
                    evidence,
                }
            }
            Some(min) => Judged {
                verdict: Verdict::Met,
                reason: reason(
                    ReasonCode::PhraseFound,
                    Some(count),
                    Some(f64::from(min)),
                    "count",
                ),
                evidence: self.quotes(&found),
            },
            None => Judged {
                verdict: Verdict::Met,
                reason: reason(
                    ReasonCode::PhraseForbiddenAbsent,
                    Some(count),
                    check.max.map(f64::from),
                    "count",
                ),
                evidence: sample_of(self.transcript, check.speaker),
            },
        }
    }

    fn answer(&self, check: &PhraseCheck, compiled: &CompiledItem) -> Judged {
        let Some(after) = &check.after else {
            return not_applicable(ReasonCode::TriggerAbsent);
        };
        let triggers = self.find(
            after.speaker,
            &compiled.trigger,
            &compiled.trigger_except,
            part_of(check.window, self.whole),
        );
        if triggers.is_empty() {
            return not_applicable(ReasonCode::TriggerAbsent);
        }
        let everywhere = part_of(Window::Whole, self.whole);
        let answers = self.find(
            check.speaker,
            &compiled.phrases,
            &compiled.except,
            everywhere,
        );
        let reach_ms = (after.within_s * 1000.0) as u64;
        let mut used: Vec<Found> = Vec::new();
        let mut unanswered: Vec<Found> = Vec::new();
        for trigger in &triggers {
            let answer = answers.iter().find(|answer| {
                answer.span.start_ms >= trigger.span.start_ms
                    && answer.span.start_ms <= trigger.span.end_ms + reach_ms
            });
            match answer {
                Some(answer) => {
                    if !used.iter().any(|other| other.span == answer.span) {
                        used.push(*answer);
                    }
                }
                None => unanswered.push(*trigger),
            }
        }
        let answered = triggers.len() - unanswered.len();
        let share = answered as f64 / triggers.len() as f64;
        let needed = (after.min_share * triggers.len() as f64).ceil().max(1.0);
        if share >= after.min_share && answered > 0 {
            Judged {
                verdict: Verdict::Met,
                reason: reason(
                    ReasonCode::PhraseFound,
                    Some(answered as f64),
                    Some(needed),
                    "count",
                ),
                evidence: self.quotes(&used),
            }
        } else {
            let evidence = unanswered
                .iter()
                .take(MAX_EVIDENCE)
                .map(|found| quote(self.transcript, found, EvidenceKind::Expected))
                .collect();
            Judged {
                verdict: Verdict::Failed,
                reason: reason(
                    ReasonCode::PhraseAbsent,
                    Some(answered as f64),
                    Some(needed),
                    "count",
                ),
                evidence,
            }
        }
    }

    fn metric(&self, check: &MetricCheck, metrics: &Metrics) -> Judged {
        let Some(value) = metric_value(check.metric, metrics) else {
            return if self.transcript.separation == Separation::Unseparated {
                not_applicable(ReasonCode::SpeakersUnknown)
            } else {
                not_applicable(ReasonCode::MetricUnavailable)
            };
        };
        let (verdict, code, threshold) = match (check.min, check.max) {
            (Some(min), _) if value < min => (Verdict::Failed, ReasonCode::MetricBelow, Some(min)),
            (_, Some(max)) if value > max => {
                (Verdict::Failed, ReasonCode::MetricExceeded, Some(max))
            }
            (min, max) => (Verdict::Met, ReasonCode::MetricOk, max.or(min)),
        };
        Judged {
            verdict,
            reason: reason(code, Some(value), threshold, check.metric.unit()),
            evidence: self.metric_evidence(check.metric, metrics),
        }
    }

    /// The moments a metric is made of, else the operator's speech as a whole.
    fn metric_evidence(&self, metric: MetricName, metrics: &Metrics) -> Vec<Evidence> {
        let turns = &self.transcript.turns;
        let interruptions = |by: Speaker| -> Vec<Evidence> {
            metrics
                .interruption_moments
                .iter()
                .filter(|moment| moment.by == by)
                .take(MAX_EVIDENCE)
                .map(|moment| at_moment(self.transcript, moment.span, Some(by)))
                .collect()
        };
        let turn = |best: Option<&Turn>| -> Vec<Evidence> {
            best.map(|turn| at_moment(self.transcript, turn.span(), Some(turn.speaker)))
                .into_iter()
                .collect()
        };
        let of = |speaker: Speaker| turns.iter().filter(move |turn| turn.speaker == speaker);
        let evidence = match metric {
            MetricName::OperatorInterruptions | MetricName::OperatorInterruptionsPerMin => {
                interruptions(Speaker::Operator)
            }
            MetricName::ClientInterruptions => interruptions(Speaker::Client),
            MetricName::LongestPause | MetricName::NonTalkShare | MetricName::Hold => {
                let mut pauses = metrics.pauses.clone();
                pauses.sort_by_key(|pause| std::cmp::Reverse(pause.length_ms()));
                pauses
                    .into_iter()
                    .take(if metric == MetricName::LongestPause {
                        1
                    } else {
                        MAX_EVIDENCE
                    })
                    .map(|pause| at_moment(self.transcript, pause, None))
                    .collect()
            }
            MetricName::OperatorSpeechRate | MetricName::PaceMismatch => turn(
                of(Speaker::Operator)
                    .filter(|turn| turn_pace(turn).is_some())
                    .max_by(|a, b| {
                        turn_pace(a)
                            .unwrap_or(0.0)
                            .total_cmp(&turn_pace(b).unwrap_or(0.0))
                    }),
            ),
            MetricName::FirstResponse => turn(of(Speaker::Operator).next()),
            MetricName::OperatorSpeechShare
            | MetricName::OperatorTalkShare
            | MetricName::LongestMonologue
            | MetricName::Patience
            | MetricName::Interactivity
            | MetricName::OvertalkShare
            | MetricName::OperatorLoudness => {
                turn(of(Speaker::Operator).max_by_key(|turn| turn.span().length_ms()))
            }
        };
        if evidence.is_empty() {
            sample_of(self.transcript, Some(Speaker::Operator))
        } else {
            evidence
        }
    }
}

fn metric_value(metric: MetricName, metrics: &Metrics) -> Option<f64> {
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let minutes = metrics.duration_ms as f64 / 60_000.0;
    match metric {
        MetricName::OperatorInterruptions => {
            metrics.interruptions.map(|i| f64::from(i.operator.count))
        }
        MetricName::OperatorInterruptionsPerMin => metrics
            .interruptions
            .filter(|_| minutes > 0.0)
            .map(|i| (f64::from(i.operator.count) / minutes * 100.0).round() / 100.0),
        MetricName::ClientInterruptions => metrics.interruptions.map(|i| f64::from(i.client.count)),
        MetricName::OperatorSpeechShare => metrics.operator_speech_share,
        MetricName::OperatorTalkShare => metrics.operator_talk_share,
        MetricName::NonTalkShare => Some(metrics.non_talk_share),
        MetricName::LongestPause => Some(seconds(metrics.longest_pause_ms)),
        MetricName::Hold => Some(seconds(metrics.hold_ms)),
        MetricName::OvertalkShare => metrics.overtalk_share,
        MetricName::OperatorSpeechRate => metrics.speech_rate_wpm.operator,
        MetricName::PaceMismatch => metrics.pace_mismatch,
        MetricName::LongestMonologue => metrics.longest_monologue_ms.map(seconds),
        MetricName::Patience => metrics.patience_ms.map(seconds),
        MetricName::Interactivity => metrics.interactivity_per_min,
        MetricName::FirstResponse => metrics.first_response_ms.map(seconds),
        MetricName::OperatorLoudness => metrics.loudness.operator.map(|l| l.rms_dbfs),
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
