//! Finds what somebody claims was said in a transcript: a quote is proof only
//! where it is there, word for word but for case, punctuation, word endings and
//! small errors of recognition.

use crate::domain::{Span, Transcript};

use super::phrases::{Match, normalize};
use super::rules::Found;

/// One word in so many may differ.
const TOLERANCE: usize = 5;
/// A quote of one word has at least so many letters: «да» proves nothing.
const FEWEST_LETTERS: usize = 4;
/// Stems at least this long may differ by a letter.
const FUZZY_FROM: usize = 5;

struct Token {
    stem: String,
    word: usize,
}

/// A transcript prepared for looking up quotes.
pub(super) struct Quotes<'a> {
    transcript: &'a Transcript,
    turns: Vec<Vec<Token>>,
}

fn stems(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(normalize)
}

fn alike(a: &str, b: &str) -> bool {
    a == b
        || a.chars().count().min(b.chars().count()) >= FUZZY_FROM && strsim::levenshtein(a, b) <= 1
}

impl<'a> Quotes<'a> {
    pub(super) fn new(transcript: &'a Transcript) -> Self {
        let tokens = |turn: &crate::domain::Turn| {
            let words = turn.words.iter().enumerate();
            words
                .flat_map(|(word, said)| stems(&said.text).map(move |stem| Token { stem, word }))
                .collect()
        };
        Self {
            turns: transcript.turns.iter().map(tokens).collect(),
            transcript,
        }
    }

    /// Where the quote is, first in the turn that is named and then ever farther from it.
    pub(super) fn find(&self, near: usize, quote: &str) -> Option<Found> {
        let quote: Vec<String> = stems(quote).collect();
        let letters: usize = quote.iter().map(|stem| stem.chars().count()).sum();
        if quote.is_empty() || quote.len() == 1 && letters < FEWEST_LETTERS {
            return None;
        }
        let mut turns: Vec<usize> = (0..self.turns.len()).collect();
        turns.sort_by_key(|turn| turn.abs_diff(near));
        turns
            .into_iter()
            .find_map(|turn| Some((turn, within(&self.turns[turn], &quote)?)))
            .map(|(turn, words)| {
                let said = &self.transcript.turns[turn].words;
                Found {
                    turn,
                    words,
                    span: Span {
                        start_ms: said[words.first_word].start_ms,
                        end_ms: said[words.last_word].end_ms,
                    },
                }
            })
    }
}

/// The stretch of a turn with the fewest differences from the quote, where they are
/// few enough: edit distance over words, free to begin and end anywhere (Sellers).
fn within(turn: &[Token], quote: &[String]) -> Option<Match> {
    // For each word of the quote so far: differences, and where the stretch begins.
    let mut column: Vec<(usize, usize)> = (0..=quote.len()).map(|i| (i, 0)).collect();
    let mut best: Option<(usize, usize, usize)> = None;
    for (at, token) in turn.iter().enumerate() {
        let mut diagonal = column[0];
        column[0] = (0, at + 1);
        for (i, wanted) in quote.iter().enumerate() {
            let differs = usize::from(!alike(&token.stem, wanted));
            let candidates = [
                (diagonal.0 + differs, diagonal.1),
                (column[i + 1].0 + 1, column[i + 1].1),
                (column[i].0 + 1, column[i].1),
            ];
            diagonal = column[i + 1];
            // The first of the equal ones: words that stand for each other.
            column[i + 1] = candidates
                .into_iter()
                .min_by_key(|(differences, _)| *differences)
                .unwrap_or(diagonal);
        }
        let (differences, first) = column[quote.len()];
        if first <= at && best.is_none_or(|(fewest, ..)| differences < fewest) {
            best = Some((differences, first, at));
        }
    }
    let (differences, first, last) = best?;
    (differences <= quote.len() / TOLERANCE).then(|| Match {
        first_word: turn[first].word,
        last_word: turn[last].word,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::score::test_call::call;

    #[test]
    fn quotes_are_found_where_they_are() {
        let call = call(&[
            "o Добрый день, компания «Ромашка», меня зовут Ольга.",
            "c Здравствуйте, я хотел узнать про доставку.",
            "o Доставка занимает две недели, я сейчас уточню.",
        ]);
        let quotes = Quotes::new(&call);
        let found = |near, text: &str| {
            let found = quotes.find(near, text)?;
            Some((found.turn, found.words.first_word, found.words.last_word))
        };
        assert_eq!(found(0, "компания ромашка"), Some((0, 2, 3)));
        // Another turn is named, a word ends otherwise, one is missing.
        assert_eq!(found(2, "Меня зовут Ольга!"), Some((0, 4, 6)));
        assert_eq!(
            found(1, "доставка занимает две недели, сейчас уточню"),
            Some((2, 0, 6))
        );
        // Near what is named first.
        assert_eq!(found(1, "доставку"), Some((1, 5, 5)));
        assert_eq!(found(2, "доставку"), Some((2, 0, 0)));
    }

    #[test]
    fn what_was_not_said_is_not_found() {
        let call = call(&["o Добрый день, компания «Ромашка», да.", "c Хочу скидку."]);
        let quotes = Quotes::new(&call);
        for text in [
            "",
            "...",
            "да",
            "Чем я могу вам помочь?",
            "добрый вечер компания",
            "Спасибо за звонок, всего доброго",
        ] {
            assert!(quotes.find(0, text).is_none(), "{text}");
        }
    }
}
