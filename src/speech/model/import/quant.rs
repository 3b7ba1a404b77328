//! Number formats of ggml: plain f32 and f16 and the block formats q5_0, q5_1
//! and q8_0, computed as ggml's reference functions do (`quantize_row_*_ref`),
//! so that a conversion here gives the bytes that whisper.cpp's tool gives.
//! Called by the writer.

use half::f16;

use super::Quantize;
use crate::speech::model::ggml;

/// Weights in a block that shares one scale.
pub(super) const BLOCK: usize = 32;

/// The number format of one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    F32,
    F16,
    Q5_0,
    Q5_1,
    Q8_0,
}

impl Format {
    /// ggml's number for the tensor type.
    pub(super) fn tensor_type(self) -> u32 {
        match self {
            Self::F32 => ggml::F32,
            Self::F16 => ggml::F16,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
        }
    }

    /// Appends the values; for the block formats a multiple of [`BLOCK`].
    pub(super) fn encode(self, values: &[f32], out: &mut Vec<u8>) {
        let blocks = values.as_chunks::<BLOCK>().0;
        match self {
            Self::F32 => out.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            Self::F16 => {
                out.extend(values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()));
            }
            Self::Q5_0 => blocks.iter().for_each(|b| q5_0(b, out)),
            Self::Q5_1 => blocks.iter().for_each(|b| q5_1(b, out)),
            Self::Q8_0 => blocks.iter().for_each(|b| q8_0(b, out)),
        }
    }
}

impl Quantize {
    /// The format of two-dimensional weights.
    pub(super) fn format(self) -> Format {
        match self {
            Self::No => Format::F16,
            Self::Q5_0 => Format::Q5_0,
            Self::Q5_1 => Format::Q5_1,
            Self::Q8_0 => Format::Q8_0,
        }
    }

    /// The file type in the header: ggml's number, and for the block formats
    /// 1000 times the version of those formats (2).
    pub(super) fn file_type(self) -> u32 {
        const QUANT_VERSION: u32 = 2;
        let quantized = |n| QUANT_VERSION * ggml::QUANT_VERSION_FACTOR + n;
        match self {
            Self::No => 1,
            Self::Q8_0 => quantized(7),
            Self::Q5_0 => quantized(8),
            Self::Q5_1 => quantized(9),
        }
    }
}

fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

fn half_bytes(v: f32) -> [u8; 2] {
    f16::from_f32(v).to_le_bytes()
}

/// f16 scale, 32 signed bytes.
fn q8_0(x: &[f32; BLOCK], out: &mut Vec<u8>) {
    let largest = x.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let scale = largest / 127.0;
    let inverse = inverse(scale);
    out.extend(half_bytes(scale));
    out.extend(
        x.iter()
            .map(|v| ((v * inverse).round() as i8).cast_unsigned()),
    );
}

/// f16 scale, the fifth bits as u32, 16 bytes of two low nibbles each.
fn q5_0(x: &[f32; BLOCK], out: &mut Vec<u8>) {
    let mut extreme = 0.0_f32;
    for v in x {
        if extreme.abs() < v.abs() {
            extreme = *v;
        }
    }
    let scale = extreme / -16.0;
    let inverse = inverse(scale);
    out.extend(half_bytes(scale));
    five_bits(
        x.map(|v| ((v * inverse + 16.5) as i8).min(31).cast_unsigned()),
        out,
    );
}

/// f16 scale, f16 smallest value, then as q5_0.
fn q5_1(x: &[f32; BLOCK], out: &mut Vec<u8>) {
    let smallest = x.iter().copied().fold(f32::MAX, f32::min);
    let largest = x.iter().copied().fold(f32::MIN, f32::max);
    let scale = (largest - smallest) / 31.0;
    let inverse = inverse(scale);
    out.extend(half_bytes(scale));
    out.extend(half_bytes(smallest));
    five_bits(x.map(|v| ((v - smallest) * inverse + 0.5) as u8), out);
}

fn five_bits(q: [u8; BLOCK], out: &mut Vec<u8>) {
    let high = q
        .iter()
        .enumerate()
        .fold(0_u32, |bits, (i, v)| bits | (u32::from(v >> 4 & 1) << i));
    out.extend(high.to_le_bytes());
    let (first, second) = q.split_at(BLOCK / 2);
    out.extend(
        first
            .iter()
            .zip(second)
            .map(|(a, b)| (a & 0x0f) | ((b & 0x0f) << 4)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> [f32; BLOCK] {
        std::array::from_fn(|i| (i as f32 - 11.3) * 0.37)
    }

    fn half_at(bytes: &[u8], at: usize) -> f32 {
        f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
    }

    fn five_bit(bytes: &[u8], i: usize) -> u8 {
        let high = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let low = if i < 16 {
            bytes[4 + i] & 0x0f
        } else {
            bytes[4 + i - 16] >> 4
        };
        low | ((high >> i & 1) as u8) << 4
    }

    #[test]
    fn sizes_are_those_of_ggml() {
        for (format, bytes) in [
            (Format::Q5_0, 22),
            (Format::Q5_1, 24),
            (Format::Q8_0, 34),
            (Format::F16, 64),
        ] {
            let mut out = Vec::new();
            format.encode(&ramp(), &mut out);
            assert_eq!(out.len(), bytes);
            let kind = format.tensor_type();
            assert_eq!(ggml::row_bytes(kind, BLOCK), Some(bytes as u64));
        }
        assert_eq!(ggml::row_bytes(8, 33), None);
    }

    #[test]
    fn values_come_back_within_half_a_step() {
        let x = ramp();
        let mut out = Vec::new();
        Format::Q8_0.encode(&x, &mut out);
        let step = half_at(&out, 0);
        for (i, v) in x.iter().enumerate() {
            let back = f32::from(out[2 + i].cast_signed()) * step;
            assert!((back - v).abs() <= step * 0.51, "{i}: {v} {back}");
        }

        out.clear();
        Format::Q5_0.encode(&x, &mut out);
        let step = half_at(&out, 0);
        for (i, v) in x.iter().enumerate() {
            let back = (f32::from(five_bit(&out[2..], i)) - 16.0) * step;
            assert!((back - v).abs() <= step.abs() * 1.01, "{i}: {v} {back}");
        }

        out.clear();
        Format::Q5_1.encode(&x, &mut out);
        let (step, least) = (half_at(&out, 0), half_at(&out, 2));
        for (i, v) in x.iter().enumerate() {
            let back = f32::from(five_bit(&out[4..], i)) * step + least;
            assert!((back - v).abs() <= step * 0.6, "{i}: {v} {back}");
        }
    }

    #[test]
    fn a_block_of_zeros_has_no_scale() {
        for format in [Format::Q5_0, Format::Q5_1, Format::Q8_0] {
            let mut out = Vec::new();
            format.encode(&[0.0; BLOCK], &mut out);
            assert_eq!(half_at(&out, 0), 0.0);
        }
    }
}
