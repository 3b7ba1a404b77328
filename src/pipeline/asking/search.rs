//! An answer without a model: the turns that have most of the question's words, in
//! any form. It says what it is.

use crate::domain::Transcript;
use crate::domain::question::Quote;
use crate::pipeline::score::phrases::{Phrases, Tokens, normalize};
use crate::pipeline::score::proof::said;

/// Most turns shown.
const MOST: usize = 5;
/// A turn this much worse than the best is not shown.
const SHARE: f64 = 0.5;
/// Words of a question that say nothing of what is asked.
const EMPTY: &[&str] = &[
    "а",
    "был",
    "была",
    "были",
    "было",
    "быть",
    "в",
    "вам",
    "вас",
    "ваш",
    "вы",
    "где",
    "говорил",
    "да",
    "для",
    "до",
    "его",
    "ее",
    "если",
    "есть",
    "ещё",
    "же",
    "за",
    "звонок",
    "звонке",
    "и",
    "из",
    "или",
    "им",
    "их",
    "к",
    "как",
    "какая",
    "какие",
    "какое",
    "какой",
    "какую",
    "клиент",
    "когда",
    "кому",
    "кто",
    "куда",
    "ли",
    "мне",
    "мы",
    "на",
    "над",
    "нам",
    "нас",
    "не",
    "нет",
    "ни",
    "но",
    "о",
    "об",
    "он",
    "она",
    "они",
    "оператор",
    "от",
    "по",
    "под",
    "после",
    "почему",
    "при",
    "про",
    "разговор",
    "разговоре",
    "с",
    "сказал",
    "сколько",
    "со",
    "так",
    "там",
    "то",
    "ты",
    "у",
    "уже",
    "чего",
    "чем",
    "что",
    "чтобы",
    "это",
    "этот",
    "я",
    "a",
    "about",
    "and",
    "any",
    "are",
    "by",
    "call",
    "client",
    "did",
    "do",
    "does",
    "for",
    "he",
    "how",
    "in",
    "is",
    "it",
    "many",
    "much",
    "of",
    "on",
    "operator",
    "or",
    "said",
    "say",
    "she",
    "that",
    "the",
    "they",
    "this",
    "to",
    "was",
    "were",
    "what",
    "when",
    "where",
    "which",
    "who",
    "why",
    "with",
];

/// What the search finds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// What it is and how much it found, in the language of the question.
    pub(super) text: String,
    /// The turns, the best first.
    pub(super) quotes: Vec<Quote>,
}

/// The words of a question that are looked for.
fn words(question: &str) -> Vec<String> {
    let empty: Vec<String> = EMPTY.iter().map(|word| normalize(word)).collect();
    let mut words: Vec<(String, String)> = question
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| (normalize(word), word.to_lowercase()))
        .filter(|(stem, word)| !empty.contains(stem) && !EMPTY.contains(&word.as_str()))
        .collect();
    words.sort();
    words.dedup_by(|a, b| a.0 == b.0);
    words.into_iter().map(|(_, word)| word).collect()
}

/// Looks for the words of a question.
pub(super) fn search(transcript: &Transcript, question: &str) -> Found {
    let tokens: Vec<Tokens> = transcript.turns.iter().map(Tokens::of).collect();
    // For each turn its worth, and where the first word is.
    let mut found: Vec<(f64, Option<crate::pipeline::score::phrases::Match>)> =
        vec![(0.0, None); tokens.len()];
    for word in words(question) {
        let phrase = Phrases::compile(&[word]);
        let places: Vec<_> = tokens.iter().map(|turn| phrase.find(turn)).collect();
        let turns = places.iter().filter(|places| !places.is_empty()).count();
        if turns == 0 {
            continue;
        }
        // What is said everywhere tells little.
        let worth = (1.0 + tokens.len() as f64 / turns as f64).ln();
        for (turn, places) in found.iter_mut().zip(places) {
            if let Some(first) = places.first() {
                turn.0 += worth;
                turn.1 = turn.1.or(Some(*first));
            }
        }
    }
    let best = found.iter().map(|(worth, _)| *worth).fold(0.0, f64::max);
    let mut places: Vec<(f64, usize, _)> = found
        .into_iter()
        .enumerate()
        .filter_map(|(turn, (worth, place))| Some((worth, turn, place?)))
        .filter(|(worth, ..)| *worth >= best * SHARE)
        .collect();
    places.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    places.truncate(MOST);
    let quotes: Vec<Quote> = places
        .into_iter()
        .map(|(_, turn, words)| said(transcript, turn, words))
        .collect();
    let russian = is_russian(question);
    let text = match (quotes.len(), russian) {
        (0, true) => {
            "Это поиск по словам вопроса, а не ответ модели: таких слов в разговоре нет.".to_owned()
        }
        (0, false) => {
            "This is a search for the question's words, not a model's answer: the call has none of them."
                .to_owned()
        }
        (n, true) => format!(
            "Это поиск по словам вопроса, а не ответ модели. Подходящие реплики: {n}."
        ),
        (n, false) => format!(
            "This is a search for the question's words, not a model's answer. Turns that match: {n}."
        ),
    };
    Found { text, quotes }
}

/// Whether a question is in Russian letters.
pub(super) fn is_russian(question: &str) -> bool {
    question
        .chars()
        .any(|c| ('а'..='я').contains(&c.to_lowercase().next().unwrap_or(c)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::score::test_call::call;

    #[test]
    fn turns_with_the_words_of_the_question_are_found_in_any_form() {
        let call = call(&[
            "o Добрый день, компания «Ромашка».",
            "c Здравствуйте. Какая у вас скидка на доставку окон?",
            "o На окна скидок нет. Доставка бесплатная.",
            "c Хорошо, я подумаю.",
        ]);
        let found = search(&call, "Что говорили про скидки на окна?");
        let turns: Vec<usize> = found.quotes.iter().map(|quote| quote.turn_index).collect();
        assert_eq!(turns, [1, 2]);
        assert_eq!(found.quotes[0].text, "Какая у вас скидка на доставку окон?");
        assert!(found.quotes[0].start_ms >= 10_000);
        assert!(found.text.contains("поиск") && found.text.contains(": 2"));
        // Rare words are worth more than frequent ones.
        let found = search(&call, "бесплатная доставка");
        assert_eq!(found.quotes[0].turn_index, 2);
    }

    #[test]
    fn it_says_when_there_is_nothing() {
        let call = call(&["o Добрый день.", "c Что там у вас?"]);
        for question in ["Была ли жалоба?", "что это?"] {
            let found = search(&call, question);
            assert!(found.quotes.is_empty(), "{question}");
            assert!(found.text.contains("не ответ модели"));
        }
        assert!(
            search(&call, "Was there a refund?")
                .text
                .contains("not a model's answer")
        );
    }

    #[test]
    fn signs_of_phrases_are_only_signs_here() {
        let call = call(&["o Добрый день, всё.", "c Да."]);
        assert!(search(&call, "* ... =|? скид*").quotes.is_empty());
    }
}
