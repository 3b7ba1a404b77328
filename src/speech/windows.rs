//! Packs stretches of speech into windows for the recognizer and maps times in
//! a window back to the recording. Long silences are shortened to a little real
//! background; no stretch is cut unless it alone is longer than a window.

use crate::domain::Span;

/// Silence kept between two stretches of speech in a window.
pub(super) const MAX_GAP_MS: u64 = 800;

/// A part of the recording inside a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Where it begins in the window.
    window_ms: u64,
    /// What it is in the recording.
    source: Span,
}

/// A window: pieces of the recording one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Window {
    pieces: Vec<Piece>,
}

impl Window {
    /// Length in milliseconds.
    pub(super) fn length_ms(&self) -> u64 {
        self.pieces
            .last()
            .map_or(0, |piece| piece.window_ms + piece.source.length_ms())
    }

    /// The stretches of the recording it is made of, in order.
    pub(super) fn sources(&self) -> impl Iterator<Item = Span> + '_ {
        self.pieces.iter().map(|piece| piece.source)
    }

    /// Times in the window at which the recording makes a jump.
    pub(super) fn joins(&self) -> impl Iterator<Item = u64> + '_ {
        self.pieces.iter().skip(1).map(|piece| piece.window_ms)
    }

    /// Where in the recording a stretch of the window is: in the piece that holds its middle.
    pub(super) fn to_source(&self, start_ms: u64, end_ms: u64) -> Span {
        let middle = u64::midpoint(start_ms, end_ms);
        let at = self
            .pieces
            .partition_point(|piece| piece.window_ms <= middle);
        let Some(piece) = self.pieces.get(at.saturating_sub(1)) else {
            return Span { start_ms, end_ms };
        };
        let source = |window_ms: u64| {
            (piece.source.start_ms + window_ms.saturating_sub(piece.window_ms))
                .min(piece.source.end_ms)
        };
        Span {
            start_ms: source(start_ms),
            end_ms: source(end_ms),
        }
    }

    fn push(&mut self, source: Span) {
        let window_ms = self.length_ms();
        match self.pieces.last_mut() {
            Some(last) if last.source.end_ms == source.start_ms => {
                last.source.end_ms = source.end_ms;
            }
            _ => self.pieces.push(Piece { window_ms, source }),
        }
    }
}

/// Packs `speech` (ordered, disjoint) into windows of at most `max_ms`. Silence
/// between two stretches is kept up to `max_gap_ms`: half after the one, half before the other.
pub(super) fn pack(speech: &[Span], max_ms: u64, max_gap_ms: u64) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    let mut previous_end = None;
    for stretch in speech {
        for part in split(*stretch, max_ms) {
            let gap = previous_end.map_or(0, |end: u64| part.start_ms.saturating_sub(end));
            let bridge = gap.min(max_gap_ms);
            let fits = windows
                .last()
                .is_some_and(|window| window.length_ms() + bridge + part.length_ms() <= max_ms);
            if fits && let (Some(window), Some(end)) = (windows.last_mut(), previous_end) {
                if gap <= max_gap_ms {
                    window.push(Span {
                        start_ms: end,
                        end_ms: part.end_ms,
                    });
                } else {
                    window.push(Span {
                        start_ms: end,
                        end_ms: end + bridge / 2,
                    });
                    window.push(Span {
                        start_ms: part.start_ms - bridge.div_ceil(2),
                        end_ms: part.end_ms,
                    });
                }
            } else {
                let mut window = Window::default();
                window.push(part);
                windows.push(window);
            }
            previous_end = Some(part.end_ms);
        }
    }
    windows
}

/// Equal parts of at most `max_ms`.
fn split(stretch: Span, max_ms: u64) -> Vec<Span> {
    let parts = stretch.length_ms().div_ceil(max_ms).max(1);
    let length = stretch.length_ms();
    (0..parts)
        .map(|part| Span {
            start_ms: stretch.start_ms + length * part / parts,
            end_ms: stretch.start_ms + length * (part + 1) / parts,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start_ms: u64, end_ms: u64) -> Span {
        Span { start_ms, end_ms }
    }

    #[test]
    fn long_silences_are_shortened_and_times_map_back() {
        let windows = pack(&[span(1_000, 3_000), span(10_000, 12_000)], 28_000, 600);
        assert_eq!(windows.len(), 1);
        let window = &windows[0];
        assert_eq!(window.length_ms(), 2_000 + 600 + 2_000);
        // After the first stretch (2.0 s) and half of the bridge (0.3 s) comes the second one.
        assert_eq!(window.joins().collect::<Vec<_>>(), [2_300]);
        assert_eq!(window.to_source(0, 1_999), span(1_000, 2_999));
        assert_eq!(window.to_source(2_000, 2_300), span(3_000, 3_300));
        assert_eq!(window.to_source(2_300, 2_600), span(9_700, 10_000));
        // What reaches over the join or the end stays in its piece.
        assert_eq!(window.to_source(2_200, 3_000), span(9_700, 10_400));
        assert_eq!(window.to_source(4_000, 9_999), span(11_400, 12_000));
    }

    #[test]
    fn short_silences_are_kept_as_they_are() {
        let windows = pack(&[span(0, 1_000), span(1_300, 2_000)], 28_000, 600);
        assert_eq!(windows[0].sources().collect::<Vec<_>>(), [span(0, 2_000)]);
    }

    #[test]
    fn windows_are_never_longer_than_allowed_and_lose_nothing() {
        let speech: Vec<Span> = (0..50)
            .map(|i| span(i * 7_000, i * 7_000 + 300 + (i * 1_237) % 6_000))
            .chain([span(400_000, 471_000)])
            .collect();
        let windows = pack(&speech, 20_000, 500);
        assert!(windows.iter().all(|window| window.length_ms() <= 20_000));
        for stretch in speech {
            let covered: u64 = windows
                .iter()
                .flat_map(Window::sources)
                .map(|source| source.overlap_ms(stretch))
                .sum();
            assert_eq!(covered, stretch.length_ms(), "{stretch:?}");
        }
    }
}
