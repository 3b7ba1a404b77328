//! Parts of the engine against plain arithmetic.

use super::linear::{Linear, Products, Scratch, Then};
use super::vector::{LayerNorm, dot, exp_sum, range_with_zero, softmax};

fn numbers(count: usize, mut seed: u64) -> Vec<f32> {
    (0..count)
        .map(|_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 33) as f32 / (1u64 << 31) as f32 - 0.5) * 2.0
        })
        .collect()
}

fn exact(x: &[f32], weights: &[f32], bias: &[f32], inputs: usize) -> Vec<f32> {
    x.chunks_exact(inputs)
        .flat_map(|row| {
            weights
                .chunks_exact(inputs)
                .zip(bias)
                .map(|(weights, bias)| {
                    row.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>() + bias
                })
                .collect::<Vec<f32>>()
        })
        .collect()
}

/// Root of the mean square of the difference ÷ that of the expected values.
fn relative_error(found: &[f32], expected: &[f32]) -> f32 {
    let error: f32 = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).powi(2))
        .sum();
    let size: f32 = expected.iter().map(|b| b * b).sum();
    (error / size).sqrt()
}

/// Rows are quantized each by itself and more rows than a block holds are
/// computed; an outlier in every row makes their zero points differ.
#[test]
fn a_layer_is_as_exact_as_8_bits_allow() {
    let products = Products::new();
    for (rows, inputs, outputs) in [(1, 64, 48), (5, 512, 512), (200, 512, 96), (100, 2048, 64)] {
        let mut x = numbers(rows * inputs, 1);
        for (row, x) in x.chunks_exact_mut(inputs).enumerate() {
            x[7] += 3.0 + row as f32 / 50.0;
        }
        let weights = numbers(outputs * inputs, 2);
        let bias = numbers(outputs, 3);
        let layer = Linear::new(&products, &weights, inputs, bias.clone());
        let mut out = vec![7.0; rows * outputs];
        let mut scratch = Scratch::default();
        layer.apply(&products, &x, &mut out, Then::Store, &mut scratch);
        let expected = exact(&x, &weights, &bias, inputs);
        let error = relative_error(&out, &expected);
        assert!(error < 0.02, "{rows} × {inputs} → {outputs}: {error}");
        layer.apply(&products, &x, &mut out, Then::Add, &mut scratch);
        let twice: Vec<f32> = expected.iter().map(|x| 2.0 * x).collect();
        assert!(relative_error(&out, &twice) < 0.02);
    }
}

/// Without VNNI products of neighbours are added in 16 bits: large neighbours of
/// one sign must not overflow.
#[test]
fn large_neighbouring_weights_do_not_overflow() {
    let products = Products::new();
    let weights = vec![1.0; 64];
    let x = vec![1.0; 64];
    let layer = Linear::new(&products, &weights, 64, vec![0.0]);
    let mut out = vec![0.0];
    layer.apply(
        &products,
        &x,
        &mut out,
        Then::Store,
        &mut Scratch::default(),
    );
    assert!((out[0] - 64.0).abs() < 1.0, "{}", out[0]);
}

#[test]
fn products_of_strided_matrices_are_exact() {
    let products = Products::new();
    for (rows, inner, columns, stride) in [(96, 64, 300, 192), (3, 300, 64, 300), (7, 8, 5, 16)] {
        let a = numbers(rows * stride, 4);
        let b = numbers(inner * columns, 5);
        let panel = products.panel(&b, [inner, columns], [1, inner]);
        let mut out = vec![0.0; rows * columns];
        products.float(&a, rows, stride, &panel, &mut out);
        for row in 0..rows {
            for column in 0..columns {
                let expected: f32 = (0..inner)
                    .map(|i| a[row * stride + i] * b[column * inner + i])
                    .sum();
                assert!((out[row * columns + column] - expected).abs() < 1e-3);
            }
        }
    }
}

#[test]
fn rows_are_normalized_and_summed_as_written() {
    let x = numbers(96, 6);
    let norm = LayerNorm {
        weight: vec![2.0; 48],
        bias: vec![0.5; 48],
    };
    let mut out = Vec::new();
    norm.apply(&x, &mut out);
    for row in out.chunks_exact(48) {
        let mean = row.iter().sum::<f32>() / 48.0;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 48.0;
        assert!(
            (mean - 0.5).abs() < 1e-4 && (variance - 4.0).abs() < 1e-2,
            "{mean} {variance}"
        );
    }
    let expected: f32 = x[..48].iter().zip(&x[48..]).map(|(a, b)| a * b).sum();
    assert!((dot(&x[..48], &x[48..]) - expected).abs() < 1e-4);
    let expected: f32 = x.iter().map(|x| (x - 1.0).exp()).sum();
    assert!((exp_sum(&x, 1.0) - expected).abs() < 1e-3);
    let mut row = x.clone();
    softmax(&mut row);
    assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    assert_eq!(range_with_zero(&[2.0, 3.0, 1.0]), (0.0, 3.0));
}
