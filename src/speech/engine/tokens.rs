//! Whisper's tokens: which number means what, text to tokens and back
//! (openai/whisper, `tokenizer.py`).

use std::collections::HashMap;

use crate::domain::language::LANGUAGES;

/// What the recognizer never writes: signs of songs, of speakers, of formatting.
const NOT_SPEECH: &[&str] = &[
    "\"",
    "#",
    "(",
    ")",
    "*",
    "+",
    "/",
    ":",
    ";",
    "<",
    "=",
    ">",
    "@",
    "[",
    "\\",
    "]",
    "^",
    "_",
    "`",
    "{",
    "|",
    "}",
    "~",
    "「",
    "」",
    "『",
    "』",
    "<<",
    ">>",
    "<<<",
    ">>>",
    "--",
    "---",
    "-(",
    "-[",
    "('",
    "(\"",
    "((",
    "))",
    "(((",
    ")))",
    "[[",
    "]]",
    "{{",
    "}}",
    "♪♪",
    "♪♪♪",
    "♩",
    "♪",
    "♫",
    "♬",
    "♭",
    "♮",
    "♯",
];

/// The vocabulary of a model.
pub(super) struct Tokens {
    bytes: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, u32>,
    languages: u32,
    multilingual: bool,
    /// Tokens that are never written.
    pub(super) suppressed: Vec<u32>,
}

impl Tokens {
    pub(super) fn new(bytes: Vec<Vec<u8>>, vocabulary: usize) -> Self {
        let multilingual = vocabulary >= 51_865;
        let languages = if multilingual {
            vocabulary as u32 - 51_766
        } else {
            99
        };
        let mut numbers = HashMap::new();
        for (number, bytes) in bytes.iter().enumerate() {
            numbers.entry(bytes.clone()).or_insert(number as u32);
        }
        let mut tokens = Self {
            bytes,
            numbers,
            languages,
            multilingual,
            suppressed: Vec::new(),
        };
        tokens.suppressed = tokens.not_speech();
        tokens
    }

    /// Whether it knows more than English.
    pub(super) fn multilingual(&self) -> bool {
        self.multilingual
    }

    /// Where a text ends; the tokens before it are text.
    pub(super) fn end(&self) -> u32 {
        if self.multilingual { 50_257 } else { 50_256 }
    }

    /// Where a text starts.
    pub(super) fn start(&self) -> u32 {
        self.end() + 1
    }

    /// The token of a language; `None` for one that the model does not know.
    pub(super) fn language(&self, code: &str) -> Option<u32> {
        let at = LANGUAGES.iter().position(|known| *known == code)? as u32;
        (at < self.languages).then(|| self.start() + 1 + at)
    }

    /// All languages with their tokens.
    pub(super) fn each_language(&self) -> impl Iterator<Item = (&'static str, u32)> + '_ {
        let first = self.start() + 1;
        LANGUAGES.iter().copied().zip(first..first + self.languages)
    }

    fn transcribe(&self) -> u32 {
        self.start() + self.languages + 2
    }

    fn previous(&self) -> u32 {
        self.transcribe() + 2
    }

    /// Likely where nobody speaks.
    pub(super) fn no_speech(&self) -> u32 {
        self.transcribe() + 3
    }

    fn no_timestamps(&self) -> u32 {
        self.transcribe() + 4
    }

    /// The first token of a time; all after it are times as well.
    pub(super) fn first_time(&self) -> u32 {
        self.transcribe() + 5
    }

    /// What a window begins with: earlier text (tokens), then language and task.
    /// Times are not asked for: they are found afterwards, and more exactly.
    pub(super) fn prompt(&self, earlier: &[u32], language: Option<u32>) -> Vec<u32> {
        let mut prompt = Vec::new();
        if !earlier.is_empty() {
            prompt.push(self.previous());
            prompt.extend(earlier);
        }
        prompt.push(self.start());
        if let Some(language) = language.filter(|_| self.multilingual) {
            prompt.extend([language, self.transcribe()]);
        }
        prompt.push(self.no_timestamps());
        prompt
    }

    /// Bytes of a text token; nothing for the others. A letter may be divided between two tokens.
    pub(super) fn bytes(&self, token: u32) -> &[u8] {
        if token < self.end() {
            self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
        } else {
            &[]
        }
    }

    fn single(&self, text: &str) -> Option<u32> {
        self.numbers
            .get(text.as_bytes())
            .copied()
            .filter(|token| *token < self.end())
    }

    /// The token of a space, with which no text begins.
    pub(super) fn space(&self) -> Option<u32> {
        self.single(" ")
    }

    fn not_speech(&self) -> Vec<u32> {
        let mut tokens: Vec<u32> = NOT_SPEECH
            .iter()
            .flat_map(|text| [self.single(text), self.single(&format!(" {text}"))])
            .chain([self.single(" -"), self.single(" '")])
            .flatten()
            .collect();
        let specials = self.end() + 1..self.first_time();
        tokens.extend(specials);
        tokens
    }

    /// Text as tokens: words as GPT-2 divides them, then pairs joined in the order of the vocabulary.
    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        let kind = |c: char| {
            if c.is_alphabetic() {
                0
            } else if c.is_numeric() {
                1
            } else if c.is_whitespace() {
                2
            } else {
                3
            }
        };
        let mut word = String::new();
        for c in text.chars() {
            let joins = match word.chars().last() {
                None => true,
                Some(last) if word == " " && last == ' ' => kind(c) != 2,
                Some(last) => kind(last) == kind(c) && kind(c) != 2,
            };
            if !joins {
                self.encode_word(&word, &mut tokens);
                word.clear();
            }
            word.push(c);
        }
        self.encode_word(&word, &mut tokens);
        tokens
    }

    fn encode_word(&self, word: &str, tokens: &mut Vec<u32>) {
        let mut parts: Vec<Vec<u8>> = word.bytes().map(|byte| vec![byte]).collect();
        loop {
            let best = parts
                .windows(2)
                .enumerate()
                .filter_map(|(at, pair)| Some((*self.numbers.get(&pair.concat())?, at)))
                .filter(|(number, _)| *number < self.end())
                .min();
            let Some((_, at)) = best else { break };
            let second = parts.remove(at + 1);
            parts[at].extend(second);
        }
        tokens.extend(parts.iter().filter_map(|part| self.numbers.get(part)));
    }
}
