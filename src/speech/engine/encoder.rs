//! The encoder: mel energies of a window → one row of numbers for every 20 ms.

use super::linear::{Linear, Panel, Products, Scratch, Then};
use super::mel::Mel;
use super::vector::{LayerNorm, add, gelu, softmax};
use super::weights::Weights;
use crate::speech::model::ModelError;

/// Rows of attention computed at once.
const ATTENTION_ROWS: usize = 96;

pub(super) struct Encoder {
    conv1: Conv,
    conv2: Conv,
    positions: Vec<f32>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    width: usize,
    heads: usize,
}

struct Block {
    attention_norm: LayerNorm,
    query_key_value: Linear,
    attention_out: Linear,
    mlp_norm: LayerNorm,
    mlp_in: Linear,
    mlp_out: Linear,
}

/// A convolution over three neighbouring rows, as a matrix product.
struct Conv {
    weights: Panel,
    bias: Vec<f32>,
    inputs: usize,
    step: usize,
}

impl Conv {
    fn load(
        products: &Products,
        weights: &mut Weights,
        name: &str,
        inputs: usize,
        step: usize,
    ) -> Result<Self, ModelError> {
        // outputs × inputs × 3 in the file; the product wants (neighbour, input) × output.
        let kernel = weights.tensor(&format!("{name}.weight"))?;
        let outputs = kernel.len() / inputs / 3;
        let mut panel = vec![0.0; kernel.len()];
        for output in 0..outputs {
            for input in 0..inputs {
                for tap in 0..3 {
                    panel[(tap * inputs + input) * outputs + output] =
                        kernel[(output * inputs + input) * 3 + tap];
                }
            }
        }
        Ok(Self {
            weights: products.panel(&panel, [inputs * 3, outputs], [outputs, 1]),
            bias: weights.tensor(&format!("{name}.bias"))?,
            inputs,
            step,
        })
    }

    fn apply(&self, products: &Products, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.inputs;
        let outputs = self.bias.len();
        let mut out = vec![0.0; rows.div_ceil(self.step) * outputs];
        let mut neighbours = Vec::new();
        for (block, out) in out.chunks_mut(ATTENTION_ROWS * outputs).enumerate() {
            neighbours.clear();
            for row in 0..out.len() / outputs {
                let middle = (block * ATTENTION_ROWS + row) * self.step;
                for tap in 0..3 {
                    let at = (middle + tap).wrapping_sub(1);
                    if at < rows {
                        neighbours.extend_from_slice(&x[at * self.inputs..][..self.inputs]);
                    } else {
                        neighbours.resize(neighbours.len() + self.inputs, 0.0);
                    }
                }
            }
            products.float(
                &neighbours,
                out.len() / outputs,
                self.inputs * 3,
                &self.weights,
                out,
            );
            for row in out.chunks_exact_mut(outputs) {
                add(row, &self.bias);
            }
            gelu(out);
        }
        out
    }
}

impl Encoder {
    pub(super) fn load(products: &Products, weights: &mut Weights) -> Result<Self, ModelError> {
        let h = weights.hparams();
        let (width, heads) = (h.n_audio_state as usize, h.n_audio_head as usize);
        let scale = 1.0 / ((width / heads) as f32).sqrt();
        let mut blocks = Vec::new();
        for layer in 0..h.n_audio_layer {
            let name = |part: &str| format!("encoder.blocks.{layer}.{part}");
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
                mlp_norm: weights.norm(&name("mlp_ln"))?,
                mlp_in: weights.linear(products, &[(name("mlp.0"), 1.0)], width)?,
                mlp_out: weights.linear(products, &[(name("mlp.2"), 1.0)], 4 * width)?,
            });
        }
        Ok(Self {
            conv1: Conv::load(products, weights, "encoder.conv1", h.n_mels as usize, 1)?,
            conv2: Conv::load(products, weights, "encoder.conv2", width, 2)?,
            positions: weights.tensor("encoder.positional_embedding")?,
            blocks,
            norm: weights.norm("encoder.ln_post")?,
            width,
            heads,
        })
    }

    /// `positions` rows of the width of the model for the samples.
    pub(super) fn encode(
        &self,
        products: &Products,
        mel: &Mel,
        samples: &[f32],
        positions: usize,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let frames = mel.frames(samples, positions * 2);
        let mut x = self
            .conv2
            .apply(products, &self.conv1.apply(products, &frames));
        add(&mut x, &self.positions);
        let mut normal = Vec::new();
        let mut wide = vec![0.0; positions * 4 * self.width];
        for block in &self.blocks {
            block.attention_norm.apply(&x, &mut normal);
            let qkv = &mut wide[..positions * 3 * self.width];
            block
                .query_key_value
                .apply(products, &normal, qkv, Then::Store, scratch);
            self.attention(products, qkv, &mut normal);
            block
                .attention_out
                .apply(products, &normal, &mut x, Then::Add, scratch);
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

    fn attention(&self, products: &Products, qkv: &[f32], out: &mut [f32]) {
        let (width, stride) = (self.width, 3 * self.width);
        let head = width / self.heads;
        let rows = qkv.len() / stride;
        let mut scores = vec![0.0; ATTENTION_ROWS.min(rows) * rows];
        let mut mixed = vec![0.0; ATTENTION_ROWS * head];
        for first in (0..width).step_by(head) {
            let keys = products.panel(&qkv[width + first..], [head, rows], [1, stride]);
            let values = products.panel(&qkv[2 * width + first..], [rows, head], [stride, 1]);
            for start in (0..rows).step_by(ATTENTION_ROWS) {
                let count = ATTENTION_ROWS.min(rows - start);
                let scores = &mut scores[..count * rows];
                products.float(&qkv[start * stride + first..], count, stride, &keys, scores);
                for row in scores.chunks_exact_mut(rows) {
                    softmax(row);
                }
                let mixed = &mut mixed[..count * head];
                products.float(scores, count, rows, &values, mixed);
                for (row, mixed) in mixed.chunks_exact(head).enumerate() {
                    out[(start + row) * width + first..][..head].copy_from_slice(mixed);
                }
            }
        }
    }
}
