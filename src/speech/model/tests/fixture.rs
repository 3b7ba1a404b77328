//! A Whisper of one layer and width 64, written as CTranslate2 or Hugging Face
//! would write it. Its values are representable in f16, so that all routes must
//! end in the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::f16;

const STATE: usize = 64;

/// Dimensions and content of the made-up model.
pub(super) struct Tiny {
    pub(super) n_vocab: usize,
    /// CTranslate2 stores a bias for keys, which must be zero.
    pub(super) key_bias: f32,
}

/// Shape and values.
type Tensor = (Vec<usize>, Vec<f32>);
type Tensors = BTreeMap<String, Tensor>;

/// 51865 distinct tokens in printable byte form; the first is `!`.
pub(super) fn tokens() -> Vec<String> {
    (0..51_865)
        .map(|i| {
            if i == 0 {
                "!".to_owned()
            } else {
                format!("t{i}")
            }
        })
        .collect()
}

impl Tiny {
    pub(super) fn new() -> Self {
        Self {
            n_vocab: 51_865,
            key_bias: 0.0,
        }
    }

    /// By Hugging Face's names.
    fn tensors(&self) -> Tensors {
        let mut out = Tensors::new();
        let mut seed = 1_u32;
        let mut put = |name: String, shape: &[usize]| {
            let values = (0..shape.iter().product())
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    f16::from_f32((seed >> 8) as f32 / 8_388_608.0 - 1.0).to_f32()
                })
                .collect();
            out.insert(name, (shape.to_vec(), values));
        };
        put("encoder.embed_positions.weight".into(), &[4, STATE]);
        put("decoder.embed_positions.weight".into(), &[5, STATE]);
        put("decoder.embed_tokens.weight".into(), &[self.n_vocab, STATE]);
        put("encoder.conv1.weight".into(), &[STATE, 80, 3]);
        put("encoder.conv2.weight".into(), &[STATE, STATE, 3]);
        put("encoder.conv1.bias".into(), &[STATE]);
        put("encoder.conv2.bias".into(), &[STATE]);
        for side in ["encoder", "decoder"] {
            let layer = format!("{side}.layers.0");
            let mut attentions = vec!["self_attn"];
            let mut norms = vec!["self_attn_layer_norm", "final_layer_norm"];
            if side == "decoder" {
                attentions.push("encoder_attn");
                norms.push("encoder_attn_layer_norm");
            }
            for attention in attentions {
                for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                    put(
                        format!("{layer}.{attention}.{part}.weight"),
                        &[STATE, STATE],
                    );
                    if part != "k_proj" {
                        put(format!("{layer}.{attention}.{part}.bias"), &[STATE]);
                    }
                }
            }
            put(format!("{layer}.fc1.weight"), &[4 * STATE, STATE]);
            put(format!("{layer}.fc1.bias"), &[4 * STATE]);
            put(format!("{layer}.fc2.weight"), &[STATE, 4 * STATE]);
            put(format!("{layer}.fc2.bias"), &[STATE]);
            let norms = norms.iter().map(|n| format!("{layer}.{n}"));
            for norm in norms.chain([format!("{side}.layer_norm")]) {
                put(format!("{norm}.weight"), &[STATE]);
                put(format!("{norm}.bias"), &[STATE]);
            }
        }
        out
    }

    /// A Hugging Face directory; two shards and `tokenizer.json`, or one file and
    /// `vocab.json`.
    pub(super) fn write_hf(&self, dir: &Path, dtype: &str, shards: bool) {
        fs::create_dir_all(dir).expect("mkdir");
        let config = serde_json::json!({
            "model_type": "whisper", "encoder_layers": 1, "decoder_layers": 1,
            "encoder_attention_heads": 1, "decoder_attention_heads": 1,
        });
        fs::write(dir.join("config.json"), config.to_string()).expect("config");
        let ids: BTreeMap<String, usize> = tokens()
            .into_iter()
            .enumerate()
            .map(|(i, t)| (t, i))
            .collect();
        let tensors: Vec<_> = self
            .tensors()
            .into_iter()
            .map(|(n, t)| (format!("model.{n}"), t))
            .collect();
        if shards {
            let (a, b) = tensors.split_at(tensors.len() / 2);
            let mut map = BTreeMap::new();
            for (file, part) in [("model-1.safetensors", a), ("model-2.safetensors", b)] {
                write_safetensors(&dir.join(file), part, dtype);
                map.extend(part.iter().map(|(name, _)| (name.clone(), file)));
            }
            let index = serde_json::json!({ "weight_map": map });
            fs::write(dir.join("model.safetensors.index.json"), index.to_string()).expect("index");
            let tokenizer = serde_json::json!({ "model": { "vocab": ids } });
            fs::write(dir.join("tokenizer.json"), tokenizer.to_string()).expect("tokenizer");
        } else {
            write_safetensors(&dir.join("model.safetensors"), &tensors, dtype);
            let vocab = serde_json::to_string(&ids).expect("json");
            fs::write(dir.join("vocab.json"), vocab).expect("vocab");
        }
    }

    /// Adds an output layer that is not the token embedding.
    pub(super) fn append_output_layer(&self, path: &Path) {
        let mut tensors: Vec<_> = self
            .tensors()
            .into_iter()
            .map(|(n, t)| (format!("model.{n}"), t))
            .collect();
        let shape = vec![self.n_vocab, STATE];
        tensors.push((
            "proj_out.weight".into(),
            (shape, vec![0.25; self.n_vocab * STATE]),
        ));
        write_safetensors(path, &tensors, "F32");
    }

    /// A CTranslate2 directory in f16, or with int8 matrices and their scales.
    pub(super) fn write_ct2(&self, dir: &Path, int8: bool) {
        fs::create_dir_all(dir).expect("mkdir");
        fs::write(dir.join("vocabulary.txt"), tokens().join("\n") + "\n").expect("vocabulary");
        let mut file = Ct2 {
            int8,
            count: 0,
            body: Vec::new(),
        };
        let t = self.tensors();
        let get = |name: &str| t[name].clone();
        for side in ["encoder", "decoder"] {
            let position = get(&format!("{side}.embed_positions.weight"));
            file.plain(&format!("{side}/position_encodings/encodings"), position);
            file.norm(
                &format!("{side}/layer_norm"),
                &t,
                &format!("{side}.layer_norm"),
            );
            let (ours, theirs) = (format!("{side}/layer_0"), format!("{side}.layers.0"));
            self.attention(
                &mut file,
                &t,
                (&ours, "self_attention"),
                (&theirs, "self_attn"),
            );
            if side == "decoder" {
                self.attention(
                    &mut file,
                    &t,
                    (&ours, "attention"),
                    (&theirs, "encoder_attn"),
                );
            }
            for (i, fc) in ["fc1", "fc2"].iter().enumerate() {
                let weight = get(&format!("{theirs}.{fc}.weight"));
                file.matrix(&format!("{ours}/ffn/linear_{i}/weight"), weight);
                let bias = get(&format!("{theirs}.{fc}.bias"));
                file.plain(&format!("{ours}/ffn/linear_{i}/bias"), bias);
            }
            file.norm(
                &format!("{ours}/ffn/layer_norm"),
                &t,
                &format!("{theirs}.final_layer_norm"),
            );
        }
        for conv in ["conv1", "conv2"] {
            for kind in ["weight", "bias"] {
                file.plain(
                    &format!("encoder/{conv}/{kind}"),
                    get(&format!("encoder.{conv}.{kind}")),
                );
            }
        }
        file.matrix(
            "decoder/embeddings/weight",
            get("decoder.embed_tokens.weight"),
        );
        file.heads();
        fs::write(dir.join("model.bin"), file.finish()).expect("model.bin");
    }

    fn attention(&self, file: &mut Ct2, t: &Tensors, ours: (&str, &str), theirs: (&str, &str)) {
        let part = |name: &str, kind: &str| {
            let key = format!("{}.{}.{name}.{kind}", theirs.0, theirs.1);
            t.get(&key)
                .cloned()
                .unwrap_or((vec![STATE], vec![self.key_bias; STATE]))
        };
        let at = format!("{}/{}", ours.0, ours.1);
        let stacks: &[&[&str]] = if ours.1 == "attention" {
            &[&["q_proj"], &["k_proj", "v_proj"], &["out_proj"]]
        } else {
            &[&["q_proj", "k_proj", "v_proj"], &["out_proj"]]
        };
        for (i, names) in stacks.iter().enumerate() {
            let stacked = |kind: &str| {
                let parts: Vec<_> = names.iter().map(|n| part(n, kind)).collect();
                let mut shape = parts[0].0.clone();
                shape[0] *= parts.len();
                (
                    shape,
                    parts.into_iter().flat_map(|p| p.1).collect::<Vec<_>>(),
                )
            };
            file.matrix(&format!("{at}/linear_{i}/weight"), stacked("weight"));
            file.plain(&format!("{at}/linear_{i}/bias"), stacked("bias"));
        }
        let norm = format!("{}.{}_layer_norm", theirs.0, theirs.1);
        file.norm(&format!("{at}/layer_norm"), t, &norm);
    }
}

fn write_safetensors(path: &Path, tensors: &[(String, Tensor)], dtype: &str) {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), serde_json::json!({ "format": "pt" }));
    let mut data: Vec<u8> = Vec::new();
    for (name, (shape, values)) in tensors {
        let from = data.len();
        if dtype == "F32" {
            data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        } else {
            data.extend(values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()));
        }
        let entry = serde_json::json!({
            "dtype": dtype, "shape": shape, "data_offsets": [from, data.len()],
        });
        header.insert(name.clone(), entry);
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.extend(data);
    fs::write(path, out).expect("safetensors");
}

/// Writes the variables of a `model.bin`.
struct Ct2 {
    int8: bool,
    count: u32,
    body: Vec<u8>,
}

impl Ct2 {
    fn string(&mut self, s: &str) {
        self.body.extend((s.len() as u16 + 1).to_le_bytes());
        self.body.extend(s.as_bytes());
        self.body.push(0);
    }

    fn variable(&mut self, name: &str, shape: &[usize], dtype: u8, data: &[u8]) {
        self.count += 1;
        self.string(name);
        self.body.push(shape.len() as u8);
        for n in shape {
            self.body.extend((*n as u32).to_le_bytes());
        }
        self.body.push(dtype);
        self.body.extend((data.len() as u32).to_le_bytes());
        self.body.extend(data);
    }

    fn plain(&mut self, name: &str, (shape, values): Tensor) {
        let data: Vec<u8> = values
            .iter()
            .flat_map(|v| f16::from_f32(*v).to_le_bytes())
            .collect();
        self.variable(name, &shape, 4, &data);
    }

    fn matrix(&mut self, name: &str, (shape, values): Tensor) {
        if !self.int8 {
            return self.plain(name, (shape, values));
        }
        let row = values.len() / shape[0];
        let scales: Vec<f32> = values
            .chunks(row)
            .map(|r| 127.0 / r.iter().fold(0.0_f32, |m, v| m.max(v.abs())))
            .collect();
        let data: Vec<u8> = values
            .iter()
            .enumerate()
            .map(|(i, v)| ((v * scales[i / row]).round() as i8).cast_unsigned())
            .collect();
        self.variable(name, &shape, 1, &data);
        let scale_bytes: Vec<u8> = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
        self.variable(&format!("{name}_scale"), &[scales.len()], 0, &scale_bytes);
    }

    fn norm(&mut self, name: &str, t: &Tensors, theirs: &str) {
        self.plain(
            &format!("{name}/gamma"),
            t[&format!("{theirs}.weight")].clone(),
        );
        self.plain(
            &format!("{name}/beta"),
            t[&format!("{theirs}.bias")].clone(),
        );
    }

    /// An i32 value between the weights, as CTranslate2 stores numbers of heads.
    fn heads(&mut self) {
        self.variable("encoder/num_heads", &[], 3, &1_i32.to_le_bytes());
    }

    fn finish(self) -> Vec<u8> {
        let mut out = Ct2 {
            int8: false,
            count: 0,
            body: 6_u32.to_le_bytes().to_vec(),
        };
        out.string("WhisperSpec");
        out.body.extend(3_u32.to_le_bytes());
        out.body.extend(self.count.to_le_bytes());
        out.body.extend(self.body);
        out.body.extend(1_u32.to_le_bytes());
        out.string("decoder/projection/weight");
        out.string("decoder/embeddings/weight");
        out.body
    }
}
