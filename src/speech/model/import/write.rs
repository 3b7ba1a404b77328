//! Writes a [`Source`] as a ggml file. Called by the import.
//!
//! Which tensor gets which format is whisper.cpp's rule: only two-dimensional
//! weights are quantized; vectors, positional embeddings and the biases of the
//! convolutions stay f32, the convolutions f16.

use super::quant::Format;
use super::{Quantize, Source};
use crate::speech::model::files::PartFile;
use crate::speech::model::ggml::{self, Hparams, rows_and_row};
use crate::speech::model::{ModelError, Progress, Step};

fn format_of(name: &str, shape: &[usize], quantize: Quantize) -> Format {
    let plain = shape.len() < 2
        || name.ends_with("positional_embedding")
        || name == "encoder.conv1.bias"
        || name == "encoder.conv2.bias";
    if plain {
        return Format::F32;
    }
    if shape.len() == 2 {
        quantize.format()
    } else {
        Format::F16
    }
}

fn header(source: &Source, quantize: Quantize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |v: u32| out.extend(v.to_le_bytes());
    put(ggml::MAGIC);
    let hparams = Hparams {
        ftype: quantize.file_type(),
        ..source.hparams
    };
    hparams.to_array().into_iter().for_each(&mut put);
    put(hparams.n_mels);
    put(source.mel.len() as u32 / hparams.n_mels);
    out.extend(source.mel.iter().flat_map(|v| v.to_le_bytes()));
    out.extend((source.vocab.len() as u32).to_le_bytes());
    for token in &source.vocab {
        out.extend((token.len() as u32).to_le_bytes());
        out.extend(token);
    }
    out
}

fn tensor_header(name: &str, shape: &[usize], format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |v: u32| out.extend(v.to_le_bytes());
    put(shape.len() as u32);
    put(name.len() as u32);
    put(format.tensor_type());
    shape.iter().rev().for_each(|n| put(*n as u32));
    out.extend(name.as_bytes());
    out
}

pub(super) fn size_bytes(source: &Source, quantize: Quantize) -> u64 {
    let tensors = source.tensors.iter().map(|(name, weight)| {
        let format = format_of(name, &weight.shape, quantize);
        let (rows, row) = rows_and_row(&weight.shape);
        let data = ggml::row_bytes(format.tensor_type(), row).unwrap_or(0) * rows as u64;
        tensor_header(name, &weight.shape, format).len() as u64 + data
    });
    header(source, quantize).len() as u64 + tensors.sum::<u64>()
}

pub(super) fn write(
    source: &Source,
    out: &mut PartFile,
    quantize: Quantize,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ModelError> {
    let total_bytes = size_bytes(source, quantize);
    out.append(&header(source, quantize))?;
    let mut encoded = Vec::new();
    for (name, weight) in &source.tensors {
        let format = format_of(name, &weight.shape, quantize);
        out.append(&tensor_header(name, &weight.shape, format))?;
        weight.for_each_block(|values| {
            encoded.clear();
            format.encode(values, &mut encoded);
            out.append(&encoded)?;
            progress(Progress {
                step: Step::Convert,
                done_bytes: out.len(),
                total_bytes,
            });
            Ok(())
        })?;
    }
    Ok(())
}
