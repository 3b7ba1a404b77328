//! Turns a team's own Whisper model into whisper.cpp's format: a CTranslate2
//! (faster-whisper) directory, a Hugging Face safetensors directory or an
//! existing ggml file. Called by [`super::ModelStore::import`].
//!
//! Each source is described as a [`Source`]: numbers, vocabulary and, for every
//! tensor, where its values lie on disk. The writer then goes through them block
//! by block, so that a 3 GB model needs some megabytes of memory.

mod ct2;
mod hf;
mod mel;
mod quant;
mod vocab;
mod weight;
mod write;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use self::weight::{Dtype, Weight};
use super::files::PartFile;
use super::ggml::{self, Hparams};
use super::{ModelError, Progress};

/// The number format of the written weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantize {
    /// Half precision; an existing ggml file keeps what it has.
    #[default]
    No,
    /// 5 bits with a scale per 32 weights.
    Q5_0,
    /// 5 bits with a scale and an offset per 32 weights.
    Q5_1,
    /// 8 bits with a scale per 32 weights: half the size of f16, the same text.
    Q8_0,
}

impl FromStr for Quantize {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "f16" | "none" => Ok(Self::No),
            "q5_0" => Ok(Self::Q5_0),
            "q5_1" => Ok(Self::Q5_1),
            "q8_0" => Ok(Self::Q8_0),
            _ => Err(format!("{s:?} is not one of f16, q5_0, q5_1, q8_0")),
        }
    }
}

impl fmt::Display for Quantize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "f16",
            Self::Q5_0 => "q5_0",
            Self::Q5_1 => "q5_1",
            Self::Q8_0 => "q8_0",
        })
    }
}

/// A model to be written.
pub(super) struct Source {
    hparams: Hparams,
    mel: Vec<f32>,
    vocab: Vec<Vec<u8>>,
    /// In the order in which they are written.
    tensors: Vec<(String, Weight)>,
}

/// What [`open`] found.
pub(super) enum Opened {
    /// A ggml file that needs no change: copy it.
    Copy,
    /// A model that has to be written anew.
    Convert(Source),
}

/// Finds out what `path` is and reads all but its weights.
pub(super) fn open(path: &Path, quantize: Quantize) -> Result<Opened, ModelError> {
    let meta = std::fs::metadata(path).map_err(ModelError::io(path))?;
    if !meta.is_dir() {
        return open_file(path, quantize);
    }
    let has = |name: &str| path.join(name).is_file();
    if has("model.safetensors") || has("model.safetensors.index.json") {
        return hf::open(path).map(Opened::Convert);
    }
    if has("model.bin") {
        return ct2::open(path).map(Opened::Convert);
    }
    let reason = if has("adapter_model.safetensors") {
        "this is a LoRA adapter, not a model: merge it into its base model first (peft: merge_and_unload, save_pretrained)"
    } else if has("pytorch_model.bin") || has("pytorch_model.bin.index.json") {
        "it holds pytorch_model.bin; save it as safetensors first (transformers: save_pretrained(dir, safe_serialization=True))"
    } else {
        "expected a directory with model.bin and vocabulary.txt/json (CTranslate2, faster-whisper) or with model.safetensors, config.json and vocab.json (Hugging Face), or a ggml .bin file"
    };
    Err(ModelError::import(path, reason))
}

fn open_file(path: &Path, quantize: Quantize) -> Result<Opened, ModelError> {
    if let Some("pt" | "safetensors") = path.extension().and_then(|e| e.to_str()) {
        return Err(ModelError::import(
            path,
            "give the directory that holds it together with config.json and vocab.json (an OpenAI .pt file is converted to safetensors by transformers first)",
        ));
    }
    let file = ggml::inspect(path).map_err(|error| match (error, path.file_name()) {
        (ModelError::Invalid { .. }, Some(name)) if name == "model.bin" => ModelError::import(
            path,
            "this looks like CTranslate2's model.bin: give the directory that holds it",
        ),
        (error, _) => error,
    })?;
    let already = file.hparams.quantization();
    if quantize == Quantize::No || already == quantize.to_string() {
        return Ok(Opened::Copy);
    }
    if file.hparams.ftype > 1 {
        let reason = format!(
            "it is {already} already and cannot become {quantize}: import the f16 or f32 file, or leave --quantize out"
        );
        return Err(ModelError::import(path, reason));
    }
    check_dimensions(path, &file.hparams)?;
    let tensors = file
        .tensors
        .into_iter()
        .map(|t| {
            let dtype = if t.kind == ggml::F32 {
                Dtype::F32
            } else {
                Dtype::F16
            };
            (t.name, Weight::plain(path, t.offset, dtype, t.shape))
        })
        .collect();
    Ok(Opened::Convert(Source {
        hparams: file.hparams,
        mel: file.mel,
        vocab: file.vocab,
        tensors,
    }))
}

impl Source {
    /// Puts the pieces together and checks that they fit whisper.cpp.
    fn assemble(
        path: &Path,
        hparams: Hparams,
        vocab: Vec<Vec<u8>>,
        mut find: impl FnMut(&str) -> Result<Weight, ModelError>,
    ) -> Result<Self, ModelError> {
        // whisper.cpp derives the ids of all special tokens from this number.
        if !(51_864..=51_866).contains(&hparams.n_vocab) {
            let reason = format!(
                "its vocabulary has {} tokens, whisper.cpp knows 51864 (English), 51865 and 51866 (multilingual) only: fine-tune without adding tokens",
                hparams.n_vocab
            );
            return Err(ModelError::import(path, reason));
        }
        if hparams.n_mels != 80 && hparams.n_mels != 128 {
            let reason = format!("{} mel bands, expected 80 or 128", hparams.n_mels);
            return Err(ModelError::import(path, reason));
        }
        check_dimensions(path, &hparams)?;
        let tensors = ggml::tensor_names(hparams.n_audio_layer, hparams.n_text_layer)
            .into_iter()
            .map(|name| {
                let mut weight = find(&name)?;
                let expected = expected_len(&hparams, &name);
                if weight.len() != expected {
                    let reason = format!(
                        "tensor {name} has {} values, expected {expected}",
                        weight.len()
                    );
                    return Err(ModelError::import(path, reason));
                }
                // whisper.cpp adds these to a matrix and wants a column.
                if name == "encoder.conv1.bias" || name == "encoder.conv2.bias" {
                    weight.shape.push(1);
                }
                Ok((name, weight))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            hparams,
            mel: mel::filters(hparams.n_mels as usize),
            vocab,
            tensors,
        })
    }

    /// The size of the file that [`Source::write`] makes.
    pub(super) fn size_bytes(&self, quantize: Quantize) -> u64 {
        write::size_bytes(self, quantize)
    }

    /// Writes the ggml file; reading errors come as [`ModelError`] of their file.
    pub(super) fn write(
        &self,
        out: &mut PartFile,
        quantize: Quantize,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), ModelError> {
        write::write(self, out, quantize, progress)
    }
}

fn check_dimensions(path: &Path, h: &Hparams) -> Result<(), ModelError> {
    // The block formats need rows of whole blocks; heads have 64 values.
    let wide = |n: u32| n > 0 && n.is_multiple_of(64) && n <= 16_384;
    let deep = |n: u32| (1..=256).contains(&n);
    if wide(h.n_audio_state)
        && wide(h.n_text_state)
        && deep(h.n_audio_layer)
        && deep(h.n_text_layer)
        && deep(h.n_audio_head)
        && deep(h.n_text_head)
    {
        return Ok(());
    }
    Err(ModelError::import(
        path,
        "its dimensions are not those of a Whisper model",
    ))
}

/// How many values a tensor of that name has in a Whisper of these dimensions.
fn expected_len(h: &Hparams, name: &str) -> usize {
    let state = if name.starts_with("encoder") {
        h.n_audio_state
    } else {
        h.n_text_state
    } as usize;
    let bias = name.ends_with(".bias");
    if name.ends_with("positional_embedding") {
        let ctx = if name.starts_with("encoder") {
            h.n_audio_ctx
        } else {
            h.n_text_ctx
        };
        ctx as usize * state
    } else if name.contains("token_embedding") {
        h.n_vocab as usize * state
    } else if name.contains("conv1") && !bias {
        state * h.n_mels as usize * 3
    } else if name.contains("conv2") && !bias {
        state * state * 3
    } else if name.contains("ln") || (bias && !name.contains("mlp.0")) {
        state
    } else if name.contains("mlp.0") && bias {
        4 * state
    } else if name.contains("mlp.") {
        4 * state * state
    } else {
        state * state
    }
}
