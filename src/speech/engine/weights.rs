//! Reads the numbers of a model file. Used once, when a model is loaded.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::linear::{Linear, Products};
use super::vector::LayerNorm;
use crate::speech::model::ModelError;
use crate::speech::model::ggml::{self, GgmlFile, Hparams, Tensor};

const Q5_0: u32 = 6;
const Q5_1: u32 = 7;
const Q8_0: u32 = 8;

/// A model file, open.
pub(super) struct Weights {
    file: File,
    path: std::path::PathBuf,
    header: GgmlFile,
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    pub(super) fn open(path: &Path) -> Result<Self, ModelError> {
        let header = ggml::inspect(path)?;
        let tensors = header
            .tensors
            .iter()
            .map(|tensor| (tensor.name.clone(), tensor.clone()))
            .collect();
        Ok(Self {
            file: File::open(path).map_err(ModelError::io(path))?,
            path: path.to_owned(),
            header,
            tensors,
        })
    }

    /// Whether all its number formats are known here.
    pub(super) fn readable(&self) -> bool {
        self.header
            .tensors
            .iter()
            .all(|tensor| [ggml::F32, ggml::F16, Q5_0, Q5_1, Q8_0].contains(&tensor.kind))
    }

    pub(super) fn hparams(&self) -> Hparams {
        self.header.hparams
    }

    /// The filters of the mel bands, one row a band.
    pub(super) fn mel(&self) -> &[f32] {
        &self.header.mel
    }

    /// The bytes of each text token.
    pub(super) fn take_vocabulary(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.header.vocab)
    }

    /// All numbers of a tensor, slowest dimension first.
    pub(super) fn tensor(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        let invalid = |reason: String| ModelError::invalid(&self.path, reason);
        let tensor = self
            .tensors
            .get(name)
            .ok_or_else(|| invalid(format!("it has no {name}")))?;
        let (rows, row) = ggml::rows_and_row(&tensor.shape);
        let bytes = ggml::row_bytes(tensor.kind, row).unwrap_or(0) * rows as u64;
        let mut raw = vec![0; bytes as usize];
        self.file
            .seek(SeekFrom::Start(tensor.offset))
            .and_then(|_| self.file.read_exact(&mut raw))
            .map_err(ModelError::io(&self.path))?;
        Ok(match tensor.kind {
            ggml::F32 => raw
                .as_chunks()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b))
                .collect(),
            ggml::F16 => raw.as_chunks::<2>().0.iter().map(|b| half(b)).collect(),
            Q8_0 => raw
                .as_chunks::<34>()
                .0
                .iter()
                .flat_map(|block| {
                    let scale = half(&block[..2]);
                    block[2..].iter().map(move |q| f32::from(*q as i8) * scale)
                })
                .collect(),
            Q5_0 => raw
                .as_chunks::<22>()
                .0
                .iter()
                .flat_map(|block| five_bits(&block[2..], half(&block[..2]), None))
                .collect(),
            Q5_1 => raw
                .as_chunks::<24>()
                .0
                .iter()
                .flat_map(|block| {
                    five_bits(&block[4..], half(&block[..2]), Some(half(&block[2..4])))
                })
                .collect(),
            _ => return Err(invalid(format!("{name} has an unsupported number format"))),
        })
    }

    pub(super) fn norm(&mut self, name: &str) -> Result<LayerNorm, ModelError> {
        Ok(LayerNorm {
            weight: self.tensor(&format!("{name}.weight"))?,
            bias: self.tensor(&format!("{name}.bias"))?,
        })
    }

    /// One layer of several that read the same input; each is `name` and a factor.
    pub(super) fn linear(
        &mut self,
        products: &Products,
        names: &[(String, f32)],
        inputs: usize,
    ) -> Result<Linear, ModelError> {
        let (weights, biases) = self.stacked(names, inputs)?;
        Ok(Linear::new(products, &weights, inputs, biases))
    }

    fn stacked(
        &mut self,
        names: &[(String, f32)],
        inputs: usize,
    ) -> Result<(Vec<f32>, Vec<f32>), ModelError> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for (name, factor) in names {
            let part = self.tensor(&format!("{name}.weight"))?;
            let outputs = part.len() / inputs;
            weights.extend(part.into_iter().map(|x| x * factor));
            let bias = format!("{name}.bias");
            if self.tensors.contains_key(&bias) {
                biases.extend(self.tensor(&bias)?.into_iter().map(|x| x * factor));
            } else {
                biases.resize(biases.len() + outputs, 0.0);
            }
        }
        Ok((weights, biases))
    }
}

fn half(bytes: &[u8]) -> f32 {
    half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// A block of 32 values of 5 bits: the fifth bits, then the other four of value
/// i and of value i + 16 in one byte (ggml's q5_0 without and q5_1 with an offset).
fn five_bits(block: &[u8], scale: f32, offset: Option<f32>) -> [f32; 32] {
    let fifth = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
    std::array::from_fn(|at| {
        let byte = block[4 + at % 16];
        let four = if at < 16 { byte & 15 } else { byte >> 4 };
        let five = f32::from(four) + if fifth >> at & 1 == 1 { 16.0 } else { 0.0 };
        match offset {
            Some(offset) => five * scale + offset,
            None => (five - 16.0) * scale,
        }
    })
}
