//! Finds phrases in turns in any Russian word form, tolerant of small errors of
//! recognition. Used by the rules, the metrics and the choice of who is the operator.
//!
//! A phrase is a sequence of elements: `a|b|c` (one of these words), `слов*`
//! (any ending), `=слово` (this form only), `*` (any one word), `...` (up to four words), and `?` at the
//! end of an element that may be missing. Words are compared by their Snowball
//! stem; long stems may differ by one letter.

use std::borrow::Cow;

use rust_stemmers::{Algorithm, Stemmer};

use crate::domain::{Turn, Word};

/// Most words that `...` stands for.
const MAX_GAP: usize = 4;
/// Stems at least this long (in letters) may differ by one letter.
const FUZZY_FROM: usize = 6;

/// Lower case, ё as е, and the stem for Cyrillic words.
pub fn normalize(word: &str) -> String {
    let lower = word.to_lowercase().replace('ё', "е");
    let cyrillic = lower.chars().any(|c| ('а'..='я').contains(&c));
    if cyrillic {
        let stemmer = Stemmer::create(Algorithm::Russian);
        match stemmer.stem(&lower) {
            Cow::Borrowed(stem) => stem.to_owned(),
            Cow::Owned(stem) => stem,
        }
    } else {
        lower
    }
}

/// One normalized token of a turn and the word it came from.
#[derive(Debug, Clone)]
struct Token {
    stem: String,
    letters: usize,
    lower: String,
    word: usize,
}

/// The words of a turn prepared for matching.
#[derive(Debug, Clone)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// Prepares the words of a turn.
    pub fn of(turn: &Turn) -> Self {
        Self::of_words(&turn.words)
    }

    /// Prepares any words.
    pub fn of_words(words: &[Word]) -> Self {
        let mut tokens = Vec::with_capacity(words.len());
        for (index, word) in words.iter().enumerate() {
            for part in word.text.split(|c: char| !c.is_alphanumeric()) {
                if part.is_empty() {
                    continue;
                }
                let lower = part.to_lowercase().replace('ё', "е");
                let stem = normalize(&lower);
                tokens.push(Token {
                    letters: stem.chars().count(),
                    stem,
                    lower,
                    word: index,
                });
            }
        }
        Self(tokens)
    }

    /// True when there are tokens and each of them is matched by `phrases` as a whole.
    pub fn consist_of(&self, phrases: &Phrases) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let mut at = 0;
        while at < self.0.len() {
            match phrases.longest_at(&self.0, at) {
                Some(end) if end > at => at = end,
                _ => return false,
            }
        }
        true
    }
}

/// Where a phrase was found: indices of its first and last word in the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Index of the first word.
    pub first_word: usize,
    /// Index of the last word.
    pub last_word: usize,
}

impl Match {
    fn overlaps(self, other: Match) -> bool {
        self.first_word <= other.last_word && other.first_word <= self.last_word
    }
}

#[derive(Debug, Clone)]
enum Form {
    Stem { stem: String, letters: usize },
    Prefix(String),
    Exact(String),
}

impl Form {
    fn compile(word: &str) -> Self {
        let plain = |text: &str| text.to_lowercase().replace('ё', "е");
        if let Some(exact) = word.strip_prefix('=') {
            Form::Exact(plain(exact))
        } else if let Some(prefix) = word.strip_suffix('*') {
            Form::Prefix(plain(prefix))
        } else {
            let stem = normalize(word);
            Form::Stem {
                letters: stem.chars().count(),
                stem,
            }
        }
    }

    fn matches(&self, token: &Token) -> bool {
        match self {
            Form::Prefix(prefix) => token.lower.starts_with(prefix.as_str()),
            Form::Exact(word) => token.lower == *word,
            Form::Stem { stem, letters } => {
                if *stem == token.stem {
                    return true;
                }
                *letters >= FUZZY_FROM
                    && token.letters >= FUZZY_FROM
                    && letters.abs_diff(token.letters) <= 1
                    && stem.chars().next() == token.stem.chars().next()
                    && strsim::levenshtein(stem, &token.stem) <= 1
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Element {
    OneOf { forms: Vec<Form>, optional: bool },
    AnyWord,
    Gap,
}

/// One compiled phrase.
#[derive(Debug, Clone)]
struct Phrase(Vec<Element>);

impl Phrase {
    fn compile(text: &str) -> Self {
        let elements = text
            .split_whitespace()
            .map(|element| match element {
                "..." => Element::Gap,
                "*" => Element::AnyWord,
                words => {
                    let optional = words.ends_with('?');
                    let forms = words
                        .trim_end_matches('?')
                        .split('|')
                        .filter(|word| !word.is_empty())
                        .map(Form::compile)
                        .collect();
                    Element::OneOf { forms, optional }
                }
            })
            .collect();
        Self(elements)
    }

    /// End of the shortest match that begins at `at`.
    fn match_at(&self, tokens: &[Token], at: usize) -> Option<usize> {
        match_elements(&self.0, tokens, at)
    }
}

fn match_elements(elements: &[Element], tokens: &[Token], at: usize) -> Option<usize> {
    let Some((element, rest)) = elements.split_first() else {
        return Some(at);
    };
    match element {
        Element::AnyWord => (at < tokens.len())
            .then(|| match_elements(rest, tokens, at + 1))
            .flatten(),
        Element::Gap => (0..=MAX_GAP)
            .find_map(|skip| match_elements(rest, tokens, (at + skip).min(tokens.len()))),
        Element::OneOf { forms, optional } => {
            let here = tokens
                .get(at)
                .is_some_and(|token| forms.iter().any(|form| form.matches(token)));
            let taken = here.then(|| match_elements(rest, tokens, at + 1)).flatten();
            match taken {
                Some(end) => Some(end),
                None if *optional => match_elements(rest, tokens, at),
                None => None,
            }
        }
    }
}

/// A compiled list of phrases of which any one counts.
#[derive(Debug, Clone, Default)]
pub struct Phrases(Vec<Phrase>);

impl Phrases {
    /// Compiles the texts of a scorecard.
    pub fn compile<T: AsRef<str>>(texts: &[T]) -> Self {
        Self(
            texts
                .iter()
                .map(|text| Phrase::compile(text.as_ref()))
                .collect(),
        )
    }

    /// All places where a phrase is found, in order, not overlapping each other.
    pub fn find(&self, tokens: &Tokens) -> Vec<Match> {
        let tokens = &tokens.0;
        let mut matches = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            match self.longest_at(tokens, at) {
                Some(end) if end > at => {
                    matches.push(Match {
                        first_word: tokens[at].word,
                        last_word: tokens[end - 1].word,
                    });
                    at = end;
                }
                _ => at += 1,
            }
        }
        matches
    }

    /// As [`Phrases::find`], without the matches that overlap one of `except`.
    pub fn find_except(&self, tokens: &Tokens, except: &Phrases) -> Vec<Match> {
        let mut matches = self.find(tokens);
        if !matches.is_empty() && !except.0.is_empty() {
            let exceptions = except.find(tokens);
            matches.retain(|found| !exceptions.iter().any(|other| found.overlaps(*other)));
        }
        matches
    }

    fn longest_at(&self, tokens: &[Token], at: usize) -> Option<usize> {
        self.0
            .iter()
            .filter_map(|phrase| phrase.match_at(tokens, at))
            .max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Tokens {
        let words: Vec<Word> = text
            .split_whitespace()
            .map(|text| Word {
                start_ms: 0,
                end_ms: 0,
                text: text.into(),
                confidence: 1.0,
                corrected: false,
            })
            .collect();
        Tokens::of_words(&words)
    }

    fn found(phrase: &str, text: &str) -> Option<(usize, usize)> {
        Phrases::compile(&[phrase])
            .find(&tokens(text))
            .first()
            .map(|m| (m.first_word, m.last_word))
    }

    #[test]
    fn word_forms() {
        assert_eq!(
            found("компания *", "Это компанию Ромашка вы ищете"),
            Some((1, 2))
        );
        assert_eq!(found("скидка", "без скидки"), Some((1, 1)));
        assert_eq!(found("жалоба", "хочу жалобу оставить"), Some((1, 1)));
        assert_eq!(found("всё", "все"), Some((0, 0)));
    }

    #[test]
    fn alternatives_gaps_optional_and_prefix() {
        assert_eq!(
            found("добрый|доброе день|утро", "Доброе утро!"),
            Some((0, 1))
        );
        assert_eq!(
            found("чем ... помочь", "Чем я могу вам помочь?"),
            Some((0, 4))
        );
        assert_eq!(found("чем ... помочь", "чем а б в г д помочь"), None);
        assert_eq!(found("не могли? бы", "не бы"), Some((0, 1)));
        assert_eq!(found("не могли? бы", "не могли бы"), Some((0, 2)));
        assert_eq!(found("здравств*", "Здравствуйте!"), Some((0, 0)));
        assert_eq!(found("илья", "или"), Some((0, 0)), "stems may collide");
        assert_eq!(found("=илья", "или"), None);
        assert_eq!(found("=илья", "Илья,"), Some((0, 0)));
        assert_eq!(found("меня зовут *", "меня зовут"), None);
    }

    #[test]
    fn small_recognition_errors_are_tolerated_in_long_words_only() {
        assert_eq!(
            found("приношу извинения", "приношу извиненья"),
            Some((0, 1))
        );
        assert_eq!(found("хам", "хаб"), None);
        assert_eq!(found("грубо", "клубы"), None);
    }

    #[test]
    fn punctuation_and_hyphens() {
        assert_eq!(found("колл центр", "наш колл-центр, да"), Some((1, 1)));
        assert_eq!(found("до свидания", "— До свидания."), Some((1, 2)));
    }

    #[test]
    fn exceptions_and_whole_utterances() {
        let names = Phrases::compile(&["ольга"]);
        let own = Phrases::compile(&["меня зовут *"]);
        assert!(
            names
                .find_except(&tokens("меня зовут Ольга"), &own)
                .is_empty()
        );
        assert_eq!(
            names
                .find_except(&tokens("Ольга, меня зовут Анна"), &own)
                .len(),
            1
        );
        let agree = Phrases::compile(&["да", "угу", "хорошо"]);
        assert!(tokens("Да, да, хорошо").consist_of(&agree));
        assert!(!tokens("Да, но нет").consist_of(&agree));
        assert!(!tokens("").consist_of(&agree));
    }
}
