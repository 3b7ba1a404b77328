//! A model in a number format that our engine does not read is computed by whisper.cpp.

use std::path::Path;

use half::f16;

use crate::fixtures::{bytes, clip, model};
use crate::process::{output, program, text};

/// Numbers that share a scale.
const BLOCK: usize = 32;
const Q8_0: u32 = 8;
/// A scale and a byte a number.
const Q8_0_BYTES: usize = 2 + BLOCK;
const Q5_0: u32 = 6;
/// The second version of the formats, mostly Q5_0.
const FILE_TYPE: u32 = 2008;

#[test]
fn a_model_of_five_bits_is_computed_by_whisper_cpp() {
    let dir = tempfile::tempdir().expect("a directory");
    let five_bits = dir.path().join("ggml-five.bin");
    std::fs::write(&five_bits, to_five_bits(&model())).expect("written");
    let mut command = program(dir.path());
    command
        .env("CALL_ANALYTICS_MODEL", &five_bits)
        .arg("analyze")
        .arg(clip(11));
    let done = output(&mut command, None);
    assert!(done.status.success(), "{}", text(&done));
    let said = String::from_utf8_lossy(&done.stdout).to_lowercase();
    for word in ["ромашка", "недел"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
}

/// Reads a model's file and writes what becomes of it.
struct Copy<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
}

impl<'a> Copy<'a> {
    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn take_number(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().expect("four bytes"))
    }

    fn pass(&mut self, bytes: usize) {
        let passed = self.take(bytes);
        self.out.extend(passed);
    }

    fn pass_number(&mut self) -> usize {
        let number = self.take_number();
        self.out.extend(number.to_le_bytes());
        number as usize
    }
}

/// The model's file with its tensors of 8 bits in 5 bits (the layout is told in
/// `speech::model::ggml`, the blocks in ggml's `quants.c`).
fn to_five_bits(path: &Path) -> Vec<u8> {
    let file = bytes(path);
    let mut copy = Copy {
        rest: &file,
        out: Vec::new(),
    };
    copy.pass(4 + 10 * 4);
    copy.take_number();
    copy.out.extend(FILE_TYPE.to_le_bytes());
    let filters = copy.pass_number() * copy.pass_number();
    copy.pass(4 * filters);
    for _ in 0..copy.pass_number() {
        let length = copy.pass_number();
        copy.pass(length);
    }
    let mut turned = 0;
    while !copy.rest.is_empty() {
        let dimensions = copy.pass_number();
        let name = copy.pass_number();
        let format = copy.take_number();
        let now = if format == Q8_0 { Q5_0 } else { format };
        copy.out.extend(now.to_le_bytes());
        let elements: usize = (0..dimensions).map(|_| copy.pass_number()).product();
        copy.pass(name);
        match format {
            Q8_0 => {
                for block in copy.take(elements / BLOCK * Q8_0_BYTES).chunks(Q8_0_BYTES) {
                    copy.out.extend(five_bits(block));
                }
                turned += 1;
            }
            0 => copy.pass(4 * elements),
            1 => copy.pass(2 * elements),
            other => panic!("a tensor of type {other}"),
        }
    }
    assert!(turned > 50, "{turned} tensors");
    copy.out
}

/// A block of Q8_0 as Q5_0: the scale, the fifth bits, the other four of two numbers a byte.
fn five_bits(block: &[u8]) -> Vec<u8> {
    let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
    let numbers: Vec<f32> = block[2..]
        .iter()
        .map(|byte| scale * f32::from(byte.cast_signed()))
        .collect();
    let most = numbers
        .iter()
        .copied()
        .max_by(|a, b| a.abs().total_cmp(&b.abs()))
        .expect("numbers");
    let step = most / -16.0;
    let inverse = if step == 0.0 { 0.0 } else { 1.0 / step };
    let bits: Vec<u8> = numbers
        .iter()
        .map(|number| (number * inverse + 16.5).clamp(0.0, 31.0) as u8)
        .collect();
    let fifth = bits
        .iter()
        .enumerate()
        .fold(0_u32, |fifth, (i, bits)| fifth | u32::from(bits >> 4) << i);
    let (low, high) = bits.split_at(BLOCK / 2);
    let four = low.iter().zip(high).map(|(a, b)| a & 15 | (b & 15) << 4);
    f16::from_f32(step)
        .to_le_bytes()
        .into_iter()
        .chain(fifth.to_le_bytes())
        .chain(four)
        .collect()
}
