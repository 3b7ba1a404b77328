//! Cuts speech where somebody else begins to speak, so that the voice-print
//! model hears one voice at a time. Called by [`super::Diarizer`].

use std::ops::Range;

use super::SAMPLE_RATE;
use super::segmentation::{FIRST_S, FRAME_S, LOCAL, Segment, WINDOW};
use super::vad::Region;

/// A shorter piece stays with the one before it.
const SHORTEST: usize = SAMPLE_RATE * 15 / 100;

/// What speaks in a frame: the window that saw it best and its local voices.
#[derive(Clone, Copy, PartialEq)]
struct Label {
    window: usize,
    speaking: [bool; LOCAL],
}

/// Pieces of the speech of a stretch of sound that begins at the sample `start` of
/// the recording and has `samples`; in samples of the stretch. A piece ends where
/// other voices speak and where the next window begins to count.
pub(super) fn pieces(
    segments: &[Segment],
    regions: &[Region],
    start: usize,
    samples: usize,
) -> Vec<Range<usize>> {
    let frame = FRAME_S * SAMPLE_RATE as f32;
    let first = FIRST_S * SAMPLE_RATE as f32;
    let count = (samples as f32 / frame) as usize + 1;
    let frame_of = |sample: usize| {
        let at = (sample.saturating_sub(start) as f32 - first) / frame;
        (at.round().max(0.0) as usize).min(count)
    };
    let mut heard = vec![false; count];
    let sample_of = |ms: u64| ms as usize * (SAMPLE_RATE / 1000);
    for region in regions {
        heard[frame_of(sample_of(region.start_ms))..frame_of(sample_of(region.end_ms))].fill(true);
    }
    // Of two windows the one counts that has the frame farther from its ends.
    let mut labels: Vec<Option<Label>> = vec![None; count];
    let mut seen = start;
    for (window, segment) in segments.iter().enumerate() {
        let offset = ((segment.start - start) as f32 / frame).round() as usize;
        let both = seen.saturating_sub(segment.start);
        let skipped = (both as f32 / 2.0 / frame) as usize;
        seen = segment.start + WINDOW;
        // What a window sees better than the one before replaces that one's.
        for i in skipped..segment.frames.len() {
            let (Some(label), Some(heard)) = (labels.get_mut(offset + i), heard.get(offset + i))
            else {
                break;
            };
            let speaking = segment.frames[i].speaking;
            let spoken = *heard || speaking.contains(&true);
            *label = spoken.then_some(Label { window, speaking });
        }
    }
    let edge_of = |i: usize| ((i as f32 - 0.5) * frame + first).max(0.0) as usize;
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut before = None;
    let mut i = 0;
    for run in labels.chunk_by(|a, b| a == b) {
        let piece = edge_of(i)..edge_of(i + run.len()).min(samples);
        i += run.len();
        let label = run[0];
        if label.is_some() && !piece.is_empty() {
            match pieces.last_mut() {
                Some(last)
                    if before.is_some() && (piece.len() < SHORTEST || last.len() < SHORTEST) =>
                {
                    last.end = piece.end;
                }
                _ => pieces.push(piece),
            }
        }
        before = label;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::super::segmentation::{HOP, SegmentFrame};
    use super::*;

    const S: usize = SAMPLE_RATE;

    fn segment(start: usize, speaking: impl Fn(f32) -> [bool; LOCAL]) -> Segment {
        let frame = |i: usize| SegmentFrame {
            speaking: speaking(i as f32 * FRAME_S + FIRST_S),
            activity: [0.0; LOCAL],
        };
        Segment {
            start,
            frames: (0..589).map(frame).collect(),
        }
    }

    fn near(piece: &Range<usize>, from_s: f32, to_s: f32) -> bool {
        let close = |sample: usize, s: f32| (sample as f32 / S as f32 - s).abs() < 0.03;
        close(piece.start, from_s) && close(piece.end, to_s)
    }

    #[test]
    fn a_piece_ends_where_another_voice_begins() {
        let one = segment(0, |s| {
            [(1.0..3.0).contains(&s), (3.0..4.0).contains(&s), false]
        });
        let found = pieces(&[one], &[], 0, 10 * S);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(near(&found[0], 1.0, 3.0) && near(&found[1], 3.0, 4.0));
    }

    #[test]
    fn speech_without_a_voice_is_a_piece_and_a_short_one_joins() {
        let one = segment(0, |s| {
            [(1.0..3.0).contains(&s), (3.0..3.1).contains(&s), false]
        });
        let region = |start_ms, end_ms| Region { start_ms, end_ms };
        let found = pieces(&[one], &[region(6000, 7000)], 0, 10 * S);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(near(&found[0], 1.0, 3.1) && near(&found[1], 6.0, 7.0));
    }

    #[test]
    fn the_next_window_begins_a_piece() {
        let all = |_: f32| [true, false, false];
        let start = 40 * S;
        let two = [segment(start, all), segment(start + HOP, all)];
        let found = pieces(&two, &[], start, HOP + WINDOW);
        assert_eq!(found.len(), 2, "{found:?}");
        // In the middle of the 2.5 s that both see.
        assert!(near(&found[0], 0.0, 8.75), "{found:?}");
        assert_eq!(found[0].end, found[1].start);
        assert!(pieces(&[], &[], 0, 0).is_empty());
    }
}
