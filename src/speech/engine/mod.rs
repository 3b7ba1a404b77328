//! Whisper, computed here: several windows at once, weights and activations in
//! 8 bits, a true beam search, times from the decoder's attention.
//!
//! Why not whisper.cpp: it decodes one window at a time and samples its beam, so
//! that on the same two cores it is 2–3 times slower and less accurate (README,
//! "Speed"). It stays for the number formats that [`Engine::can_read`] refuses.
//! The products of matrices are rten's, which choose AVX2, AVX-512 or VNNI when
//! the program runs: one build serves every processor.
//!
//! The way: [`mel`] → [`encoder`] → [`search`] (with [`decoder`]) → [`align`].
//! Called by the recognizer in the child process.

mod align;
mod decoder;
mod encoder;
mod linear;
mod mel;
mod search;
#[cfg(test)]
mod tests;
mod tokens;
mod vector;
mod weights;

use std::path::Path;

use decoder::{Decoder, Heard, Row, Watch};
use encoder::Encoder;
pub(super) use linear::Products;
use linear::Scratch;
use mel::{HOP, Mel};
use search::{Found, Plan};
use tokens::Tokens;
use weights::Weights;

use super::model::ModelError;
use super::recognizer::{WindowSegment, Words};

/// Samples of a position of the encoder: 20 ms.
const POSITION: usize = 2 * HOP;
const POSITION_MS: u64 = 20;
/// Positions the model was made for: 30 s.
const MOST_POSITIONS: usize = 1_500;
/// Fewest positions: shorter than this the model invents words.
const FEWEST_POSITIONS: usize = 160;
/// Tokens a second that nobody speaks as fast as; more is a loop.
const TOKENS_A_SECOND: usize = 12;
/// Most tokens of a window (half of the decoder's context, as OpenAI has it).
const MOST_TOKENS: usize = 224;
/// Most tokens of the prompt.
const MOST_PROMPT: usize = 160;
/// Silence that the model sees after the samples whose language is asked for.
const LANGUAGE_MARGIN_MS: u64 = 1_500;
/// Share of a batch's work that the encoder does; measured on phone calls.
const ENCODER_SHARE: f64 = 0.6;

/// A loaded model. Any number of threads can recognize with it at once.
pub(super) struct Engine {
    products: Products,
    mel: Mel,
    encoder: Encoder,
    decoder: Decoder,
    tokens: Tokens,
    timing_heads: Vec<(usize, usize)>,
}

/// How the text of windows is searched.
#[derive(Debug, Clone)]
pub(super) struct Search<'a> {
    /// ISO 639-1 code.
    pub(super) language: &'a str,
    /// Hypotheses followed; 1 = greedy.
    pub(super) beam: usize,
    /// Text that may have been before; empty for none.
    pub(super) prompt: &'a str,
    /// Silence after each window that the model sees, in milliseconds.
    pub(super) margin_ms: u64,
}

impl Engine {
    /// Windows recognized at once. More were not faster: the hypotheses of two keep
    /// the products busy, and each window has keys and values of 32 MB at 30 s.
    pub(super) const BATCH: usize = 2;

    /// Whether the numbers of a model file can be read here.
    pub(super) fn can_read(path: &Path) -> Result<bool, ModelError> {
        Weights::open(path).map(|weights| weights.readable())
    }

    /// Loads a model file that was verified.
    pub(super) fn load(path: &Path) -> Result<Self, ModelError> {
        let products = Products::new();
        let mut weights = Weights::open(path)?;
        let encoder = Encoder::load(&products, &mut weights)?;
        let decoder = Decoder::load(&products, &mut weights)?;
        let vocabulary = decoder.vocabulary();
        let h = weights.hparams();
        Ok(Self {
            mel: Mel::new(weights.mel()),
            timing_heads: align::heads(
                h.n_text_layer as usize,
                h.n_text_state as usize,
                vocabulary,
            ),
            tokens: Tokens::new(weights.take_vocabulary(), vocabulary),
            products,
            encoder,
            decoder,
        })
    }

    /// Language of samples with speech (the first 30 s count): an ISO 639-1 code.
    pub(super) fn detect_language(&self, samples: &[f32]) -> &'static str {
        if !self.tokens.multilingual() {
            return "en";
        }
        on_this_thread(|| self.likeliest_language(samples))
    }

    fn likeliest_language(&self, samples: &[f32]) -> &'static str {
        let mut scratch = Scratch::default();
        let heard = [self.hear(samples, LANGUAGE_MARGIN_MS, &mut scratch)];
        let row = Row {
            token: self.tokens.start(),
            window: 0,
            slot: 0,
            past: Vec::new(),
        };
        let mut past = self.decoder.past(1);
        let out = self.decoder.run(
            &self.products,
            &[row],
            &heard,
            &mut past,
            None,
            &mut scratch,
        );
        let mut logits = Vec::new();
        self.decoder
            .logits(&self.products, &out, &mut logits, &mut scratch);
        self.tokens
            .each_language()
            .max_by(|a, b| logits[a.1 as usize].total_cmp(&logits[b.1 as usize]))
            .map_or("ru", |(code, _)| code)
    }

    /// Recognizes windows of at most 30 s (16 kHz, −1 to 1); one segment or none for each.
    /// `done` is told the share of the work that is done.
    pub(super) fn recognize(
        &self,
        windows: &[Vec<f32>],
        search: &Search,
        done: &mut (dyn FnMut(f64) + Send),
    ) -> Vec<Vec<WindowSegment>> {
        on_this_thread(|| self.search_and_time(windows, search, done))
    }

    fn search_and_time(
        &self,
        windows: &[Vec<f32>],
        search: &Search,
        done: &mut (dyn FnMut(f64) + Send),
    ) -> Vec<Vec<WindowSegment>> {
        let mut scratch = Scratch::default();
        let heard: Vec<Heard> = windows
            .iter()
            .enumerate()
            .map(|(at, samples)| {
                let heard = self.hear(samples, search.margin_ms, &mut scratch);
                done(ENCODER_SHARE * (at + 1) as f64 / windows.len() as f64);
                heard
            })
            .collect();
        let limits: Vec<usize> = windows
            .iter()
            .map(|samples| (samples.len() * TOKENS_A_SECOND / 16_000 + 12).min(MOST_TOKENS))
            .collect();
        let language = self.tokens.language(search.language);
        let mut earlier = self.tokens.encode(&format!(" {}", search.prompt.trim()));
        if search.prompt.trim().is_empty() {
            earlier.clear();
        }
        // The end of a long prompt is nearest to the text.
        earlier.drain(..earlier.len().saturating_sub(MOST_PROMPT));
        let plan = Plan {
            beam: search.beam.max(1),
            prompt: self.tokens.prompt(&earlier, language),
        };
        let found = search::search(
            &self.products,
            &self.decoder,
            &self.tokens,
            &heard,
            &limits,
            &plan,
            &mut scratch,
        );
        self.timed(windows, &heard, language, found, &mut scratch)
    }

    fn hear(&self, samples: &[f32], margin_ms: u64, scratch: &mut Scratch) -> Heard {
        let positions = (samples.len() / POSITION + (margin_ms / POSITION_MS) as usize)
            .next_multiple_of(8)
            .clamp(FEWEST_POSITIONS, MOST_POSITIONS);
        let encoded = self
            .encoder
            .encode(&self.products, &self.mel, samples, positions, scratch);
        self.decoder.hear(&self.products, &encoded, scratch)
    }

    /// Words with their times: the text found is computed once more, all of it at
    /// once, and the decoder is watched where it looks.
    fn timed(
        &self,
        windows: &[Vec<f32>],
        heard: &[Heard],
        language: Option<u32>,
        found: Vec<Found>,
        scratch: &mut Scratch,
    ) -> Vec<Vec<WindowSegment>> {
        let prompt = self.tokens.prompt(&[], language);
        let mut rows = Vec::new();
        let mut spans = Vec::new();
        for (window, found) in found.iter().enumerate() {
            let slot = window as u16;
            let first = rows.len();
            for (position, token) in prompt.iter().chain(&found.tokens).enumerate() {
                rows.push(Row {
                    token: *token,
                    window,
                    slot,
                    past: vec![slot; position],
                });
            }
            // The row of a token tells where the next one is heard.
            spans.push((first + prompt.len() - 1, rows.len()));
        }
        let mut watch = Watch::new(&self.timing_heads);
        let mut past = self.decoder.past(windows.len());
        self.decoder.run(
            &self.products,
            &rows,
            heard,
            &mut past,
            Some(&mut watch),
            scratch,
        );
        found
            .into_iter()
            .zip(spans)
            .zip(windows)
            .map(|((found, (first, last)), samples)| {
                if found.tokens.is_empty() {
                    return Vec::new();
                }
                let positions = (samples.len() / POSITION).clamp(1, MOST_POSITIONS);
                let starts = align::starts(&watch, first, last, positions);
                let mut words = Words::default();
                for (at, (token, log)) in found
                    .tokens
                    .iter()
                    .zip(&found.log_probabilities)
                    .enumerate()
                {
                    let ms = |at: usize| starts[at] as u64 * POSITION_MS;
                    words.push(self.tokens.bytes(*token), log.exp(), ms(at), ms(at + 1));
                }
                vec![WindowSegment {
                    words: words.finish(),
                    no_speech: found.no_speech,
                    log_probability: found.mean,
                    ended: found.ended,
                }]
            })
            .collect()
    }
}

/// Runs products on the thread that calls: threads share windows, not rows, and
/// never wait for each other.
fn on_this_thread<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build()
    {
        Ok(pool) => pool.install(work),
        // The thread has a pool of one already.
        Err(_) => work(),
    }
}
