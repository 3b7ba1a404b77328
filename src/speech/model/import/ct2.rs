//! CTranslate2's Whisper directory (what faster-whisper downloads): `model.bin`
//! with `vocabulary.txt` or `vocabulary.json`. Called by [`super::open`].
//!
//! `model.bin`, version 6, little-endian: u32 version; string name of the model
//! kind; u32 revision; u32 count of variables, each string name, u8 rank, u32
//! dimensions, u8 type, u32 bytes, data; u32 count of aliases, each string alias
//! and string target. A string is u16 length including a final NUL, bytes.
//! (CTranslate2: `python/ctranslate2/specs/model_spec.py`, `_serialize`.)

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::weight::{Dtype, Scale, Weight};
use super::{Source, vocab};
use crate::speech::model::ModelError;
use crate::speech::model::ggml::Hparams;

pub(super) fn open(dir: &Path) -> Result<Source, ModelError> {
    let model = Model::read(&dir.join("model.bin"))?;
    let hparams = model.hparams()?;
    let vocab = vocab::from_ct2(dir, vocab::ordinary(hparams.n_vocab))?;
    Source::assemble(dir, hparams, vocab, |name| model.find(name))
}

/// The contents of a `model.bin`, weights left on disk.
struct Model {
    path: PathBuf,
    variables: HashMap<String, Weight>,
}

impl Model {
    fn read(path: &Path) -> Result<Self, ModelError> {
        let file = File::open(path).map_err(ModelError::io(path))?;
        let size = file.metadata().map_err(ModelError::io(path))?.len();
        let mut reader = Reader {
            inner: BufReader::new(file),
            path,
            pos: 0,
            size,
        };
        let version = reader.u32()?;
        if version != 5 && version != 6 {
            let reason = if version == 0x6767_6d6c {
                "this is a ggml file: give the file itself, not its directory".to_owned()
            } else {
                format!(
                    "CTranslate2 file version {version}, expected 5 or 6: convert it again with a current CTranslate2"
                )
            };
            return Err(ModelError::import(path, reason));
        }
        let kind = reader.string()?;
        if kind != "WhisperSpec" {
            return Err(ModelError::import(
                path,
                format!("it holds a {kind}, not a Whisper model"),
            ));
        }
        reader.u32()?;
        let mut variables = HashMap::new();
        for _ in 0..reader.u32()? {
            let name = reader.string()?;
            let rank = reader.u8()?;
            let shape: Vec<usize> = (0..rank)
                .map(|_| Ok(reader.u32()? as usize))
                .collect::<Result<_, _>>()?;
            let dtype = match reader.u8()? {
                0 => Dtype::F32,
                1 => Dtype::I8,
                2 => Dtype::I16,
                4 => Dtype::F16,
                5 => Dtype::Bf16,
                // Counts of heads and flags are i32 here; they are not weights.
                _ => {
                    let bytes = reader.u32()?;
                    reader.skip(bytes.into())?;
                    continue;
                }
            };
            let bytes = reader.u32()?;
            let weight = Weight::plain(path, reader.pos, dtype, shape);
            if weight.len() as u64 * dtype.bytes() != u64::from(bytes) {
                return Err(ModelError::import(
                    path,
                    format!("variable {name} is damaged"),
                ));
            }
            reader.skip(bytes.into())?;
            variables.insert(name, weight);
        }
        for _ in 0..reader.u32()? {
            let (alias, target) = (reader.string()?, reader.string()?);
            if let Some(weight) = variables.get(&target) {
                variables.insert(alias, weight.clone());
            }
        }
        Ok(Self {
            path: path.to_owned(),
            variables,
        })
    }

    fn hparams(&self) -> Result<Hparams, ModelError> {
        let dim = |name: &str, axis: usize| -> Result<u32, ModelError> {
            let weight = self.variable(name)?;
            weight
                .shape
                .get(axis)
                .and_then(|n| u32::try_from(*n).ok())
                .ok_or_else(|| ModelError::import(&self.path, format!("{name} is no matrix")))
        };
        let layers = |side: &str| {
            (0..)
                .take_while(|i| {
                    let name = format!("{side}/layer_{i}/self_attention/linear_0/weight");
                    self.variables.contains_key(&name)
                })
                .count() as u32
        };
        let n_audio_state = dim("encoder/position_encodings/encodings", 1)?;
        let n_text_state = dim("decoder/embeddings/weight", 1)?;
        Ok(Hparams {
            n_vocab: dim("decoder/embeddings/weight", 0)?,
            n_audio_ctx: dim("encoder/position_encodings/encodings", 0)?,
            n_audio_state,
            n_audio_head: n_audio_state / HEAD,
            n_audio_layer: layers("encoder"),
            n_text_ctx: dim("decoder/position_encodings/encodings", 0)?,
            n_text_state,
            n_text_head: n_text_state / HEAD,
            n_text_layer: layers("decoder"),
            n_mels: dim("encoder/conv1/weight", 1)?,
            ftype: 1,
        })
    }

    fn variable(&self, name: &str) -> Result<Weight, ModelError> {
        self.variables
            .get(name)
            .cloned()
            .ok_or_else(|| ModelError::import(&self.path, format!("variable {name} is missing")))
    }

    /// A variable together with the scale it was quantized by.
    fn weight(&self, name: &str) -> Result<Weight, ModelError> {
        let weight = self.variable(name)?;
        match self.variables.get(&format!("{name}_scale")) {
            None => Ok(weight),
            Some(scale) => {
                let values = scale.read()?;
                let scale = match values.as_slice() {
                    [one] => Scale::One(*one),
                    rows => Scale::Rows(rows.into()),
                };
                Ok(weight.scaled(scale))
            }
        }
    }

    /// The weight that OpenAI's name stands for.
    fn find(&self, name: &str) -> Result<Weight, ModelError> {
        let (side, rest) = name.split_once('.').unwrap_or((name, ""));
        if let Some(rest) = rest.strip_prefix("blocks.") {
            let (layer, part) = rest.split_once('.').unwrap_or((rest, ""));
            return self.block(&format!("{side}/layer_{layer}"), part);
        }
        let (part, kind) = rest.rsplit_once('.').unwrap_or((rest, ""));
        match part {
            "ln" | "ln_post" => self.weight(&format!("{side}/layer_norm/{}", norm(kind))),
            "token_embedding" => self.weight("decoder/embeddings/weight"),
            "conv1" | "conv2" => self.weight(&format!("{side}/{part}/{kind}")),
            _ => self.weight(&format!("{side}/position_encodings/encodings")),
        }
    }

    fn block(&self, layer: &str, part: &str) -> Result<Weight, ModelError> {
        let (part, kind) = part.rsplit_once('.').unwrap_or((part, ""));
        match part.split_once('.') {
            None => {
                let of = match part {
                    "attn_ln" => "self_attention",
                    "cross_attn_ln" => "attention",
                    _ => "ffn",
                };
                self.weight(&format!("{layer}/{of}/layer_norm/{}", norm(kind)))
            }
            Some(("mlp", "0")) => self.weight(&format!("{layer}/ffn/linear_0/{kind}")),
            Some(("mlp", _)) => self.weight(&format!("{layer}/ffn/linear_1/{kind}")),
            // q, k and v are one matrix, stacked on the output axis.
            Some(("attn", "out")) => {
                self.weight(&format!("{layer}/self_attention/linear_1/{kind}"))
            }
            Some(("attn", what)) => {
                let joined = format!("{layer}/self_attention/linear_0");
                let part = match what {
                    "query" => 0,
                    "key" => 1,
                    _ => 2,
                };
                self.stacked(&joined, kind, part, 3, part == 1)
            }
            // Across: q alone, then k and v stacked.
            Some((_, "query")) => self.weight(&format!("{layer}/attention/linear_0/{kind}")),
            Some((_, "out")) => self.weight(&format!("{layer}/attention/linear_2/{kind}")),
            Some((_, what)) => {
                let joined = format!("{layer}/attention/linear_1");
                self.stacked(
                    &joined,
                    kind,
                    usize::from(what == "value"),
                    2,
                    what == "key",
                )
            }
        }
    }

    /// One of the matrices that were stacked. Whisper's keys have no bias and
    /// ggml has no place for one, so it must be zero.
    fn stacked(
        &self,
        joined: &str,
        kind: &str,
        part: usize,
        parts: usize,
        key: bool,
    ) -> Result<Weight, ModelError> {
        if key {
            let bias = self
                .weight(&format!("{joined}/bias"))?
                .part(part, parts)
                .read()?;
            if bias.iter().any(|b| *b != 0.0) {
                let reason = format!("{joined} has a key bias, which Whisper does not have");
                return Err(ModelError::import(&self.path, reason));
            }
        }
        Ok(self.weight(&format!("{joined}/{kind}"))?.part(part, parts))
    }
}

/// Every Whisper has attention heads of 64 values.
const HEAD: u32 = 64;

fn norm(kind: &str) -> &'static str {
    if kind == "weight" { "gamma" } else { "beta" }
}

struct Reader<'a> {
    inner: BufReader<File>,
    path: &'a Path,
    pos: u64,
    size: u64,
}

impl Reader<'_> {
    fn bytes(&mut self, n: usize) -> Result<Vec<u8>, ModelError> {
        self.need(n as u64)?;
        let mut out = vec![0; n];
        self.inner
            .read_exact(&mut out)
            .map_err(ModelError::io(self.path))?;
        self.pos += n as u64;
        Ok(out)
    }

    fn need(&self, n: u64) -> Result<(), ModelError> {
        if self.size - self.pos < n {
            let reason = format!("it is cut off after {} bytes: copy it again", self.size);
            return Err(ModelError::import(self.path, reason));
        }
        Ok(())
    }

    fn skip(&mut self, n: u64) -> Result<(), ModelError> {
        self.need(n)?;
        let by = i64::try_from(n).unwrap_or(i64::MAX);
        self.inner
            .seek_relative(by)
            .map_err(ModelError::io(self.path))?;
        self.pos += n;
        Ok(())
    }

    fn u8(&mut self) -> Result<u8, ModelError> {
        Ok(self.bytes(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, ModelError> {
        let b = self.bytes(4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn string(&mut self) -> Result<String, ModelError> {
        let b = self.bytes(2)?;
        let mut raw = self.bytes(u16::from_le_bytes([b[0], b[1]]).into())?;
        if raw.pop() != Some(0) {
            return Err(ModelError::import(self.path, "a name in it is damaged"));
        }
        Ok(String::from_utf8_lossy(&raw).into_owned())
    }
}
