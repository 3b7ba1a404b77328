//! Where somebody speaks (Silero VAD). Called by the speech worker before
//! recognition, which only hears these regions, and before diarization.

use super::net::{ModelName, Net};
use super::{DiarizeError, SAMPLE_RATE};

/// Samples in a frame: 32 ms.
pub(super) const FRAME: usize = 512;
/// Samples of the frame before that the model wants to see as well.
const CONTEXT: usize = 64;
const STATE: usize = 128;
/// Frames that are given to the model at a time: 8 s.
const BATCH: usize = 256;

/// Finds speech. Keeps its state between calls, so that a long recording can be
/// fed in pieces.
pub struct Vad {
    net: Net,
    hidden: Vec<f32>,
    cell: Vec<f32>,
    context: [f32; CONTEXT],
    /// What was left of the piece before, less than a frame.
    rest: Vec<f32>,
}

impl Vad {
    /// Loads the model (1.2 MB inside the program).
    ///
    /// # Errors
    /// [`DiarizeError::Load`].
    pub fn new() -> Result<Self, DiarizeError> {
        Ok(Self {
            net: Net::load(ModelName::VoiceActivity)?,
            hidden: vec![0.0; STATE],
            cell: vec![0.0; STATE],
            context: [0.0; CONTEXT],
            rest: Vec::new(),
        })
    }

    /// Takes the next samples (mono, 16 kHz) and gives the probability of speech,
    /// 0 to 1, of each frame of [`FRAME`] samples that is complete now.
    ///
    /// # Errors
    /// [`DiarizeError::Run`].
    pub fn speech_probs(&mut self, samples: &[f32]) -> Result<Vec<f32>, DiarizeError> {
        let mut probs = Vec::with_capacity(samples.len() / FRAME + 1);
        let mut samples = samples;
        if !self.rest.is_empty() {
            let missing = (FRAME - self.rest.len()).min(samples.len());
            let (first, others) = samples.split_at(missing);
            self.rest.extend_from_slice(first);
            samples = others;
            if self.rest.len() < FRAME {
                return Ok(probs);
            }
            let frame = std::mem::take(&mut self.rest);
            probs.extend(self.frames(&frame)?);
        }
        let whole = samples.len() / FRAME * FRAME;
        for batch in samples[..whole].chunks(BATCH * FRAME) {
            probs.extend(self.frames(batch)?);
        }
        self.rest.extend_from_slice(&samples[whole..]);
        Ok(probs)
    }

    /// The end of the recording: the probability of what is left, filled up with
    /// silence, if anything is. The next samples begin another recording.
    ///
    /// # Errors
    /// [`DiarizeError::Run`].
    pub fn finish(&mut self) -> Result<Option<f32>, DiarizeError> {
        let mut last = None;
        if !self.rest.is_empty() {
            let mut frame = std::mem::take(&mut self.rest);
            frame.resize(FRAME, 0.0);
            last = self.frames(&frame)?.pop();
        }
        self.hidden.fill(0.0);
        self.cell.fill(0.0);
        self.context.fill(0.0);
        Ok(last)
    }

    /// Runs whole frames through the model.
    fn frames(&mut self, samples: &[f32]) -> Result<Vec<f32>, DiarizeError> {
        let n = samples.len() / FRAME;
        let mut input = Vec::with_capacity(n * (CONTEXT + FRAME));
        for frame in samples.chunks_exact(FRAME) {
            input.extend_from_slice(&self.context);
            input.extend_from_slice(frame);
            self.context.copy_from_slice(&frame[FRAME - CONTEXT..]);
        }
        let state: &[usize] = &[1, 1, STATE];
        let [probs, hidden, cell] = self.net.run(vec![
            (&[n, CONTEXT + FRAME], input),
            (state, std::mem::take(&mut self.hidden)),
            (state, std::mem::take(&mut self.cell)),
        ])?;
        self.hidden = hidden;
        self.cell = cell;
        Ok(probs)
    }
}

/// A part of the recording with speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Begin in milliseconds.
    pub start_ms: u64,
    /// End in milliseconds.
    pub end_ms: u64,
}

/// How probabilities become regions. The defaults are those of Silero, with a
/// longer pause for speech on the phone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegionParams {
    /// Speech begins at this probability.
    pub begin: f32,
    /// It ends when the probability stays below this …
    pub end: f32,
    /// … for this long.
    pub pause_ms: u64,
    /// Anything shorter is a click.
    pub shortest_ms: u64,
    /// Added before and after, without reaching into the neighbour.
    pub margin_ms: u64,
}

impl Default for RegionParams {
    fn default() -> Self {
        Self {
            begin: 0.5,
            end: 0.35,
            pause_ms: 200,
            shortest_ms: 150,
            margin_ms: 50,
        }
    }
}

/// The regions of speech in the frames of a whole recording.
#[must_use]
pub fn regions(probs: &[f32], params: RegionParams) -> Vec<Region> {
    let frame_ms = (FRAME * 1000 / SAMPLE_RATE) as u64;
    let at = |frame: usize| frame as u64 * frame_ms;
    let mut found: Vec<Region> = Vec::new();
    let mut speech: Option<usize> = None;
    let mut silence: Option<usize> = None;
    for (i, &p) in probs.iter().enumerate() {
        if p >= params.begin {
            speech.get_or_insert(i);
            silence = None;
        } else if p < params.end
            && let Some(start) = speech
        {
            let quiet = *silence.get_or_insert(i);
            if at(i + 1 - quiet) >= params.pause_ms {
                found.push(Region {
                    start_ms: at(start),
                    end_ms: at(quiet),
                });
                (speech, silence) = (None, None);
            }
        }
    }
    if let Some(start) = speech {
        found.push(Region {
            start_ms: at(start),
            end_ms: at(silence.unwrap_or(probs.len())),
        });
    }
    found.retain(|r| r.end_ms - r.start_ms >= params.shortest_ms);
    let end = at(probs.len());
    for i in 0..found.len() {
        let before = if i == 0 { 0 } else { found[i - 1].end_ms };
        let after = found.get(i + 1).map_or(end, |next| {
            // Half of the gap belongs to each neighbour.
            found[i].end_ms + (next.start_ms - found[i].end_ms) / 2
        });
        found[i].start_ms = found[i]
            .start_ms
            .saturating_sub(params.margin_ms)
            .max(before);
        found[i].end_ms = (found[i].end_ms + params.margin_ms).min(after);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(start_ms: u64, end_ms: u64) -> Region {
        Region { start_ms, end_ms }
    }

    #[test]
    fn short_pauses_join_and_clicks_vanish() {
        let mut probs = vec![0.0; 100];
        probs[10..30].fill(0.9);
        probs[33..50].fill(0.9);
        probs[70..72].fill(0.9);
        let exact = RegionParams {
            margin_ms: 0,
            ..Default::default()
        };
        assert_eq!(regions(&probs, exact), [region(320, 1600)]);
        assert_eq!(
            regions(&probs, RegionParams::default()),
            [region(270, 1650)]
        );
        assert!(regions(&[0.1; 50], exact).is_empty());
        assert!(regions(&[], exact).is_empty());
    }

    #[test]
    fn margins_do_not_overlap_and_stay_inside() {
        let mut probs = vec![0.9; 60];
        probs[20..30].fill(0.0);
        let wide = RegionParams {
            margin_ms: 500,
            ..Default::default()
        };
        let got = regions(&probs, wide);
        assert_eq!(got, [region(0, 800), region(800, 1920)]);
    }

    #[test]
    fn between_the_thresholds_nothing_changes() {
        let probs = [
            0.9, 0.9, 0.9, 0.9, 0.9, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4,
        ];
        let exact = RegionParams {
            margin_ms: 0,
            ..Default::default()
        };
        assert_eq!(regions(&probs, exact), [region(0, 448)]);
    }
}
