//! Beam search over several windows at once: the likeliest text of each.

use super::decoder::{Decoder, Heard, Past, Row};
use super::linear::{Products, Scratch};
use super::tokens::Tokens;

/// How the text of windows is searched.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Hypotheses that are followed; 1 = greedy.
    pub(super) beam: usize,
    /// Tokens before the text of every window.
    pub(super) prompt: Vec<u32>,
}

/// A hypothesis this much less likely than the best one (difference of the
/// logarithms) is not followed: where the model is sure, that leaves one or two.
const FOLLOWED: f32 = 8.0;

/// The likeliest text of a window.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Tokens of the text, without the end.
    pub(super) tokens: Vec<u32>,
    /// Logarithm of each token's probability.
    pub(super) log_probabilities: Vec<f32>,
    /// Mean of them and of the end's.
    pub(super) mean: f32,
    /// Probability that there is no speech.
    pub(super) no_speech: f32,
    /// False when the model did not come to an end.
    pub(super) ended: bool,
}

#[derive(Clone)]
struct Hypothesis {
    tokens: Vec<u32>,
    logs: Vec<f32>,
    sum: f32,
    past: Vec<u16>,
}

impl Hypothesis {
    fn mean(&self) -> f32 {
        self.sum / self.logs.len().max(1) as f32
    }
}

struct Search {
    alive: Vec<Hypothesis>,
    ended: Vec<Hypothesis>,
    no_speech: f32,
    limit: usize,
}

/// Searches the text of every window; `limits`: the most tokens for each.
pub(super) fn search(
    products: &Products,
    decoder: &Decoder,
    tokens: &Tokens,
    heard: &[Heard],
    limits: &[usize],
    plan: &Plan,
    scratch: &mut Scratch,
) -> Vec<Found> {
    let vocabulary = decoder.vocabulary();
    let mut past = decoder.past(heard.len() * plan.beam);
    let (mut searches, mut logits) = begin(
        products, decoder, tokens, heard, limits, plan, &mut past, scratch,
    );
    let mut first = true;
    loop {
        let mut next_row = 0;
        for search in &mut searches {
            let count = search.alive.len();
            let rows = &mut logits[next_row * vocabulary..][..count * vocabulary];
            next_row += count;
            advance(search, rows, vocabulary, tokens, plan, first);
        }
        first = false;
        let mut rows = Vec::new();
        for (window, search) in searches.iter_mut().enumerate() {
            if search.ended.len() >= plan.beam {
                search.alive.clear();
            }
            for (beam, hypothesis) in search.alive.iter_mut().enumerate() {
                let slot = (window * plan.beam + beam) as u16;
                rows.push(Row {
                    token: hypothesis.tokens.last().copied().unwrap_or_default(),
                    window,
                    slot,
                    past: hypothesis.past.clone(),
                });
                hypothesis.past.push(slot);
            }
        }
        if rows.is_empty() {
            break;
        }
        let out = decoder.run(products, &rows, heard, &mut past, None, scratch);
        decoder.logits(products, &out, &mut logits, scratch);
    }
    searches.into_iter().map(best).collect()
}

/// Computes the prompt of every window; the rows of its last token are the first to choose from.
#[allow(clippy::too_many_arguments)]
fn begin(
    products: &Products,
    decoder: &Decoder,
    tokens: &Tokens,
    heard: &[Heard],
    limits: &[usize],
    plan: &Plan,
    past: &mut Past,
    scratch: &mut Scratch,
) -> (Vec<Search>, Vec<f32>) {
    let prompt = &plan.prompt;
    let mut rows = Vec::new();
    for window in 0..heard.len() {
        let slot = (window * plan.beam) as u16;
        for (position, token) in prompt.iter().enumerate() {
            rows.push(Row {
                token: *token,
                window,
                slot,
                past: vec![slot; position],
            });
        }
    }
    let out = decoder.run(products, &rows, heard, past, None, scratch);
    let width = decoder.width();
    let row = |window: usize, at: usize| &out[(window * prompt.len() + at) * width..][..width];
    // Whether there is speech is asked where the text starts.
    let start = prompt
        .iter()
        .position(|token| *token == tokens.start())
        .unwrap_or(0);
    let asked: Vec<f32> = (0..heard.len())
        .flat_map(|window| row(window, start))
        .copied()
        .collect();
    let mut logits = Vec::new();
    decoder.logits(products, &asked, &mut logits, scratch);
    let searches = (0..heard.len())
        .map(|window| {
            let logits = &mut logits[window * decoder.vocabulary()..][..decoder.vocabulary()];
            super::vector::softmax(logits);
            Search {
                alive: vec![Hypothesis {
                    tokens: Vec::new(),
                    logs: Vec::new(),
                    sum: 0.0,
                    past: vec![(window * plan.beam) as u16; prompt.len()],
                }],
                ended: Vec::new(),
                no_speech: logits[tokens.no_speech() as usize],
                limit: limits[window].min(decoder.context() - prompt.len()),
            }
        })
        .collect();
    let last: Vec<f32> = (0..heard.len())
        .flat_map(|window| row(window, prompt.len() - 1))
        .copied()
        .collect();
    decoder.logits(products, &last, &mut logits, scratch);
    (searches, logits)
}

/// Goes one token on with each hypothesis and keeps the best.
fn advance(
    search: &mut Search,
    logits: &mut [f32],
    vocabulary: usize,
    tokens: &Tokens,
    plan: &Plan,
    first: bool,
) {
    let mut candidates: Vec<(f32, usize, u32, f32)> = Vec::new();
    for (parent, (hypothesis, logits)) in search
        .alive
        .iter()
        .zip(logits.chunks_exact_mut(vocabulary))
        .enumerate()
    {
        forbid(logits, tokens, first);
        for (token, log) in likeliest(logits, plan.beam + 1) {
            candidates.push((hypothesis.sum + log, parent, token, log));
        }
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best = candidates
        .iter()
        .map(|candidate| candidate.0)
        .chain(search.ended.iter().map(|ended| ended.sum))
        .fold(f32::NEG_INFINITY, f32::max);
    let mut alive = Vec::new();
    for (sum, parent, token, log) in candidates {
        if alive.len() >= plan.beam {
            break;
        }
        if sum < best - FOLLOWED {
            continue;
        }
        let mut hypothesis = search.alive[parent].clone();
        hypothesis.sum = sum;
        hypothesis.logs.push(log);
        if token == tokens.end() {
            search.ended.push(hypothesis);
            continue;
        }
        hypothesis.tokens.push(token);
        alive.push(hypothesis);
    }
    search.alive = alive;
    if search
        .alive
        .first()
        .is_some_and(|hypothesis| hypothesis.tokens.len() >= search.limit)
    {
        if search.ended.is_empty() {
            // It would go on for ever: what there is, is judged as it is.
            search.ended.append(&mut search.alive);
        }
        search.alive.clear();
    }
}

fn best(search: Search) -> Found {
    let no_speech = search.no_speech;
    let best = search
        .ended
        .into_iter()
        .max_by(|a, b| a.mean().total_cmp(&b.mean()));
    match best {
        Some(best) => Found {
            mean: best.mean(),
            ended: best.logs.len() > best.tokens.len(),
            log_probabilities: best.logs[..best.tokens.len()].to_vec(),
            tokens: best.tokens,
            no_speech,
        },
        None => Found {
            tokens: Vec::new(),
            log_probabilities: Vec::new(),
            mean: 0.0,
            no_speech,
            ended: false,
        },
    }
}

/// Takes away what must not come next.
fn forbid(logits: &mut [f32], tokens: &Tokens, first: bool) {
    for token in &tokens.suppressed {
        logits[*token as usize] = f32::NEG_INFINITY;
    }
    if first {
        logits[tokens.end() as usize] = f32::NEG_INFINITY;
        if let Some(space) = tokens.space() {
            logits[space as usize] = f32::NEG_INFINITY;
        }
    }
    logits[tokens.first_time() as usize..].fill(f32::NEG_INFINITY);
}

/// The `count` likeliest tokens and the logarithms of their probabilities.
fn likeliest(logits: &[f32], count: usize) -> Vec<(u32, f32)> {
    let mut top: Vec<(u32, f32)> = Vec::with_capacity(count + 1);
    let mut least = f32::NEG_INFINITY;
    for (block, values) in logits.chunks(64).enumerate() {
        // Most blocks hold nothing of interest, and that is quickly seen.
        if values
            .iter()
            .copied()
            .fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
            <= least
        {
            continue;
        }
        for (at, value) in values.iter().enumerate() {
            if *value > least {
                let place = top.partition_point(|(_, other)| other >= value);
                top.insert(place, ((block * 64 + at) as u32, *value));
                if top.len() > count {
                    top.pop();
                    least = top[count - 1].1;
                }
            }
        }
    }
    let most = top.first().map_or(0.0, |(_, value)| *value);
    let sum = super::vector::exp_sum(logits, most);
    let norm = most + sum.ln();
    for (_, value) in &mut top {
        *value -= norm;
    }
    top
}
