//! A Hugging Face Whisper directory: `model.safetensors` (or shards with
//! `model.safetensors.index.json`), `config.json` and the tokenizer. Called by
//! [`super::open`].
//!
//! A safetensors file is u64 length of the header, the header as JSON
//! (`name → {dtype, shape, data_offsets}`, offsets counted from its end), data.
//! The header is read here rather than by the `safetensors` crate, which wants
//! the whole file in memory or mapped.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::weight::{Dtype, Weight};
use super::{Source, vocab};
use crate::speech::model::ModelError;
use crate::speech::model::ggml::Hparams;

const MAX_HEADER_BYTES: u64 = 100 << 20;

pub(super) fn open(dir: &Path) -> Result<Source, ModelError> {
    let config: Config = parse(&dir.join("config.json"))?;
    let model = Model::read(dir)?;
    let hparams = model.hparams(&config)?;
    model.check_output_is_tied()?;
    let vocab = vocab::from_hf(dir, vocab::ordinary(hparams.n_vocab))?;
    Source::assemble(dir, hparams, vocab, |name| model.find(name))
}

/// The part of `config.json` that the weights do not tell.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    model_type: String,
    encoder_layers: u32,
    encoder_attention_heads: u32,
    decoder_layers: u32,
    decoder_attention_heads: u32,
}

#[derive(Deserialize)]
struct Shards {
    weight_map: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// All tensors of the directory, weights left on disk.
struct Model {
    dir: PathBuf,
    tensors: HashMap<String, Weight>,
}

impl Model {
    fn read(dir: &Path) -> Result<Self, ModelError> {
        let index = dir.join("model.safetensors.index.json");
        let files: HashSet<String> = if index.is_file() {
            let shards: Shards = parse(&index)?;
            shards.weight_map.into_values().collect()
        } else {
            HashSet::from(["model.safetensors".to_owned()])
        };
        let mut tensors = HashMap::new();
        for file in files {
            if file.contains(['/', '\\']) {
                return Err(ModelError::import(&index, format!("shard name {file:?}")));
            }
            read_shard(&dir.join(file), &mut tensors)?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            tensors,
        })
    }

    fn hparams(&self, config: &Config) -> Result<Hparams, ModelError> {
        if config.model_type != "whisper" {
            let reason = format!("config.json says model_type {:?}", config.model_type);
            return Err(ModelError::import(&self.dir, reason));
        }
        let dim = |name: &str, axis: usize| {
            let weight = self.get(name)?;
            weight
                .shape
                .get(axis)
                .and_then(|n| u32::try_from(*n).ok())
                .ok_or_else(|| ModelError::import(&self.dir, format!("{name} is no matrix")))
        };
        Ok(Hparams {
            n_vocab: dim("decoder.embed_tokens.weight", 0)?,
            n_audio_ctx: dim("encoder.embed_positions.weight", 0)?,
            n_audio_state: dim("encoder.embed_positions.weight", 1)?,
            n_audio_head: config.encoder_attention_heads,
            n_audio_layer: config.encoder_layers,
            n_text_ctx: dim("decoder.embed_positions.weight", 0)?,
            n_text_state: dim("decoder.embed_tokens.weight", 1)?,
            n_text_head: config.decoder_attention_heads,
            n_text_layer: config.decoder_layers,
            n_mels: dim("encoder.conv1.weight", 1)?,
            ftype: 1,
        })
    }

    fn get(&self, name: &str) -> Result<Weight, ModelError> {
        self.tensors
            .get(&format!("model.{name}"))
            .or_else(|| self.tensors.get(name))
            .cloned()
            .ok_or_else(|| ModelError::import(&self.dir, format!("tensor model.{name} is missing")))
    }

    /// whisper.cpp uses the token embedding for its output as well.
    fn check_output_is_tied(&self) -> Result<(), ModelError> {
        let (Some(output), Ok(embedding)) = (
            self.tensors.get("proj_out.weight"),
            self.get("decoder.embed_tokens.weight"),
        ) else {
            return Ok(());
        };
        let rows = output.shape.first().copied().unwrap_or(1).max(1);
        let same = output.shape == embedding.shape
            && [0, rows / 2, rows - 1]
                .into_iter()
                .try_fold(true, |same, row| {
                    let here = output.clone().part(row, rows).read()?;
                    Ok::<_, ModelError>(same && here == embedding.clone().part(row, rows).read()?)
                })?;
        if same {
            return Ok(());
        }
        Err(ModelError::import(
            &self.dir,
            "its output layer (proj_out) differs from its token embedding; whisper.cpp needs them to be tied: train with tie_word_embeddings",
        ))
    }

    /// The weight that OpenAI's name stands for.
    fn find(&self, name: &str) -> Result<Weight, ModelError> {
        let (side, rest) = name.split_once('.').unwrap_or((name, ""));
        let theirs = match rest.strip_prefix("blocks.").and_then(|r| r.split_once('.')) {
            Some((layer, part)) => {
                let (part, kind) = part.rsplit_once('.').unwrap_or((part, ""));
                let part = match part {
                    "mlp_ln" => "final_layer_norm".to_owned(),
                    "mlp.0" => "fc1".to_owned(),
                    "mlp.2" => "fc2".to_owned(),
                    "attn_ln" => "self_attn_layer_norm".to_owned(),
                    "cross_attn_ln" => "encoder_attn_layer_norm".to_owned(),
                    attention => attention
                        .replace("cross_attn.", "encoder_attn.")
                        .replace("query", "q_proj")
                        .replace("key", "k_proj")
                        .replace("value", "v_proj")
                        .replace(".out", ".out_proj"),
                };
                // "attn.…" of the layer itself; the other one has its prefix by now.
                let part = match part.strip_prefix("attn.") {
                    Some(own) => format!("self_attn.{own}"),
                    None => part,
                };
                format!("{side}.layers.{layer}.{part}.{kind}")
            }
            None => match rest.split_once('.') {
                None => format!("{side}.embed_positions.weight"),
                Some(("ln" | "ln_post", kind)) => format!("{side}.layer_norm.{kind}"),
                Some(("token_embedding", kind)) => format!("{side}.embed_tokens.{kind}"),
                Some(_) => format!("{side}.{rest}"),
            },
        };
        self.get(&theirs)
    }
}

fn read_shard(path: &Path, tensors: &mut HashMap<String, Weight>) -> Result<(), ModelError> {
    let mut file = File::open(path).map_err(ModelError::io(path))?;
    let size = file.metadata().map_err(ModelError::io(path))?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(ModelError::io(path))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES || length + 8 > size {
        return Err(ModelError::import(
            path,
            "it is not a safetensors file (a Git LFS pointer? fetch it with `git lfs pull`)",
        ));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(ModelError::io(path))?;
    let entries: HashMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|e| ModelError::import(path, e.to_string()))?;
    for (name, value) in entries {
        if name == "__metadata__" {
            continue;
        }
        let entry: Entry =
            serde_json::from_value(value).map_err(|e| ModelError::import(path, e.to_string()))?;
        let dtype = match entry.dtype.as_str() {
            "F32" => Dtype::F32,
            "F16" => Dtype::F16,
            "BF16" => Dtype::Bf16,
            other => {
                let reason = format!(
                    "tensor {name} is {other}: save the model as float16, bfloat16 or float32"
                );
                return Err(ModelError::import(path, reason));
            }
        };
        let [from, to] = entry.data_offsets;
        let weight = Weight::plain(path, 8 + length + from, dtype, entry.shape);
        let bytes = weight.len() as u64 * dtype.bytes();
        if to.checked_sub(from) != Some(bytes) || 8 + length + to > size {
            let reason = format!("it is cut off or damaged at tensor {name}: copy it again");
            return Err(ModelError::import(path, reason));
        }
        tensors.insert(name, weight);
    }
    Ok(())
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    let text = std::fs::read(path).map_err(ModelError::io(path))?;
    serde_json::from_slice(&text).map_err(|e| ModelError::import(path, e.to_string()))
}
