//! Tests of the models directory and of the import, on a tiny made-up Whisper
//! ([`fixture`]); downloads are in [`download`].

mod download;
mod fixture;

use std::fs;

use tempfile::TempDir;

use self::fixture::{Tiny, tokens};
use super::*;

fn store() -> (TempDir, ModelStore) {
    let dir = tempfile::tempdir().expect("tempdir");
    let store = ModelStore::open(dir.path().join("models"));
    (dir, store)
}

fn import(
    store: &ModelStore,
    from: &Path,
    name: &str,
    quantize: Quantize,
) -> Result<ModelPath, ModelError> {
    store.import(from, Some(name), quantize, &mut |_| {})
}

fn refusal(result: Result<ModelPath, ModelError>) -> String {
    result.expect_err("should be refused").to_string()
}

#[test]
fn ctranslate2_and_hugging_face_give_the_same_file() {
    let (dir, store) = store();
    let tiny = Tiny::new();
    let (ct2, hf) = (dir.path().join("ct2"), dir.path().join("hf"));
    tiny.write_ct2(&ct2, false);
    tiny.write_hf(&hf, "F32", false);
    let a = import(&store, &ct2, "a", Quantize::No).expect("ct2");
    let b = import(&store, &hf, "b", Quantize::No).expect("hf");
    assert_eq!(a.sha256, b.sha256);
    assert_eq!((a.quantization, a.multilingual), ("f16", true));
    assert_eq!(
        a.origin,
        Origin::Imported(ct2.canonicalize().expect("path").display().to_string())
    );

    fs::remove_dir_all(&hf).expect("rm");
    tiny.write_hf(&hf, "F16", true);
    let c = import(&store, &hf, "c", Quantize::No).expect("hf shards");
    assert_eq!(a.sha256, c.sha256);
}

#[test]
fn quantizing_at_once_or_later_is_the_same() {
    let (dir, store) = store();
    let ct2 = dir.path().join("ct2");
    Tiny::new().write_ct2(&ct2, false);
    let full = import(&store, &ct2, "full", Quantize::No).expect("f16");
    let full_copy = dir.path().join("ggml-mine.bin");
    fs::copy(&full.path, &full_copy).expect("copy");
    for quantize in [Quantize::Q8_0, Quantize::Q5_1, Quantize::Q5_0] {
        let at_once = import(&store, &ct2, "at-once", quantize).expect("quantized");
        let later = store
            .import(&full_copy, None, quantize, &mut |_| {})
            .expect("quantized");
        assert_eq!(later.name, format!("mine-{quantize}"));
        assert_eq!(at_once.sha256, later.sha256);
        assert_eq!(at_once.quantization, quantize.to_string());
        assert!(at_once.size_bytes < full.size_bytes * 6 / 10);
        let again = import(&store, &at_once.path, "again", Quantize::No).expect("copy");
        assert_eq!(again.sha256, at_once.sha256);
    }
    let q5 = store.resolve("at-once").expect("q5_0");
    let text = refusal(import(&store, &q5.path, "x", Quantize::Q8_0));
    assert!(text.contains("q5_0 already"), "{text}");
}

#[test]
fn only_matrices_are_quantized() {
    let (dir, store) = store();
    let ct2 = dir.path().join("ct2");
    Tiny::new().write_ct2(&ct2, false);
    let model = import(&store, &ct2, "m", Quantize::Q8_0).expect("import");
    let file = ggml::inspect(&model.path).expect("whole");
    let kind = |name: &str| {
        file.tensors
            .iter()
            .find(|t| t.name == name)
            .expect(name)
            .kind
    };
    assert_eq!(file.hparams.ftype, 2007);
    assert_eq!(kind("decoder.token_embedding.weight"), 8);
    assert_eq!(kind("decoder.blocks.0.cross_attn.key.weight"), 8);
    assert_eq!(kind("encoder.conv1.weight"), ggml::F16);
    assert_eq!(kind("encoder.conv1.bias"), ggml::F32);
    assert_eq!(kind("encoder.positional_embedding"), ggml::F32);
    assert_eq!(kind("encoder.blocks.0.attn.query.bias"), ggml::F32);
    assert_eq!(file.vocab.len(), 50_257);
    assert_eq!(file.vocab[0], b"!");
}

#[test]
fn an_int8_ctranslate2_model_comes_close_to_the_original() {
    let (dir, store) = store();
    let tiny = Tiny::new();
    let (plain, int8) = (dir.path().join("plain"), dir.path().join("int8"));
    tiny.write_ct2(&plain, false);
    tiny.write_ct2(&int8, true);
    let read = |from: &Path, name: &str| {
        let model = import(&store, from, name, Quantize::No).expect("import");
        let file = ggml::inspect(&model.path).expect("whole");
        let tensor = file
            .tensors
            .iter()
            .find(|t| t.name == "decoder.blocks.0.cross_attn.value.weight")
            .expect("tensor");
        let bytes = fs::read(&model.path).expect("read");
        let at = tensor.offset as usize;
        let data = &bytes[at..at + 2 * tensor.shape.iter().product::<usize>()];
        data.as_chunks::<2>()
            .0
            .iter()
            .map(|b| half::f16::from_le_bytes(*b).to_f32())
            .collect::<Vec<f32>>()
    };
    let (a, b) = (read(&plain, "a"), read(&int8, "b"));
    let largest = a.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() < largest / 100.0, "{a} {b}");
    }
    assert_ne!(a, b);
}

#[test]
fn what_cannot_be_imported_is_explained() {
    let (dir, store) = store();
    let at = |name: &str| dir.path().join(name);

    fs::create_dir(at("empty")).expect("mkdir");
    assert!(refusal(import(&store, &at("empty"), "x", Quantize::No)).contains("model.safetensors"));
    fs::write(at("empty/adapter_model.safetensors"), "").expect("write");
    assert!(refusal(import(&store, &at("empty"), "x", Quantize::No)).contains("merge"));
    fs::write(
        at("text.bin"),
        "hello, this is no model at all, just some text to read",
    )
    .expect("write");
    assert!(refusal(import(&store, &at("text.bin"), "x", Quantize::No)).contains("does not begin"));

    let mut keyed = Tiny::new();
    keyed.key_bias = 0.5;
    keyed.write_ct2(&at("keyed"), false);
    assert!(refusal(import(&store, &at("keyed"), "x", Quantize::No)).contains("key bias"));

    let mut grown = Tiny::new();
    grown.n_vocab = 51_870;
    grown.write_ct2(&at("grown"), false);
    assert!(refusal(import(&store, &at("grown"), "x", Quantize::No)).contains("51870 tokens"));

    let tiny = Tiny::new();
    tiny.write_ct2(&at("cut"), false);
    let whole = fs::read(at("cut/model.bin")).expect("read");
    fs::write(at("cut/model.bin"), &whole[..whole.len() / 2]).expect("write");
    assert!(refusal(import(&store, &at("cut"), "x", Quantize::No)).contains("cut off"));

    tiny.write_ct2(&at("mute"), false);
    fs::remove_file(at("mute/vocabulary.txt")).expect("rm");
    assert!(refusal(import(&store, &at("mute"), "x", Quantize::No)).contains("vocabulary"));

    tiny.write_hf(&at("untied"), "F32", false);
    tiny.append_output_layer(&at("untied/model.safetensors"));
    assert!(refusal(import(&store, &at("untied"), "x", Quantize::No)).contains("proj_out"));

    assert!(
        store.list().expect("list").is_empty(),
        "nothing half-made is left"
    );
}

#[test]
fn a_vocabulary_may_be_a_json_list() {
    let (dir, store) = store();
    let ct2 = dir.path().join("ct2");
    Tiny::new().write_ct2(&ct2, false);
    let a = import(&store, &ct2, "a", Quantize::No).expect("txt");
    fs::remove_file(ct2.join("vocabulary.txt")).expect("rm");
    let json = serde_json::to_string(&tokens()).expect("json");
    fs::write(ct2.join("vocabulary.json"), json).expect("write");
    let b = import(&store, &ct2, "b", Quantize::No).expect("json");
    assert_eq!(a.sha256, b.sha256);
}

#[test]
fn a_cut_or_changed_model_is_refused() {
    let (dir, store) = store();
    let ct2 = dir.path().join("ct2");
    Tiny::new().write_ct2(&ct2, false);
    let model = import(&store, &ct2, "m", Quantize::Q8_0).expect("import");
    let whole = fs::read(&model.path).expect("read");

    for keep in [whole.len() - 1, whole.len() / 2, 100, 10, 0] {
        fs::write(&model.path, &whole[..keep]).expect("write");
        let text = refusal(store.resolve("m"));
        assert!(
            text.contains("not a usable Whisper model"),
            "{keep}: {text}"
        );
        assert!(
            store.resolve(&model.path.display().to_string()).is_err(),
            "by path: {keep}"
        );
    }

    let mut changed = whole.clone();
    *changed.last_mut().expect("last") ^= 1;
    fs::write(&model.path, &changed).expect("write");
    assert!(matches!(
        store.resolve("m"),
        Err(ModelError::WrongHash { .. })
    ));
    let listed = store.list().expect("list");
    assert!(matches!(
        listed[0].state,
        ModelState::Invalid(ModelError::WrongHash { .. })
    ));

    fs::write(&model.path, &whole).expect("write");
    assert_eq!(store.resolve("m").expect("restored").sha256, model.sha256);
}

#[test]
fn a_file_ending_between_two_tensors_is_refused() {
    let (dir, store) = store();
    let ct2 = dir.path().join("ct2");
    Tiny::new().write_ct2(&ct2, false);
    let model = import(&store, &ct2, "m", Quantize::No).expect("import");
    let file = ggml::inspect(&model.path).expect("whole");
    let whole = fs::read(&model.path).expect("read");
    let last = file.tensors.last().expect("tensors");
    let header = 12 + 4 * last.shape.len() + last.name.len();
    fs::write(&model.path, &whole[..last.offset as usize - header]).expect("write");
    let text = refusal(store.resolve("m"));
    assert!(text.contains("no encoder.ln_post.bias"), "{text}");
}

#[test]
fn a_published_name_must_have_the_published_content() {
    let (dir, store) = store();
    let ct2 = dir.path().join("ct2");
    Tiny::new().write_ct2(&ct2, false);
    let made = import(&store, &ct2, "mine", Quantize::No).expect("import");
    let copied = store.dir().join("ggml-tiny.bin");
    fs::copy(&made.path, &copied).expect("copy");
    assert!(matches!(
        store.resolve("tiny"),
        Err(ModelError::WrongHash { .. })
    ));

    // The message tells to import it under a name; under this one it works too.
    let kept = dir.path().join("kept.bin");
    fs::rename(&copied, &kept).expect("mv");
    import(&store, &kept, "tiny", Quantize::No).expect("import");
    assert_eq!(store.resolve("tiny").expect("imported").sha256, made.sha256);
}

#[test]
fn a_copied_file_is_taken_once_and_then_held_to_its_content() {
    let (dir, store) = store();
    let ct2 = dir.path().join("ct2");
    Tiny::new().write_ct2(&ct2, false);
    let made = import(&store, &ct2, "mine", Quantize::No).expect("import");
    let copied = store.dir().join("ggml-theirs.bin");
    fs::copy(&made.path, &copied).expect("copy");
    let model = store.resolve("theirs").expect("whole");
    assert_eq!(
        (model.origin, &model.sha256),
        (Origin::Copied, &made.sha256)
    );
    let mut bytes = fs::read(&copied).expect("read");
    *bytes.last_mut().expect("last") ^= 1;
    fs::write(&copied, bytes).expect("write");
    assert!(store.resolve("theirs").is_err());
    store.remove("theirs").expect("remove");
    assert!(matches!(
        store.remove("theirs"),
        Err(ModelError::NotInstalled { .. })
    ));
}

#[test]
fn the_hash_is_remembered_until_asked_to_verify() {
    let (dir, store) = store();
    let ct2 = dir.path().join("ct2");
    Tiny::new().write_ct2(&ct2, false);
    let made = import(&store, &ct2, "m", Quantize::No).expect("import");
    // A change that keeps size and time is invisible to the cheap check only.
    let time = fs::metadata(&made.path)
        .expect("meta")
        .modified()
        .expect("time");
    let mut bytes = fs::read(&made.path).expect("read");
    *bytes.last_mut().expect("last") ^= 1;
    fs::write(&made.path, bytes).expect("write");
    fs::File::options()
        .write(true)
        .open(&made.path)
        .and_then(|f| f.set_modified(time))
        .expect("set time");
    assert!(store.resolve("m").is_ok());
    assert!(matches!(
        store.verify("m", &mut |_| {}),
        Err(ModelError::WrongHash { .. })
    ));
    assert!(store.resolve("m").is_err(), "what verify found stays known");
}

#[test]
fn names_and_paths() {
    let (dir, store) = store();
    assert!(store.list().expect("no directory").is_empty());
    for name in ["", "..", "-x", "a b", "é", &"x".repeat(65)] {
        assert!(
            matches!(store.resolve(name), Err(ModelError::BadName(_))),
            "{name}"
        );
    }
    for name in ["../etc/passwd", "a/b"] {
        assert!(
            matches!(store.resolve(name), Err(ModelError::Io { .. })),
            "{name}"
        );
        assert!(
            matches!(store.remove(name), Err(ModelError::BadName(_))),
            "{name}"
        );
    }
    assert!(matches!(
        store.resolve("none"),
        Err(ModelError::NotInstalled { .. })
    ));

    let ct2 = dir.path().join("Мой finetune");
    Tiny::new().write_ct2(&ct2, false);
    let made = store
        .import(&ct2, None, Quantize::Q8_0, &mut |_| {})
        .expect("import");
    assert_eq!(made.name, "finetune-q8_0");
}
