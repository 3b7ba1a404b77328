//! The byte vocabulary. CTranslate2 and Hugging Face write tokens in GPT-2's
//! printable form (each byte as one visible character); ggml wants raw bytes.
//! Only the ordinary tokens go into the file: whisper.cpp adds the special ones
//! itself. Called by the sources.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use crate::speech::model::ModelError;

/// Ordinary tokens of the multilingual and of the English vocabulary.
const MULTILINGUAL: usize = 50_257;
const ENGLISH: usize = 50_256;

/// How many ordinary tokens a model with `n_vocab` tokens has.
pub(super) fn ordinary(n_vocab: u32) -> usize {
    if n_vocab >= 51_865 {
        MULTILINGUAL
    } else {
        ENGLISH
    }
}

/// Reads `vocabulary.json` or `vocabulary.txt` of a CTranslate2 directory.
pub(super) fn from_ct2(dir: &Path, count: usize) -> Result<Vec<Vec<u8>>, ModelError> {
    let json = dir.join("vocabulary.json");
    if json.is_file() {
        let tokens: Vec<String> = parse(&json)?;
        return bytes_of(&json, tokens.iter().map(String::as_str), count);
    }
    let txt = dir.join("vocabulary.txt");
    if txt.is_file() {
        let text = std::fs::read_to_string(&txt).map_err(ModelError::io(&txt))?;
        return bytes_of(&txt, text.split('\n'), count);
    }
    Err(ModelError::import(
        dir,
        "vocabulary.txt or vocabulary.json is missing beside model.bin: copy the whole directory",
    ))
}

/// Reads `vocab.json` or `tokenizer.json` of a Hugging Face directory.
pub(super) fn from_hf(dir: &Path, count: usize) -> Result<Vec<Vec<u8>>, ModelError> {
    let vocab = dir.join("vocab.json");
    let (path, ids) = if vocab.is_file() {
        let ids: HashMap<String, usize> = parse(&vocab)?;
        (vocab, ids)
    } else {
        let path = dir.join("tokenizer.json");
        if !path.is_file() {
            return Err(ModelError::import(
                dir,
                "vocab.json or tokenizer.json is missing: copy the tokenizer of the base model (for example openai/whisper-small) into the directory",
            ));
        }
        let tokenizer: Value = parse(&path)?;
        let ids = tokenizer
            .pointer("/model/vocab")
            .and_then(|v| serde_json::from_value(v.clone()).ok())
            .ok_or_else(|| ModelError::import(&path, "it holds no model.vocab"))?;
        (path, ids)
    };
    let mut tokens = vec![None; count];
    for (token, id) in &ids {
        if let Some(slot) = tokens.get_mut(*id) {
            *slot = Some(token.as_str());
        }
    }
    // Token 50256 of the multilingual vocabulary is empty; some exports leave it out.
    bytes_of(
        &path,
        tokens.into_iter().map(Option::unwrap_or_default),
        count,
    )
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    let text = std::fs::read(path).map_err(ModelError::io(path))?;
    serde_json::from_slice(&text).map_err(|e| ModelError::import(path, e.to_string()))
}

fn bytes_of<'a>(
    path: &Path,
    tokens: impl Iterator<Item = &'a str>,
    count: usize,
) -> Result<Vec<Vec<u8>>, ModelError> {
    let table = byte_of_char();
    let tokens: Vec<Vec<u8>> = tokens
        .take(count)
        .map(|token| {
            token
                .chars()
                .map(|c| table.get(&c).copied())
                .collect::<Option<_>>()
                .ok_or_else(|| {
                    ModelError::import(path, format!("token {token:?} is not in byte-level form"))
                })
        })
        .collect::<Result<_, _>>()?;
    let empty = tokens.iter().filter(|t| t.is_empty()).count();
    if tokens.len() < count || empty > 1 {
        let found = tokens.len() - empty;
        let reason = format!("it has {found} ordinary tokens, Whisper has {count}");
        return Err(ModelError::import(path, reason));
    }
    Ok(tokens)
}

/// GPT-2's `bytes_to_unicode`, the other way round.
fn byte_of_char() -> HashMap<char, u8> {
    let visible = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut table: HashMap<char, u8> = (0..=255)
        .filter(|b| visible(*b))
        .map(|b| (char::from(b), b))
        .collect();
    table.extend(('\u{100}'..).zip((0..=255).filter(|b| !visible(*b))));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_form_becomes_bytes() {
        let table = byte_of_char();
        assert_eq!(table.len(), 256);
        assert_eq!(table[&'Ġ'], b' ');
        assert_eq!(table[&'Ċ'], b'\n');
        assert_eq!(table[&'A'], b'A');
        let got = bytes_of(Path::new("v"), ["Ġ", "ÐŁ", ""].into_iter(), 3).expect("tokens");
        assert_eq!(got, vec![b" ".to_vec(), "П".as_bytes().to_vec(), vec![]]);
    }

    #[test]
    fn a_short_or_foreign_vocabulary_is_refused() {
        assert!(bytes_of(Path::new("v"), ["a"].into_iter(), 2).is_err());
        assert!(bytes_of(Path::new("v"), ["漢"].into_iter(), 1).is_err());
    }
}
