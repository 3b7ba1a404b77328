//! Puts the windows together: for every moment how many speak, and which of the
//! people. Called by [`super::Diarizer`].

use super::cluster::{ONE_VOICE, People, greatest};
use super::embedding::{Print, Run};
use super::segmentation::{FIRST_S, FRAME_S, Segment};
use super::vad::Region;
use super::{Diarization, SAMPLE_RATE, Span};

/// How much a slice's likeness to the voices counts against the windows.
const SLICE_WEIGHT: f32 = 1.0;
/// A window's second voice is taken for the other person when the first looks
/// no more than this clearer.
const NEARLY_THE_SAME: f32 = 0.1;
/// What a second of a run counts against its voice's whole print in the window.
const RUN_WEIGHT: f32 = 3.0;
/// People who can speak in a call.
const MOST: usize = 3;
const SHORTEST_S: f32 = 0.05;

/// A local voice of a window.
pub(super) struct Voice {
    /// Index of the window.
    pub(super) window: usize,
    /// Its number there.
    pub(super) local: usize,
    pub(super) print: Print,
    pub(super) runs: Vec<Run>,
}

/// Everything that was found out about the recording.
pub(super) struct Evidence<'a> {
    pub(super) segments: &'a [Segment],
    /// Ordered by window.
    pub(super) voices: &'a [Voice],
    pub(super) people: &'a People,
    /// Slices of speech and how like each voice they are ([`People::likes`]).
    pub(super) slices: &'a [(Region, Vec<f32>)],
    pub(super) regions: &'a [Region],
    pub(super) seconds: f32,
}

/// What all windows together say of one frame.
#[derive(Clone, Copy, Default)]
struct Moment {
    /// Windows that saw it.
    seen: f32,
    /// Sum of the numbers of people speaking.
    speaking: f32,
    /// Sums of the probabilities that each speaks.
    activity: [f32; MOST],
    /// Weighted sums of the slices' likeness to each, and of the weights.
    likes: [f32; MOST],
    like_weight: f32,
    /// Voice activity detection heard speech.
    heard: bool,
}

impl Moment {
    /// How many speak (0 to 2), and what speaks for each person.
    fn decide(&self) -> (usize, [f32; MOST]) {
        let seen = self.seen.max(1.0);
        let weight = if self.like_weight > 0.0 {
            self.like_weight
        } else {
            1.0
        };
        let count = (self.speaking / seen).round() as usize;
        if count == 0 && self.heard {
            // Speech that no window took for a voice; its words need a speaker all
            // the same, and only the voice prints can tell which.
            return (1, self.likes.map(|like| 4.0 * like / weight));
        }
        let both = self.activity.iter().zip(self.likes);
        let mut scores = [0.0; MOST];
        for (score, (activity, like)) in scores.iter_mut().zip(both) {
            *score = activity / seen + SLICE_WEIGHT * like / weight;
        }
        (count.min(2), scores)
    }
}

pub(super) fn assemble(evidence: &Evidence) -> Diarization {
    let moments = moments(evidence);
    let likeness = evidence.people.likeness();
    let one_voice = likeness.is_none_or(|likeness| likeness > ONE_VOICE);
    let known = if one_voice {
        1
    } else {
        evidence.people.voices.len()
    };
    let mut spans = Vec::new();
    for speaker in 0..known {
        let mut run: Option<(usize, f32)> = None;
        for (i, moment) in moments.iter().chain([&Moment::default()]).enumerate() {
            let (count, scores) = moment.decide();
            let scores = &scores[..known];
            let others = scores.iter().enumerate().filter(|(i, _)| *i != speaker);
            let before = others
                .clone()
                .filter(|(i, score)| {
                    **score > scores[speaker] || (**score == scores[speaker] && *i < speaker)
                })
                .count();
            let best_other = others.map(|(_, s)| *s).fold(f32::NEG_INFINITY, f32::max);
            let toward = scores[speaker] - best_other;
            match (before < count, &mut run) {
                (true, None) => run = Some((i, certainty(toward, one_voice, count))),
                (true, Some((_, sum))) => *sum += certainty(toward, one_voice, count),
                (false, Some((from, sum))) => {
                    let confidence = *sum / (i - *from) as f32;
                    spans.extend(span(*from, i, evidence.seconds, speaker as u8, confidence));
                    run = None;
                }
                (false, None) => {}
            }
        }
    }
    spans.sort_by_key(|s| (s.start_ms, s.end_ms, s.speaker));
    Diarization {
        speakers: in_order_of_appearance(&mut spans),
        spans,
        likeness,
    }
}

/// Numbers the speakers anew, from 0 for the first; gives how many there are.
fn in_order_of_appearance(spans: &mut [Span]) -> u8 {
    let mut numbers = Vec::new();
    for span in spans {
        let known = numbers.iter().position(|speaker| *speaker == span.speaker);
        let number = known.unwrap_or(numbers.len());
        if known.is_none() {
            numbers.push(span.speaker);
        }
        span.speaker = number as u8;
    }
    numbers.len() as u8
}

/// A probability from the balance between the likeliest and the next; when both
/// speak, the doubt is not who it is.
fn certainty(toward: f32, one_voice: bool, count: usize) -> f32 {
    if one_voice || count > 1 {
        0.9
    } else {
        1.0 / (1.0 + (-3.0 * toward).exp())
    }
}

fn span(from: usize, to: usize, seconds: f32, speaker: u8, confidence: f32) -> Option<Span> {
    let edge = |frame: usize| (frame as f32 * FRAME_S + FIRST_S - FRAME_S / 2.0).min(seconds);
    let (start, end) = (edge(from).max(0.0), edge(to));
    let ms = |s: f32| (s * 1000.0).round() as u64;
    (end - start > SHORTEST_S).then(|| Span {
        start_ms: ms(start),
        end_ms: ms(end),
        speaker,
        confidence,
    })
}

fn moments(evidence: &Evidence) -> Vec<Moment> {
    let n = (evidence.seconds / FRAME_S).ceil() as usize;
    let mut moments = vec![Moment::default(); n];
    let mut voices = evidence.voices;
    for (window, segment) in evidence.segments.iter().enumerate() {
        let here = voices.iter().take_while(|v| v.window == window).count();
        let (mine, others) = voices.split_at(here);
        voices = others;
        let offset = (segment.start as f32 / SAMPLE_RATE as f32 / FRAME_S).round() as usize;
        let seen = moments.iter_mut().skip(offset).zip(&segment.frames);
        for (moment, frame) in seen {
            moment.seen += 1.0;
            moment.speaking += frame.count() as f32;
        }
        for (voice, person) in mine.iter().zip(persons(mine, evidence.people)) {
            let mut by_frame = vec![person; segment.frames.len()];
            let whole = evidence.people.likes(&voice.print.values);
            for run in &voice.runs {
                let own = evidence.people.likes(&run.print);
                let weight = RUN_WEIGHT * run.frames.len() as f32 * FRAME_S;
                // The choice for the whole voice is kept where the run says nothing.
                let whole = whole.iter().enumerate().map(|(i, like)| {
                    if i == person {
                        whole[greatest(whole.iter().copied())]
                    } else {
                        *like
                    }
                });
                let likes = whole.zip(own).map(|(whole, own)| whole + weight * own);
                by_frame[run.frames.clone()].fill(greatest(likes));
            }
            let frames = segment.frames.iter().zip(by_frame);
            for (moment, (frame, person)) in moments.iter_mut().skip(offset).zip(frames) {
                moment.activity[person] += frame.activity[voice.local];
            }
        }
    }
    let frame_of = |ms: u64| ((ms as f32 / 1000.0 / FRAME_S) as usize).min(n);
    for (slice, likes) in evidence.slices {
        let (from, to) = (
            frame_of(slice.start_ms),
            (frame_of(slice.end_ms) + 1).min(n),
        );
        let length = (to - from + 1) as f32;
        for (i, moment) in moments[from..to].iter_mut().enumerate() {
            // The middle of a slice counts more than its ends.
            let at = (i + 1) as f32 / length;
            let weight = 1.0 - (2.0 * at - 1.0).abs() + 0.05;
            for (sum, like) in moment.likes.iter_mut().zip(likes) {
                *sum += like * weight;
            }
            moment.like_weight += weight;
        }
    }
    for region in evidence.regions {
        let frames = frame_of(region.start_ms)..frame_of(region.end_ms);
        moments[frames].iter_mut().for_each(|m| m.heard = true);
    }
    moments
}

/// Which person each local voice of a window is. The two longest voices are two
/// people unless the prints say clearly that they are one.
fn persons(voices: &[Voice], people: &People) -> Vec<usize> {
    let likes: Vec<Vec<f32>> = voices
        .iter()
        .map(|voice| people.likes(&voice.print.values))
        .collect();
    let mut persons: Vec<usize> = likes
        .iter()
        .map(|likes| greatest(likes.iter().copied()))
        .collect();
    let mut longest: Vec<usize> = (0..voices.len()).collect();
    longest.sort_by(|a, b| voices[*b].print.used_s.total_cmp(&voices[*a].print.used_s));
    if let [first, second, ..] = longest[..]
        && persons[first] == persons[second]
    {
        // The next likeliest person of each, and how much less likely.
        let next = |voice: usize| {
            let others = likes[voice].iter().enumerate().map(|(i, like)| {
                if i == persons[voice] {
                    f32::NEG_INFINITY
                } else {
                    *like
                }
            });
            let person = greatest(others);
            (likes[voice][persons[voice]] - likes[voice][person], person)
        };
        let (first_next, second_next) = (next(first), next(second));
        let (weaker, (margin, person)) = if second_next.0 < first_next.0 {
            (second, second_next)
        } else {
            (first, first_next)
        };
        if margin < NEARLY_THE_SAME {
            persons[weaker] = person;
        }
    }
    persons
}
