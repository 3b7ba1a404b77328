//! Computes the conversation metrics from speech regions, turns and the
//! envelope. Called by the score stage.

use crate::domain::metrics::{
    ByParty, Interruption, Interruptions, Loudness, Metrics, Unavailable,
};
use crate::domain::score::one_decimal;
use crate::domain::{Envelope, Separation, Span, Speaker, Transcript, Turn};

use super::phrases::{Phrases, Tokens};

/// Mutual silence counts as a pause from here on.
const PAUSE_MS: u64 = 3_000;
/// Silence after a hold phrase counts as hold from here on.
const HOLD_MS: u64 = 15_000;
/// A hold phrase announces a silence that begins within this time.
const HOLD_PHRASE_REACH_MS: u64 = 10_000;
/// Speech over the end of the other's shorter than this is no interruption.
const INTERRUPTION_MS: u64 = 300;
/// Gaps within one party's speech shorter than this do not end the utterance.
const UTTERANCE_GAP_MS: u64 = 700;
/// Turns with fewer words say nothing about pace.
const PACE_WORDS: usize = 5;

/// Computes all metrics. `hold` and `back_channels` come from the scorecard.
pub fn compute(
    transcript: &Transcript,
    envelope: &Envelope,
    duration_ms: u64,
    hold: &Phrases,
    back_channels: &Phrases,
) -> Metrics {
    let everyone = union(
        transcript
            .speech
            .iter()
            .flat_map(|party| party.spans.iter().copied())
            .collect(),
    );
    let speech_ms: u64 = everyone.iter().map(|span| span.length_ms()).sum();
    let duration_ms = duration_ms.max(everyone.last().map_or(0, |span| span.end_ms));
    let silences = gaps(&everyone, duration_ms);
    let pauses: Vec<Span> = silences
        .iter()
        .copied()
        .filter(|span| span.length_ms() > PAUSE_MS)
        .collect();
    let non_talk_ms = pauses.iter().map(|span| span.length_ms()).sum();
    let inner = |span: &&Span| span.start_ms > 0 && span.end_ms < duration_ms;
    let mut metrics = Metrics {
        duration_ms,
        speech_ms,
        non_talk_ms,
        non_talk_share: percent(non_talk_ms, duration_ms),
        longest_pause_ms: silences
            .iter()
            .filter(inner)
            .map(|span| span.length_ms())
            .max()
            .unwrap_or(0),
        hold_ms: hold_ms(transcript, &pauses, hold),
        pauses,
        ..Metrics::default()
    };
    if transcript.separation == Separation::Unseparated {
        for metric in TWO_PARTY {
            metrics.unavailable.push(Unavailable {
                metric: (*metric).to_owned(),
                reason: "speakers_unknown".to_owned(),
            });
        }
        return metrics;
    }
    two_party(&mut metrics, transcript, envelope, back_channels);
    metrics
}

/// Metrics that need to know who speaks.
const TWO_PARTY: &[&str] = &[
    "operator_talk_share",
    "operator_speech_share",
    "client_speech_share",
    "interruptions",
    "overtalk_share",
    "speech_rate_wpm",
    "pace_mismatch",
    "longest_monologue_ms",
    "customer_story_ms",
    "patience_ms",
    "interactivity_per_min",
    "first_response_ms",
    "loudness",
];

fn two_party(
    metrics: &mut Metrics,
    transcript: &Transcript,
    envelope: &Envelope,
    back_channels: &Phrases,
) {
    let spans = |speaker| {
        transcript
            .party(speaker)
            .map(|party| party.spans.as_slice())
            .unwrap_or_default()
    };
    let operator = spans(Speaker::Operator);
    let client = spans(Speaker::Client);
    let total = |spans: &[Span]| spans.iter().map(|span| span.length_ms()).sum::<u64>();
    let (operator_ms, client_ms) = (total(operator), total(client));
    let both_ms = operator_ms + client_ms;
    if both_ms > 0 {
        metrics.operator_talk_share = Some(percent(operator_ms, metrics.duration_ms));
        metrics.operator_speech_share = Some(percent(operator_ms, both_ms));
        metrics.client_speech_share = Some(percent(client_ms, both_ms));
        let simultaneous = both_ms.saturating_sub(metrics.speech_ms);
        metrics.overtalk_share = Some(percent(simultaneous, metrics.speech_ms));
    }
    metrics.interruption_moments = interruptions(transcript, operator, client, back_channels);
    let of = |by| {
        let mut sum = Interruptions::default();
        for moment in metrics.interruption_moments.iter().filter(|m| m.by == by) {
            sum.count += 1;
            sum.overlap_ms += moment.span.length_ms();
        }
        sum
    };
    metrics.interruptions = Some(ByParty {
        operator: of(Speaker::Operator),
        client: of(Speaker::Client),
    });
    metrics.speech_rate_wpm = ByParty {
        operator: words_per_minute(&transcript.turns, Speaker::Operator, operator_ms),
        client: words_per_minute(&transcript.turns, Speaker::Client, client_ms),
    };
    metrics.pace_mismatch = pace_mismatch(&transcript.turns);
    metrics.longest_monologue_ms = longest_turn(&transcript.turns, Speaker::Operator);
    metrics.customer_story_ms = longest_turn(&transcript.turns, Speaker::Client);
    metrics.patience_ms = patience(&transcript.turns);
    let switches = transcript
        .turns
        .windows(2)
        .filter(|pair| pair[0].speaker != pair[1].speaker)
        .count();
    metrics.interactivity_per_min = (metrics.duration_ms > 0)
        .then(|| one_decimal(switches as f64 * 60_000.0 / metrics.duration_ms as f64));
    metrics.first_response_ms = transcript
        .turns
        .iter()
        .find(|turn| turn.speaker == Speaker::Operator)
        .map(|turn| turn.span().start_ms);
    metrics.loudness = ByParty {
        operator: loudness(transcript, envelope, Speaker::Operator),
        client: loudness(transcript, envelope, Speaker::Client),
    };
    let missing: [(&str, bool, &str); 9] = [
        (
            "operator_talk_share",
            metrics.operator_talk_share.is_none(),
            "no_speech",
        ),
        (
            "speech_rate_wpm",
            metrics.speech_rate_wpm.operator.is_none() || metrics.speech_rate_wpm.client.is_none(),
            "no_speech",
        ),
        (
            "pace_mismatch",
            metrics.pace_mismatch.is_none(),
            "too_few_turns",
        ),
        (
            "longest_monologue_ms",
            metrics.longest_monologue_ms.is_none(),
            "no_speech",
        ),
        (
            "customer_story_ms",
            metrics.customer_story_ms.is_none(),
            "no_speech",
        ),
        (
            "patience_ms",
            metrics.patience_ms.is_none(),
            "too_few_turns",
        ),
        (
            "interactivity_per_min",
            metrics.interactivity_per_min.is_none(),
            "no_speech",
        ),
        (
            "first_response_ms",
            metrics.first_response_ms.is_none(),
            "no_speech",
        ),
        (
            "loudness",
            metrics.loudness.operator.is_none() || metrics.loudness.client.is_none(),
            "no_speech",
        ),
    ];
    for (metric, absent, reason) in missing {
        if absent {
            metrics.unavailable.push(Unavailable {
                metric: metric.to_owned(),
                reason: reason.to_owned(),
            });
        }
    }
}

/// The spans ordered, with overlaps joined.
fn union(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| span.start_ms);
    join(&spans, 0)
}

/// Ordered spans with gaps of at most `gap_ms` closed.
fn join(spans: &[Span], gap_ms: u64) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.start_ms <= last.end_ms + gap_ms => {
                last.end_ms = last.end_ms.max(span.end_ms);
            }
            _ => joined.push(*span),
        }
    }
    joined
}

/// The stretches that `spans` (ordered, disjoint) leave free between 0 and `end_ms`.
fn gaps(spans: &[Span], end_ms: u64) -> Vec<Span> {
    let mut free = Vec::new();
    let mut at = 0;
    for span in spans {
        if span.start_ms > at {
            free.push(Span {
                start_ms: at,
                end_ms: span.start_ms,
            });
        }
        at = at.max(span.end_ms);
    }
    if end_ms > at {
        free.push(Span {
            start_ms: at,
            end_ms,
        });
    }
    free
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        one_decimal(part as f64 / whole as f64 * 100.0)
    }
}

fn hold_ms(transcript: &Transcript, pauses: &[Span], hold: &Phrases) -> u64 {
    let announced: Vec<u64> = transcript
        .turns
        .iter()
        .filter(|turn| turn.speaker != Speaker::Client)
        .flat_map(|turn| {
            let words = &turn.words;
            hold.find(&Tokens::of(turn))
                .into_iter()
                .map(|found| words[found.last_word].end_ms)
                .collect::<Vec<_>>()
        })
        .collect();
    pauses
        .iter()
        .filter(|pause| pause.length_ms() > HOLD_MS)
        .filter(|pause| {
            announced.iter().any(|end| {
                *end <= pause.start_ms + PAUSE_MS && *end + HOLD_PHRASE_REACH_MS >= pause.start_ms
            })
        })
        .map(|pause| pause.length_ms())
        .sum()
}

/// A party starts at least 0.3 s before the other ends and goes on after that end;
/// utterances that consist of back-channels or of no recognized word do not count.
fn interruptions(
    transcript: &Transcript,
    operator: &[Span],
    client: &[Span],
    back_channels: &Phrases,
) -> Vec<Interruption> {
    let operator = join(operator, UTTERANCE_GAP_MS);
    let client = join(client, UTTERANCE_GAP_MS);
    let mut moments = Vec::new();
    for (by, own, other) in [
        (Speaker::Operator, &operator, &client),
        (Speaker::Client, &client, &operator),
    ] {
        for utterance in own {
            let Some(cut) = other.iter().find(|span| {
                span.start_ms < utterance.start_ms
                    && span.end_ms >= utterance.start_ms + INTERRUPTION_MS
                    && span.end_ms < utterance.end_ms
            }) else {
                continue;
            };
            let words: Vec<_> = transcript
                .turns
                .iter()
                .filter(|turn| turn.speaker == by)
                .flat_map(|turn| turn.words.iter())
                .filter(|word| word.start_ms < utterance.end_ms && word.end_ms > utterance.start_ms)
                .cloned()
                .collect();
            if words.is_empty() || Tokens::of_words(&words).consist_of(back_channels) {
                continue;
            }
            moments.push(Interruption {
                by,
                span: Span {
                    start_ms: utterance.start_ms,
                    end_ms: cut.end_ms,
                },
            });
        }
    }
    moments.sort_by_key(|moment| moment.span.start_ms);
    moments
}

fn words_per_minute(turns: &[Turn], speaker: Speaker, speech_ms: u64) -> Option<f64> {
    let words: usize = turns
        .iter()
        .filter(|turn| turn.speaker == speaker)
        .map(|turn| turn.words.len())
        .sum();
    (words > 0 && speech_ms > 0).then(|| one_decimal(words as f64 * 60_000.0 / speech_ms as f64))
}

/// Words a minute over the turn's own words, pauses between them left out.
pub(super) fn turn_pace(turn: &Turn) -> Option<f64> {
    if turn.words.len() < PACE_WORDS {
        return None;
    }
    let mut spoken_ms = 0;
    let mut previous_end = None;
    for word in &turn.words {
        let start = match previous_end {
            Some(end) if word.start_ms >= end && word.start_ms - end <= UTTERANCE_GAP_MS => end,
            _ => word.start_ms,
        };
        spoken_ms += word.end_ms.saturating_sub(start);
        previous_end = Some(word.end_ms);
    }
    (spoken_ms > 0).then(|| turn.words.len() as f64 * 60_000.0 / spoken_ms as f64)
}

fn pace_mismatch(turns: &[Turn]) -> Option<f64> {
    let mut ratios: Vec<f64> = turns
        .windows(2)
        .filter(|pair| pair[0].speaker != pair[1].speaker)
        .filter_map(|pair| {
            let (a, b) = (turn_pace(&pair[0])?, turn_pace(&pair[1])?);
            Some(a.max(b) / a.min(b))
        })
        .collect();
    median(&mut ratios).map(|ratio| (ratio * 100.0).round() / 100.0)
}

fn longest_turn(turns: &[Turn], speaker: Speaker) -> Option<u64> {
    turns
        .iter()
        .filter(|turn| turn.speaker == speaker)
        .map(|turn| turn.span().length_ms())
        .max()
}

fn patience(turns: &[Turn]) -> Option<u64> {
    let mut waits: Vec<f64> = turns
        .windows(2)
        .filter(|pair| pair[0].speaker == Speaker::Client && pair[1].speaker == Speaker::Operator)
        .map(|pair| {
            pair[1]
                .span()
                .start_ms
                .saturating_sub(pair[0].span().end_ms) as f64
        })
        .collect();
    median(&mut waits).map(|wait| wait.round() as u64)
}

fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    Some(if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    })
}

fn loudness(transcript: &Transcript, envelope: &Envelope, speaker: Speaker) -> Option<Loudness> {
    let party = transcript.party(speaker)?;
    let channel = envelope.channels.get(usize::from(party.channel))?;
    let frame_ms = u64::from(envelope.frame_ms.max(1));
    let (mut power, mut peak, mut clipped, mut frames) = (0.0, 0u8, 0usize, 0usize);
    for span in &party.spans {
        let first = (span.start_ms / frame_ms) as usize;
        let last = (span.end_ms.div_ceil(frame_ms) as usize).min(channel.rms_dbfs.len());
        for frame in first..last {
            power += 10f64.powf(f64::from(channel.rms_dbfs[frame]) / 10.0);
            peak = peak.max(channel.peak[frame]);
            clipped += usize::from(channel.clipped[frame] > 0);
            frames += 1;
        }
    }
    if frames == 0 || power <= 0.0 {
        return None;
    }
    let rms_dbfs = one_decimal(10.0 * (power / frames as f64).log10());
    Some(Loudness {
        rms_dbfs,
        peak_dbfs: one_decimal(20.0 * (f64::from(peak.max(1)) / 255.0).log10()),
        clipping: clipped * 1000 > frames,
        near_silent: rms_dbfs < -45.0,
    })
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
