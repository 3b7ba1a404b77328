//! Arithmetic on rows of numbers, compiled for each instruction set and chosen
//! when it runs. Used by the layers of the model.

use rten_simd::{Isa, SimdOp, SimdUnaryOp};
use rten_vecmath::{Gelu, Softmax};

struct Vectorized<F>(F);

impl<R, F: FnOnce() -> R> SimdOp for Vectorized<F> {
    type Output = R;

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) -> R {
        (self.0)()
    }
}

/// Runs plain loops compiled with the widest vectors of this processor. The
/// closure and what it calls must be `#[inline(always)]`, or they are compiled
/// for the oldest processor.
pub(super) fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    Vectorized(work).dispatch()
}

/// Sum of products, in lanes, so that it can be computed in vectors.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (a, _) = a.as_chunks::<16>();
    let (b, _) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..16 {
            lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
        }
    }
    lanes.iter().sum()
}

/// `sum += factor × row`.
#[inline(always)]
pub(super) fn add_scaled(sum: &mut [f32], factor: f32, row: &[f32]) {
    for (sum, x) in sum.iter_mut().zip(row) {
        *sum = x.mul_add(factor, *sum);
    }
}

/// `sum += row`.
pub(super) fn add(sum: &mut [f32], row: &[f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (sum, x) in sum.iter_mut().zip(row) {
                *sum += x;
            }
        },
    );
}

/// Weights of a layer normalization.
pub(super) struct LayerNorm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl LayerNorm {
    /// Normalizes each row of `rows` (as long as the weights) into `out`.
    pub(super) fn apply(&self, rows: &[f32], out: &mut Vec<f32>) {
        let width = self.weight.len();
        out.resize(rows.len(), 0.0);
        vectorized(
            #[inline(always)]
            || {
                for (row, out) in rows.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                    let mean = lanes_sum(
                        row,
                        #[inline(always)]
                        |x| x,
                    ) / width as f32;
                    let variance = lanes_sum(
                        row,
                        #[inline(always)]
                        |x| (x - mean) * (x - mean),
                    ) / width as f32;
                    let scale = 1.0 / (variance + 1e-5).sqrt();
                    for (((out, x), weight), bias) in
                        out.iter_mut().zip(row).zip(&self.weight).zip(&self.bias)
                    {
                        *out = ((x - mean) * scale).mul_add(*weight, *bias);
                    }
                }
            },
        );
    }
}

#[inline(always)]
fn lanes_sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (chunks, rest) = row.as_chunks::<16>();
    for chunk in chunks {
        for lane in 0..16 {
            lanes[lane] += f(chunk[lane]);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|x| f(*x)).sum::<f32>()
}

/// Smallest and largest value; 0 is always within.
#[inline(always)]
pub(super) fn range_with_zero(row: &[f32]) -> (f32, f32) {
    let mut low = [0.0_f32; 16];
    let mut high = [0.0_f32; 16];
    let (chunks, rest) = row.as_chunks::<16>();
    for chunk in chunks {
        for lane in 0..16 {
            low[lane] = if chunk[lane] < low[lane] {
                chunk[lane]
            } else {
                low[lane]
            };
            high[lane] = if chunk[lane] > high[lane] {
                chunk[lane]
            } else {
                high[lane]
            };
        }
    }
    let fold = |a: f32, b: &f32| if *b < a { *b } else { a };
    let rise = |a: f32, b: &f32| if *b > a { *b } else { a };
    (
        rest.iter().fold(low.iter().fold(0.0, fold), fold),
        rest.iter().fold(high.iter().fold(0.0, rise), rise),
    )
}

/// The Gaussian error linear unit, in place.
pub(super) fn gelu(values: &mut [f32]) {
    Gelu {}.map_mut(values);
}

/// Softmax in place.
pub(super) fn softmax(row: &mut [f32]) {
    Softmax::new_mut(row).dispatch();
}

struct ExpSum<'a>(&'a [f32], f32);

impl SimdOp for ExpSum<'_> {
    type Output = f32;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> f32 {
        use rten_simd::SimdIterable;
        use rten_simd::ops::NumOps;
        let ops = isa.f32();
        let most = ops.splat(self.1);
        let mut sum = ops.zero();
        let chunks = self.0.simd_iter(ops);
        for x in chunks {
            sum = ops.add(
                sum,
                rten_simd::SimdUnaryOp::<f32>::eval(&rten_vecmath::Exp {}, isa, ops.sub(x, most)),
            );
        }
        let mut total: f32 = rten_simd::Simd::to_array(sum).into_iter().sum();
        let lanes = ops.len();
        for x in &self.0[self.0.len() / lanes * lanes..] {
            total += (x - self.1).exp();
        }
        total
    }
}

/// Sum of `exp(x - most)`; `most` is the largest value.
pub(super) fn exp_sum(values: &[f32], most: f32) -> f32 {
    ExpSum(values, most).dispatch()
}
