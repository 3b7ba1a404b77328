//! Matrix products: weights as 8-bit integers with a scale for each output,
//! rows of activations quantized as they come. Used by encoder and decoder.
//!
//! The products are rten's: for AVX2, for AVX-512 and for its VNNI, chosen when
//! the program runs.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

use super::vector::{range_with_zero, vectorized};

/// Rows that go through a layer at once: their results fit the cache.
const BLOCK_ROWS: usize = 96;

/// The products of this processor.
pub(in crate::speech) struct Products {
    int8: GemmExecutor<u8, i8, i32>,
    float: GemmExecutor<f32>,
}

impl Products {
    pub(in crate::speech) fn new() -> Self {
        Self {
            int8: GemmExecutor::new(),
            float: GemmExecutor::new(),
        }
    }

    /// The instructions in use, as rten names them.
    pub(in crate::speech) fn name(&self) -> &str {
        self.int8.kernel_name()
    }

    /// True where products of neighbours are added in 16 bits (no VNNI).
    pub(in crate::speech) fn sums_in_16_bits(&self) -> bool {
        self.int8.may_saturate()
    }

    /// `a` (rows × inner, rows `a_stride` apart) × `b` into `out` (rows × columns of `b`).
    pub(super) fn float(
        &self,
        a: &[f32],
        rows: usize,
        a_stride: usize,
        b: &Panel,
        out: &mut [f32],
    ) {
        let a = strided(a, [rows, b.0.rows()], [a_stride, 1]);
        if let Err(error) = self.float.gemm(
            out,
            GemmInputA::Unpacked(a),
            GemmInputB::Packed(&b.0),
            GemmOptions::default(),
        ) {
            unreachable!("shapes are fixed by the model: {error}");
        }
    }

    /// Prepares a matrix of which element (i, j) is `data[i × strides[0] + j × strides[1]]`.
    pub(super) fn panel(&self, data: &[f32], shape: [usize; 2], strides: [usize; 2]) -> Panel {
        Panel(self.float.prepack_b(strided(data, shape, strides)))
    }
}

/// A matrix prepared to be the right side of many products.
pub(super) struct Panel(PackedBMatrix<f32>);

fn strided<T>(data: &[T], shape: [usize; 2], strides: [usize; 2]) -> NdTensorView<'_, T, 2> {
    match NdTensorView::from_slice_with_strides(shape, data, strides) {
        Ok(view) => view,
        Err(error) => unreachable!("shapes are fixed by the model: {error}"),
    }
}

/// What becomes of a product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It replaces what is there.
    Store,
    /// It goes through GELU and replaces what is there.
    Gelu,
    /// It is added to what is there.
    Add,
}

/// A layer: `x · weightsᵀ + bias`.
pub(super) struct Linear {
    weights: PackedBMatrix<i8>,
    scales: Vec<f32>,
    /// For each output the sum of its weights: what a zero point of 1 adds to it.
    sums: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

/// Memory that products use again and again.
#[derive(Default)]
pub(super) struct Scratch {
    quantized: Vec<u8>,
    zero: Vec<f32>,
    scale: Vec<f32>,
    products: Vec<i32>,
}

impl Linear {
    /// `weights`: one row of `inputs` values for each output; `bias`: one value for each output.
    pub(super) fn new(products: &Products, weights: &[f32], inputs: usize, bias: Vec<f32>) -> Self {
        let pairs = products.sums_in_16_bits();
        let mut quantized = Vec::with_capacity(weights.len());
        let mut scales = Vec::with_capacity(bias.len());
        let mut sums = Vec::with_capacity(bias.len());
        for row in weights.chunks_exact(inputs) {
            let scale = if pairs {
                pair_steps(row, &mut quantized)
            } else {
                plain_steps(row, &mut quantized)
            };
            let sum: i32 = quantized[quantized.len() - inputs..]
                .iter()
                .map(|x| i32::from(*x))
                .sum();
            sums.push(sum as f32 * scale);
            scales.push(scale);
        }
        let outputs = scales.len();
        let weights = products
            .int8
            .prepack_b(strided(&quantized, [inputs, outputs], [1, inputs]));
        Self {
            weights,
            scales,
            sums,
            bias,
            inputs,
        }
    }

    pub(super) fn outputs(&self) -> usize {
        self.scales.len()
    }

    /// Computes all rows of `x`; `out` holds as many rows of outputs.
    pub(super) fn apply(
        &self,
        products: &Products,
        x: &[f32],
        out: &mut [f32],
        then: Then,
        scratch: &mut Scratch,
    ) {
        let outputs = self.outputs();
        for (x, out) in x
            .chunks(BLOCK_ROWS * self.inputs)
            .zip(out.chunks_mut(BLOCK_ROWS * outputs))
        {
            self.block(products, x, out, then, scratch);
        }
    }

    fn block(
        &self,
        products: &Products,
        x: &[f32],
        out: &mut [f32],
        then: Then,
        scratch: &mut Scratch,
    ) {
        let (inputs, outputs) = (self.inputs, self.outputs());
        let rows = x.len() / inputs;
        scratch.quantized.resize(rows * inputs, 0);
        scratch.zero.resize(rows, 0.0);
        scratch.scale.resize(rows, 0.0);
        scratch.products.resize(rows * outputs, 0);
        quantize(
            x,
            inputs,
            &mut scratch.quantized,
            &mut scratch.zero,
            &mut scratch.scale,
        );
        let a = strided(&scratch.quantized, [rows, inputs], [inputs, 1]);
        let done = products.int8.gemm(
            &mut scratch.products[..rows * outputs],
            GemmInputA::Unpacked(a),
            GemmInputB::Packed(&self.weights),
            GemmOptions::default(),
        );
        if let Err(error) = done {
            unreachable!("shapes are fixed by the model: {error}");
        }
        let sums = &scratch.products[..rows * outputs];
        vectorized(
            #[inline(always)]
            || {
                for (row, (sums, out)) in sums
                    .chunks_exact(outputs)
                    .zip(out.chunks_exact_mut(outputs))
                    .enumerate()
                {
                    let (scale, zero) = (scratch.scale[row], scratch.zero[row]);
                    let columns = self.scales.iter().zip(&self.sums).zip(&self.bias);
                    for ((out, sum), ((weight, whole), bias)) in
                        out.iter_mut().zip(sums).zip(columns)
                    {
                        let value =
                            (*sum as f32).mul_add(scale * weight, zero.mul_add(*whole, *bias));
                        *out = if then == Then::Add {
                            *out + value
                        } else {
                            value
                        };
                    }
                }
            },
        );
        if then == Then::Gelu {
            super::vector::gelu(out);
        }
    }
}

/// Largest magnitude of a row.
fn most(row: &[f32]) -> f32 {
    row.iter().fold(1e-12_f32, |most, x| most.max(x.abs()))
}

/// Appends a row of weights as 8-bit steps; returns what a step is worth.
pub(super) fn plain_steps(row: &[f32], out: &mut Vec<i8>) -> f32 {
    let scale = most(row) / 127.0;
    let steps = 1.0 / scale;
    vectorized(
        #[inline(always)]
        || out.extend(row.iter().map(|x| (x * steps).round_ties_even() as i8)),
    );
    scale
}

/// As [`plain_steps`] for processors without VNNI, which add the products of two
/// neighbours in 16 bits: 255 × (a + b) must stay below 2¹⁵, so two neighbours
/// of the same sign may be 128 together. Few weights of a row are that large: the
/// step is chosen with the least square error in all, from 7 bits for everything to
/// 8 bits with the large neighbours cut.
fn pair_steps(row: &[f32], out: &mut Vec<i8>) -> f32 {
    const LEVELS: [f32; 6] = [63.0, 80.0, 92.0, 104.0, 116.0, 127.0];
    let most = most(row);
    vectorized(
        #[inline(always)]
        || {
            let mut least = (f32::INFINITY, most / LEVELS[0]);
            for level in LEVELS {
                let error = pair_error(row, most / level);
                if error < least.0 {
                    least = (error, most / level);
                }
            }
            let (_, scale) = least;
            let (pairs, _) = row.as_chunks::<2>();
            for pair in pairs {
                out.extend(pair_step(*pair, 1.0 / scale).map(|step| step as i8));
            }
            scale
        },
    )
}

#[inline(always)]
fn pair_step(pair: [f32; 2], steps: f32) -> [f32; 2] {
    let a = (pair[0] * steps).round_ties_even();
    let b = (pair[1] * steps).round_ties_even();
    let over = ((a + b).abs() - 128.0).max(0.0);
    let cut = (over / 2.0).ceil().copysign(a + b);
    [a - cut, b - cut]
}

/// Sum of the square errors of a row, in lanes.
#[inline(always)]
fn pair_error(row: &[f32], scale: f32) -> f32 {
    let steps = 1.0 / scale;
    let mut lanes = [0.0_f32; 8];
    let (chunks, _) = row.as_chunks::<16>();
    for chunk in chunks {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            let pair = [chunk[2 * lane], chunk[2 * lane + 1]];
            let [a, b] = pair_step(pair, steps);
            let (a, b) = (a * scale - pair[0], b * scale - pair[1]);
            *sum += a * a + b * b;
        }
    }
    lanes.iter().sum()
}

/// Each row as 8-bit steps; `zero` becomes the value of the step 0.
fn quantize(x: &[f32], width: usize, out: &mut [u8], zero: &mut [f32], scale: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (((row, out), zero), scale) in x
                .chunks_exact(width)
                .zip(out.chunks_exact_mut(width))
                .zip(zero)
                .zip(scale)
            {
                let (low, high) = range_with_zero(row);
                *scale = ((high - low) / 255.0).max(1e-12);
                let steps = 1.0 / *scale;
                let offset = (-low * steps).round();
                *zero = -offset * *scale;
                for (out, x) in out.iter_mut().zip(row) {
                    // Rounded by the cast: the value is never negative.
                    *out = x.mul_add(steps, offset + 0.5).clamp(0.0, 255.0) as i32 as u8;
                }
            }
        },
    );
}
