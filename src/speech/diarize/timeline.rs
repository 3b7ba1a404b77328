//! Puts the windows together: for every moment how many speak, and which of the
//! two. Called by [`super::Diarizer`].

use super::cluster::{ONE_VOICE, Pair};
use super::embedding::Print;
use super::segmentation::{FIRST_S, FRAME_S, LOCAL, Segment};
use super::vad::Region;
use super::{Diarization, SAMPLE_RATE, Span};

/// How much a slice's likeness to the voices counts against the windows.
const SLICE_WEIGHT: f32 = 1.0;
/// A window's second voice is taken for the other person when the first looks
/// no more than this clearer.
const NEARLY_THE_SAME: f32 = 0.1;
const SHORTEST_S: f32 = 0.05;

/// A local voice of a window.
pub(super) struct Voice {
    /// Index of the window.
    pub(super) window: usize,
    /// Its number there.
    pub(super) local: usize,
    pub(super) print: Print,
}

/// Everything that was found out about the recording.
pub(super) struct Evidence<'a> {
    pub(super) segments: &'a [Segment],
    /// Ordered by window.
    pub(super) voices: &'a [Voice],
    pub(super) pair: &'a Pair,
    /// Slices of speech and which voice each is more like ([`Pair::side`]).
    pub(super) sides: &'a [(Region, f32)],
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
    /// Sums of the probabilities that each of the two speaks.
    activity: [f32; 2],
    /// Weighted sum of the slices' sides, and of the weights.
    side: f32,
    side_weight: f32,
    /// Voice activity detection heard speech.
    heard: bool,
}

impl Moment {
    /// How many speak (0 to 2) and which one is it rather (above 0: the first).
    fn decide(&self) -> (usize, f32) {
        let seen = self.seen.max(1.0);
        let side = if self.side_weight > 0.0 {
            self.side / self.side_weight
        } else {
            0.0
        };
        let count = (self.speaking / seen).round() as usize;
        if count == 0 && self.heard {
            // Speech that no window took for a voice; its words need a speaker all
            // the same, and only the voice prints can tell which.
            return (1, 4.0 * side);
        }
        let windows = (self.activity[0] - self.activity[1]) / seen;
        (count.min(2), windows + SLICE_WEIGHT * side)
    }
}

pub(super) fn assemble(evidence: &Evidence) -> Diarization {
    let moments = moments(evidence);
    let likeness = evidence.pair.likeness();
    let one_voice = likeness.is_none_or(|likeness| likeness > ONE_VOICE);
    let mut spans = Vec::new();
    for speaker in 0..2_u8 {
        let mut run: Option<(usize, f32)> = None;
        for (i, moment) in moments.iter().chain([&Moment::default()]).enumerate() {
            let (count, side) = moment.decide();
            let toward = if speaker == 0 { side } else { -side };
            let mine = match (one_voice, count) {
                (_, 0) => false,
                (true, _) => speaker == 0,
                (false, 1) => toward > 0.0 || (side == 0.0 && speaker == 0),
                (false, _) => true,
            };
            match (mine, &mut run) {
                (true, None) => run = Some((i, certainty(toward, one_voice, count))),
                (true, Some((_, sum))) => *sum += certainty(toward, one_voice, count),
                (false, Some((from, sum))) => {
                    let confidence = *sum / (i - *from) as f32;
                    spans.extend(span(*from, i, evidence.seconds, speaker, confidence));
                    run = None;
                }
                (false, None) => {}
            }
        }
    }
    spans.sort_by_key(|s| (s.start_ms, s.end_ms, s.speaker));
    if spans.first().is_some_and(|s| s.speaker == 1) {
        spans.iter_mut().for_each(|s| s.speaker = 1 - s.speaker);
    }
    let mut speakers: Vec<u8> = spans.iter().map(|s| s.speaker).collect();
    speakers.sort_unstable();
    speakers.dedup();
    Diarization {
        spans,
        speakers: speakers.len() as u8,
        likeness,
    }
}

/// A probability from the balance between the two; when both speak, the doubt is
/// not who it is.
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
        let people = people(mine, evidence.pair);
        let offset = (segment.start as f32 / SAMPLE_RATE as f32 / FRAME_S).round() as usize;
        for (moment, frame) in moments.iter_mut().skip(offset).zip(&segment.frames) {
            moment.seen += 1.0;
            moment.speaking += frame.count() as f32;
            for (person, activity) in people.iter().zip(frame.activity) {
                if let Some(person) = person {
                    moment.activity[*person] += activity;
                }
            }
        }
    }
    let frame_of = |ms: u64| ((ms as f32 / 1000.0 / FRAME_S) as usize).min(n);
    for (slice, side) in evidence.sides {
        let (from, to) = (
            frame_of(slice.start_ms),
            (frame_of(slice.end_ms) + 1).min(n),
        );
        let length = (to - from + 1) as f32;
        for (i, moment) in moments[from..to].iter_mut().enumerate() {
            // The middle of a slice counts more than its ends.
            let at = (i + 1) as f32 / length;
            let weight = 1.0 - (2.0 * at - 1.0).abs() + 0.05;
            moment.side += side * weight;
            moment.side_weight += weight;
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
fn people(voices: &[Voice], pair: &Pair) -> [Option<usize>; LOCAL] {
    let mut longest: Vec<&Voice> = voices.iter().collect();
    longest.sort_by(|a, b| b.print.used_s.total_cmp(&a.print.used_s));
    let sides: Vec<f32> = longest.iter().map(|v| pair.side(&v.print.values)).collect();
    let mut assigned: Vec<usize> = sides.iter().map(|s| usize::from(*s < 0.0)).collect();
    if let ([a, b, ..], [x, y, ..]) = (assigned.as_mut_slice(), sides.as_slice())
        && a == b
    {
        let (weaker, margin) = if y.abs() < x.abs() {
            (b, y.abs())
        } else {
            (a, x.abs())
        };
        if margin < NEARLY_THE_SAME {
            *weaker = 1 - *weaker;
        }
    }
    let mut people = [None; LOCAL];
    for (voice, person) in longest.iter().zip(assigned) {
        people[voice.local] = Some(person);
    }
    people
}
