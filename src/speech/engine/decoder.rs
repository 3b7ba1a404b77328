//! The decoder: tokens so far and what the encoder heard → how likely each token
//! is next. Rows of several windows and several hypotheses are computed at once,
//! so that the weights are read once for all of them.

use super::linear::{Linear, Panel, Products, Scratch, Then, plain_steps};
use super::vector::{LayerNorm, add_scaled, dot, softmax, vectorized};
use super::weights::Weights;
use crate::speech::model::ModelError;

pub(super) struct Decoder {
    /// One row a token, as 8-bit steps: to look tokens up.
    tokens: Vec<i8>,
    token_scales: Vec<f32>,
    positions: Vec<f32>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    logits: Linear,
    width: usize,
    heads: usize,
    context: usize,
}

struct Block {
    attention_norm: LayerNorm,
    query_key_value: Linear,
    attention_out: Linear,
    cross_norm: LayerNorm,
    cross_query: Linear,
    cross_key_value: Linear,
    cross_out: Linear,
    mlp_norm: LayerNorm,
    mlp_in: Linear,
    mlp_out: Linear,
}

/// What the encoder heard in a window, as the decoder's layers look at it.
pub(super) struct Heard {
    /// For each layer and head: keys and values.
    heads: Vec<(Panel, Panel)>,
    pub(super) positions: usize,
}

/// Keys and values of all tokens so far. A row writes its own into its slot at
/// its position and reads those of its past through the slots it names, so that
/// hypotheses share their past and none is ever copied.
pub(super) struct Past {
    /// For each layer and position: keys, then values, of all slots.
    layers: Vec<Vec<Vec<f32>>>,
    slots: usize,
    width: usize,
}

impl Past {
    fn make_room(&mut self, positions: usize) {
        let size = 2 * self.slots * self.width;
        for layer in &mut self.layers {
            while layer.len() < positions {
                layer.push(vec![0.0; size]);
            }
        }
    }

    fn key(&self, layer: usize, position: usize, slot: u16) -> &[f32] {
        &self.layers[layer][position][usize::from(slot) * self.width..][..self.width]
    }

    fn value(&self, layer: usize, position: usize, slot: u16) -> &[f32] {
        &self.layers[layer][position][(self.slots + usize::from(slot)) * self.width..][..self.width]
    }
}

/// A token to compute.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) token: u32,
    /// Number of the window; rows of a window stand together.
    pub(super) window: usize,
    /// Where its own keys and values go.
    pub(super) slot: u16,
    /// The slots of the tokens before it; its length is the row's position.
    pub(super) past: Vec<u16>,
}

/// Which cross-attention is kept: (layer, head), and what was seen: for each of
/// them one row of the window's positions for each row computed.
pub(super) struct Watch<'a> {
    pub(super) heads: &'a [(usize, usize)],
    pub(super) seen: Vec<Vec<Vec<f32>>>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(heads: &'a [(usize, usize)]) -> Self {
        Self {
            heads,
            seen: vec![Vec::new(); heads.len()],
        }
    }
}

impl Decoder {
    pub(super) fn load(products: &Products, weights: &mut Weights) -> Result<Self, ModelError> {
        let h = weights.hparams();
        let (width, heads) = (h.n_text_state as usize, h.n_text_head as usize);
        let scale = 1.0 / ((width / heads) as f32).sqrt();
        let mut blocks = Vec::new();
        for layer in 0..h.n_text_layer {
            let name = |part: &str| format!("decoder.blocks.{layer}.{part}");
            blocks.push(Block {
                attention_norm: weights.norm(&name("attn_ln"))?,
                query_key_value: weights.linear(
                    products,
                    &[
                        (name("attn.query"), scale),
                        (name("attn.key"), 1.0),
                        (name("attn.value"), 1.0),
                    ],
                    width,
                )?,
                attention_out: weights.linear(products, &[(name("attn.out"), 1.0)], width)?,
                cross_norm: weights.norm(&name("cross_attn_ln"))?,
                cross_query: weights.linear(
                    products,
                    &[(name("cross_attn.query"), scale)],
                    width,
                )?,
                cross_key_value: weights.linear(
                    products,
                    &[
                        (name("cross_attn.key"), 1.0),
                        (name("cross_attn.value"), 1.0),
                    ],
                    width,
                )?,
                cross_out: weights.linear(products, &[(name("cross_attn.out"), 1.0)], width)?,
                mlp_norm: weights.norm(&name("mlp_ln"))?,
                mlp_in: weights.linear(products, &[(name("mlp.0"), 1.0)], width)?,
                mlp_out: weights.linear(products, &[(name("mlp.2"), 1.0)], 4 * width)?,
            });
        }
        let embedding = weights.tensor("decoder.token_embedding.weight")?;
        let mut tokens = Vec::with_capacity(embedding.len());
        let token_scales: Vec<f32> = embedding
            .chunks_exact(width)
            .map(|row| plain_steps(row, &mut tokens))
            .collect();
        let outputs = token_scales.len();
        Ok(Self {
            tokens,
            token_scales,
            positions: weights.tensor("decoder.positional_embedding")?,
            blocks,
            norm: weights.norm("decoder.ln")?,
            logits: Linear::new(products, &embedding, width, vec![0.0; outputs]),
            width,
            heads,
            context: h.n_text_ctx as usize,
        })
    }

    /// Tokens there are.
    pub(super) fn vocabulary(&self) -> usize {
        self.token_scales.len()
    }

    /// Tokens that fit.
    pub(super) fn context(&self) -> usize {
        self.context
    }

    pub(super) fn past(&self, slots: usize) -> Past {
        Past {
            layers: self.blocks.iter().map(|_| Vec::new()).collect(),
            slots,
            width: self.width,
        }
    }

    /// Prepares the encoder's rows.
    pub(super) fn hear(
        &self,
        products: &Products,
        encoded: &[f32],
        scratch: &mut Scratch,
    ) -> Heard {
        let width = self.width;
        let positions = encoded.len() / width;
        let head = width / self.heads;
        let mut both = vec![0.0; positions * 2 * width];
        let mut heads = Vec::with_capacity(self.blocks.len() * self.heads);
        for block in &self.blocks {
            block
                .cross_key_value
                .apply(products, encoded, &mut both, Then::Store, scratch);
            for first in (0..width).step_by(head) {
                heads.push((
                    products.panel(&both[first..], [head, positions], [1, 2 * width]),
                    products.panel(&both[width + first..], [positions, head], [2 * width, 1]),
                ));
            }
        }
        Heard { heads, positions }
    }

    /// Computes rows; returns the last layer's row of numbers for each.
    pub(super) fn run(
        &self,
        products: &Products,
        rows: &[Row],
        heard: &[Heard],
        past: &mut Past,
        mut watch: Option<&mut Watch>,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let width = self.width;
        past.make_room(rows.iter().map(|row| row.past.len() + 1).max().unwrap_or(0));
        let mut x = Vec::with_capacity(rows.len() * width);
        for row in rows {
            let token = &self.tokens[row.token as usize * width..][..width];
            let scale = self.token_scales[row.token as usize];
            let position = &self.positions[row.past.len() * width..][..width];
            x.extend(
                token
                    .iter()
                    .zip(position)
                    .map(|(token, position)| f32::from(*token) * scale + position),
            );
        }
        let mut normal = Vec::new();
        let mut mixed = vec![0.0; rows.len() * width];
        let mut wide = vec![0.0; rows.len() * 4 * width];
        for (layer, block) in self.blocks.iter().enumerate() {
            block.attention_norm.apply(&x, &mut normal);
            let qkv = &mut wide[..rows.len() * 3 * width];
            block
                .query_key_value
                .apply(products, &normal, qkv, Then::Store, scratch);
            self.remember(layer, rows, qkv, past);
            self.attention(layer, rows, qkv, past, &mut mixed);
            block
                .attention_out
                .apply(products, &mixed, &mut x, Then::Add, scratch);

            block.cross_norm.apply(&x, &mut normal);
            let query = &mut wide[..rows.len() * width];
            block
                .cross_query
                .apply(products, &normal, query, Then::Store, scratch);
            self.cross(
                products,
                layer,
                rows,
                query,
                heard,
                &mut mixed,
                watch.as_deref_mut(),
            );
            block
                .cross_out
                .apply(products, &mixed, &mut x, Then::Add, scratch);

            block.mlp_norm.apply(&x, &mut normal);
            block
                .mlp_in
                .apply(products, &normal, &mut wide, Then::Gelu, scratch);
            block
                .mlp_out
                .apply(products, &wide, &mut x, Then::Add, scratch);
        }
        self.norm.apply(&x, &mut normal);
        normal
    }

    /// How likely each token is next, for rows that [`Decoder::run`] computed: logarithms up to a constant.
    pub(super) fn logits(
        &self,
        products: &Products,
        rows: &[f32],
        out: &mut Vec<f32>,
        scratch: &mut Scratch,
    ) {
        out.resize(rows.len() / self.width * self.vocabulary(), 0.0);
        self.logits.apply(products, rows, out, Then::Store, scratch);
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    fn remember(&self, layer: usize, rows: &[Row], qkv: &[f32], past: &mut Past) {
        let (width, slots) = (self.width, past.slots);
        for (row, qkv) in rows.iter().zip(qkv.chunks_exact(3 * width)) {
            let store = &mut past.layers[layer][row.past.len()];
            let slot = usize::from(row.slot);
            store[slot * width..][..width].copy_from_slice(&qkv[width..2 * width]);
            store[(slots + slot) * width..][..width].copy_from_slice(&qkv[2 * width..]);
        }
    }

    fn attention(&self, layer: usize, rows: &[Row], qkv: &[f32], past: &Past, out: &mut [f32]) {
        let (width, heads) = (self.width, self.heads);
        let head = width / heads;
        let mut scores = Vec::new();
        for ((row, qkv), out) in rows
            .iter()
            .zip(qkv.chunks_exact(3 * width))
            .zip(out.chunks_exact_mut(width))
        {
            let length = row.past.len() + 1;
            let slot = |position: usize| row.past.get(position).copied().unwrap_or(row.slot);
            scores.resize(heads * length, 0.0);
            vectorized(
                #[inline(always)]
                || {
                    for position in 0..length {
                        let key = past.key(layer, position, slot(position));
                        for (h, (query, key)) in qkv[..width]
                            .chunks_exact(head)
                            .zip(key.chunks_exact(head))
                            .enumerate()
                        {
                            scores[h * length + position] = dot(query, key);
                        }
                    }
                },
            );
            for scores in scores.chunks_exact_mut(length) {
                softmax(scores);
            }
            vectorized(
                #[inline(always)]
                || {
                    out.fill(0.0);
                    for position in 0..length {
                        let value = past.value(layer, position, slot(position));
                        for (h, (out, value)) in out
                            .chunks_exact_mut(head)
                            .zip(value.chunks_exact(head))
                            .enumerate()
                        {
                            add_scaled(out, scores[h * length + position], value);
                        }
                    }
                },
            );
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn cross(
        &self,
        products: &Products,
        layer: usize,
        rows: &[Row],
        query: &[f32],
        heard: &[Heard],
        out: &mut [f32],
        mut watch: Option<&mut Watch>,
    ) {
        let width = self.width;
        let head = width / self.heads;
        let (mut scores, mut mixed) = (Vec::new(), Vec::new());
        let mut first_row = 0;
        for group in rows.chunk_by(|a, b| a.window == b.window) {
            let heard = &heard[group[0].window];
            scores.resize(group.len() * heard.positions, 0.0);
            mixed.resize(group.len() * head, 0.0);
            for h in 0..self.heads {
                let (keys, values) = &heard.heads[layer * self.heads + h];
                products.float(
                    &query[first_row * width + h * head..],
                    group.len(),
                    width,
                    keys,
                    &mut scores,
                );
                for row in scores.chunks_exact_mut(heard.positions) {
                    softmax(row);
                }
                if let Some(watch) = &mut watch
                    && let Some(at) = watch
                        .heads
                        .iter()
                        .position(|watched| *watched == (layer, h))
                {
                    watch.seen[at]
                        .extend(scores.chunks_exact(heard.positions).map(<[f32]>::to_vec));
                }
                products.float(&scores, group.len(), heard.positions, values, &mut mixed);
                for (row, mixed) in mixed.chunks_exact(head).enumerate() {
                    out[(first_row + row) * width + h * head..][..head].copy_from_slice(mixed);
                }
            }
            first_row += group.len();
        }
    }
}
