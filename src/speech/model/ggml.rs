//! whisper.cpp's model file: its header, its tensors, and whether it is whole.
//!
//! Layout (all little-endian i32 unless said): magic `ggml`, eleven
//! hyper-parameters, the mel filters (rows, columns, f32 values), the vocabulary
//! (count, then length and bytes of each token), then to the end of the file
//! tensors: number of dimensions, length of the name, type, dimensions (fastest
//! first), name, data. There is no count of tensors and no checksum, so a cut
//! file is only noticed by walking through it.
//!
//! Called by the store (is this file usable?) and by the import (read and write).

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::ModelError;

pub(in crate::speech) const MAGIC: u32 = 0x6767_6d6c;
/// ggml puts the version of its quantization formats into the file type.
pub(in crate::speech) const QUANT_VERSION_FACTOR: u32 = 1000;

pub(in crate::speech) const F32: u32 = 0;
pub(in crate::speech) const F16: u32 = 1;

/// The hyper-parameters in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::speech) struct Hparams {
    pub(in crate::speech) n_vocab: u32,
    pub(in crate::speech) n_audio_ctx: u32,
    pub(in crate::speech) n_audio_state: u32,
    pub(in crate::speech) n_audio_head: u32,
    pub(in crate::speech) n_audio_layer: u32,
    pub(in crate::speech) n_text_ctx: u32,
    pub(in crate::speech) n_text_state: u32,
    pub(in crate::speech) n_text_head: u32,
    pub(in crate::speech) n_text_layer: u32,
    pub(in crate::speech) n_mels: u32,
    /// The file type: 0 f32, 1 f16, else 2000 + a quantized type.
    pub(in crate::speech) ftype: u32,
}

impl Hparams {
    pub(in crate::speech) fn to_array(self) -> [u32; 11] {
        [
            self.n_vocab,
            self.n_audio_ctx,
            self.n_audio_state,
            self.n_audio_head,
            self.n_audio_layer,
            self.n_text_ctx,
            self.n_text_state,
            self.n_text_head,
            self.n_text_layer,
            self.n_mels,
            self.ftype,
        ]
    }

    fn from_array(v: [u32; 11]) -> Self {
        Self {
            n_vocab: v[0],
            n_audio_ctx: v[1],
            n_audio_state: v[2],
            n_audio_head: v[3],
            n_audio_layer: v[4],
            n_text_ctx: v[5],
            n_text_state: v[6],
            n_text_head: v[7],
            n_text_layer: v[8],
            n_mels: v[9],
            ftype: v[10],
        }
    }

    /// Whether the model knows more than English (whisper.cpp's own rule).
    pub(in crate::speech) fn multilingual(&self) -> bool {
        self.n_vocab >= 51_865
    }

    /// The number format of the weights as a person names it.
    pub(in crate::speech) fn quantization(&self) -> &'static str {
        match self.ftype % QUANT_VERSION_FACTOR {
            0 => "f32",
            1 => "f16",
            2 => "q4_0",
            3 => "q4_1",
            7 => "q8_0",
            8 => "q5_0",
            9 => "q5_1",
            10 => "q2_k",
            11 => "q3_k",
            12 => "q4_k",
            13 => "q5_k",
            14 => "q6_k",
            _ => "unknown",
        }
    }
}

/// Where a tensor lies in the file.
#[derive(Debug, Clone)]
pub(in crate::speech) struct Tensor {
    pub(in crate::speech) name: String,
    /// Slowest dimension first (the reverse of the file).
    pub(in crate::speech) shape: Vec<usize>,
    pub(in crate::speech) kind: u32,
    pub(in crate::speech) offset: u64,
}

/// A model file that has been walked through from end to end.
#[derive(Debug, Clone)]
pub(in crate::speech) struct GgmlFile {
    pub(in crate::speech) hparams: Hparams,
    pub(in crate::speech) mel: Vec<f32>,
    pub(in crate::speech) vocab: Vec<Vec<u8>>,
    pub(in crate::speech) tensors: Vec<Tensor>,
}

/// Bytes of a row of `n` values of a ggml type; `None` for a type that Whisper
/// files do not use or a row that does not fill whole blocks.
pub(in crate::speech) fn row_bytes(kind: u32, n: usize) -> Option<u64> {
    let (per_block, bytes) = match kind {
        F32 => (1, 4),
        F16 => (1, 2),
        2 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        _ => return None,
    };
    n.is_multiple_of(per_block)
        .then_some((n / per_block) as u64 * bytes)
}

/// Walks through the file and checks that all of it is there.
pub(in crate::speech) fn inspect(path: &Path) -> Result<GgmlFile, ModelError> {
    let file = File::open(path).map_err(ModelError::io(path))?;
    let size = file.metadata().map_err(ModelError::io(path))?.len();
    let mut reader = Walker {
        reader: BufReader::new(file),
        path,
        pos: 0,
        size,
    };
    if size < 48 || reader.u32()? != MAGIC {
        return Err(ModelError::invalid(
            path,
            "it does not begin like a whisper.cpp model",
        ));
    }
    let mut numbers = [0; 11];
    for n in &mut numbers {
        *n = reader.u32()?;
    }
    let hparams = Hparams::from_array(numbers);
    let limits = [
        500_000, 100_000, 16_384, 512, 512, 100_000, 16_384, 512, 512, 1024, 4000,
    ];
    if numbers.iter().zip(limits).any(|(n, max)| *n > max) || numbers[..10].contains(&0) {
        return Err(ModelError::invalid(
            path,
            "its header holds impossible numbers",
        ));
    }

    let (rows, cols) = (reader.u32()?, reader.u32()?);
    if rows != hparams.n_mels || cols == 0 || cols > 4096 {
        return Err(ModelError::invalid(
            path,
            "its mel filters have an impossible size",
        ));
    }
    let mut raw = vec![0; (rows * cols * 4) as usize];
    reader.fill(&mut raw)?;
    let mel = raw
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect();

    let n_tokens = reader.u32()?;
    if n_tokens > hparams.n_vocab {
        return Err(ModelError::invalid(
            path,
            "its vocabulary is larger than its header says",
        ));
    }
    let mut vocab = Vec::with_capacity(n_tokens as usize);
    for _ in 0..n_tokens {
        let len = reader.u32()?;
        if len > 1024 {
            return Err(ModelError::invalid(path, "its vocabulary is damaged"));
        }
        let mut token = vec![0; len as usize];
        reader.fill(&mut token)?;
        vocab.push(token);
    }

    let mut tensors = Vec::new();
    while reader.pos < size {
        tensors.push(reader.tensor()?);
    }
    let there: HashSet<&str> = tensors.iter().map(|t| t.name.as_str()).collect();
    let wanted = tensor_names(hparams.n_audio_layer, hparams.n_text_layer);
    if let Some(missing) = wanted.iter().find(|name| !there.contains(name.as_str())) {
        return Err(ModelError::invalid(
            path,
            format!(
                "it is incomplete ({} of {} tensors; no {missing})",
                there.len(),
                wanted.len()
            ),
        ));
    }
    Ok(GgmlFile {
        hparams,
        mel,
        vocab,
        tensors,
    })
}

struct Walker<'a> {
    reader: BufReader<File>,
    path: &'a Path,
    pos: u64,
    size: u64,
}

impl Walker<'_> {
    fn fill(&mut self, into: &mut [u8]) -> Result<(), ModelError> {
        self.need(into.len() as u64)?;
        self.reader
            .read_exact(into)
            .map_err(ModelError::io(self.path))?;
        self.pos += into.len() as u64;
        Ok(())
    }

    fn need(&self, bytes: u64) -> Result<(), ModelError> {
        if self.size - self.pos < bytes {
            let reason = format!("it is cut off after {} bytes", self.size);
            return Err(ModelError::invalid(self.path, reason));
        }
        Ok(())
    }

    fn u32(&mut self) -> Result<u32, ModelError> {
        let mut b = [0; 4];
        self.fill(&mut b)?;
        Ok(u32::from_le_bytes(b))
    }

    fn tensor(&mut self) -> Result<Tensor, ModelError> {
        let (n_dims, name_len, kind) = (self.u32()?, self.u32()?, self.u32()?);
        if !(1..=4).contains(&n_dims) || !(1..=256).contains(&name_len) {
            return Err(ModelError::invalid(
                self.path,
                "the description of a tensor is damaged",
            ));
        }
        let mut shape = Vec::with_capacity(n_dims as usize);
        for _ in 0..n_dims {
            shape.insert(0, self.u32()? as usize);
        }
        let mut name = vec![0; name_len as usize];
        self.fill(&mut name)?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let (rows, row) = rows_and_row(&shape);
        let bytes = row_bytes(kind, row)
            .and_then(|row| row.checked_mul(rows as u64))
            .ok_or_else(|| {
                ModelError::invalid(self.path, format!("tensor {name} has an unknown format"))
            })?;
        self.need(bytes)?;
        let tensor = Tensor {
            name,
            shape,
            kind,
            offset: self.pos,
        };
        self.reader
            .seek(SeekFrom::Start(self.pos + bytes))
            .map_err(ModelError::io(self.path))?;
        self.pos += bytes;
        Ok(tensor)
    }
}

/// A shape as (number of rows, values in a row), the row being the fastest axis.
pub(in crate::speech) fn rows_and_row(shape: &[usize]) -> (usize, usize) {
    let row = shape.last().copied().unwrap_or(1);
    (shape.iter().rev().skip(1).product(), row)
}

/// The names of all tensors, in the order of OpenAI's checkpoints, which is the
/// order of the published files.
pub(in crate::speech) fn tensor_names(n_audio_layer: u32, n_text_layer: u32) -> Vec<String> {
    let mut names = vec![
        "decoder.positional_embedding".to_owned(),
        "encoder.positional_embedding".to_owned(),
        "decoder.token_embedding.weight".to_owned(),
    ];
    for layer in 0..n_text_layer {
        block_names(&mut names, &format!("decoder.blocks.{layer}"), true);
    }
    pair(&mut names, "decoder.ln");
    pair(&mut names, "encoder.conv1");
    pair(&mut names, "encoder.conv2");
    for layer in 0..n_audio_layer {
        block_names(&mut names, &format!("encoder.blocks.{layer}"), false);
    }
    pair(&mut names, "encoder.ln_post");
    names
}

fn block_names(names: &mut Vec<String>, block: &str, decoder: bool) {
    for part in ["mlp_ln", "mlp.0", "mlp.2", "attn_ln"] {
        pair(names, &format!("{block}.{part}"));
    }
    attention_names(names, &format!("{block}.attn"));
    if decoder {
        pair(names, &format!("{block}.cross_attn_ln"));
        attention_names(names, &format!("{block}.cross_attn"));
    }
}

fn attention_names(names: &mut Vec<String>, attention: &str) {
    pair(names, &format!("{attention}.query"));
    names.push(format!("{attention}.key.weight"));
    pair(names, &format!("{attention}.value"));
    pair(names, &format!("{attention}.out"));
}

fn pair(names: &mut Vec<String>, of: &str) {
    names.push(format!("{of}.weight"));
    names.push(format!("{of}.bias"));
}
