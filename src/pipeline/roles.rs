//! Which of the parties is the operator, and how sure that is. The evidence, in
//! the order of its weight: a person's correction and the map of channels, which
//! decide; then the call's direction, the phrases of the opening, the vocabulary
//! of the whole call, and who speaks first, which are added up. Called by the
//! diarize stage.

use crate::config::OperatorChannel;
use crate::domain::Word;
use crate::domain::call::Direction;

use super::score::Rules;
use super::score::phrases::Tokens;

/// Greeting and company are said within this time from the call's first word.
const OPENING_MS: u64 = 45_000;
/// Weights of the evidence, as logarithms of odds. They are set so that the
/// direction outweighs one phrase and two phrases outweigh the direction.
const DIRECTION: f64 = 1.7;
const OPENING_PHRASE: f64 = 1.1;
const OPENING_MOST: f64 = 3.0;
const VOCABULARY_PHRASE: f64 = 0.5;
const VOCABULARY_MOST: f64 = 1.5;
/// Without a direction whoever speaks first is more often the operator.
const FIRST_TO_SPEAK: f64 = 0.4;

/// What is known of a call besides what is said in it.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The operator's channel, where the source has a map.
    pub operator_channel: OperatorChannel,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// True when a person said that the choice made without them is wrong.
    pub swapped: bool,
}

impl Default for Known {
    /// Nothing.
    fn default() -> Self {
        Self {
            operator_channel: OperatorChannel::Auto,
            direction: None,
            swapped: false,
        }
    }
}

/// Of three voices the client is in the call from its beginning to its end; this
/// much counts that against phrases of an operator.
const STAYS: f64 = 3.0;

/// The choice.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operator {
    /// Indexes of the parties that speak for us: one, or two where the call was
    /// handed to a colleague.
    parties: Vec<usize>,
    /// 0–1; a person and a map of channels are sure.
    pub(super) confidence: f64,
}

impl Operator {
    /// True when the party speaks for us.
    pub(super) fn is(&self, party: usize) -> bool {
        self.parties.contains(&party)
    }
}

/// Chooses among parties by the words of each.
pub(super) fn find_operator(parties: &[&[Word]], rules: &Rules, known: Known) -> Operator {
    let found = match known.operator_channel {
        OperatorChannel::Left => sure(vec![0]),
        OperatorChannel::Right => sure(vec![1]),
        OperatorChannel::Auto if parties.len() > 2 => all_but_client(parties, rules),
        OperatorChannel::Auto => by_words(parties, rules, known.direction),
    };
    if known.swapped && parties.len() > 1 {
        let others = (0..parties.len()).filter(|party| !found.is(*party));
        sure(others.collect())
    } else {
        found
    }
}

fn sure(parties: Vec<usize>) -> Operator {
    Operator {
        parties,
        confidence: 1.0,
    }
}

/// Everybody but the one who is most like a client: who stays for the whole call and
/// says least of what operators say.
fn all_but_client(parties: &[&[Word]], rules: &Rules) -> Operator {
    let bounds = |words: &[Word]| {
        let start = words.first().map_or(0, |word| word.start_ms);
        let end = words.last().map_or(0, |word| word.end_ms);
        (start, end.max(start))
    };
    let all: Vec<(u64, u64)> = parties.iter().map(|words| bounds(words)).collect();
    let start = all.iter().map(|bounds| bounds.0).min().unwrap_or(0);
    let end = all.iter().map(|bounds| bounds.1).max().unwrap_or(0);
    let length = end.saturating_sub(start).max(1) as f64;
    let odds = |party: &usize| {
        let words = parties[*party];
        let marks = rules.operator_marks.find(&Tokens::of_words(words)).len() as f64;
        let (from, to) = all[*party];
        STAYS * (to - from) as f64 / length - (marks * VOCABULARY_PHRASE).min(OPENING_MOST)
    };
    let mut order: Vec<usize> = (0..parties.len()).collect();
    order.sort_by(|a, b| odds(b).total_cmp(&odds(a)));
    let margin = match order.as_slice() {
        [client, next, ..] => odds(client) - odds(next),
        _ => 0.0,
    };
    let mut ours = order.split_off(1.min(order.len()));
    ours.sort_unstable();
    Operator {
        parties: ours,
        confidence: 1.0 / (1.0 + (-margin).exp()),
    }
}

fn by_words(parties: &[&[Word]], rules: &Rules, direction: Option<Direction>) -> Operator {
    let (Some(first), Some(second)) = (parties.first(), parties.get(1)) else {
        return Operator {
            parties: vec![0],
            confidence: 0.5,
        };
    };
    let start = |words: &[Word]| words.first().map_or(u64::MAX, |word| word.start_ms);
    let first_speaks = if start(first) <= start(second) {
        1.0
    } else {
        -1.0
    };
    let opening_end = start(first).min(start(second)).saturating_add(OPENING_MS);
    let marks = |words: &[Word]| rules.operator_marks.find(&Tokens::of_words(words)).len() as f64;
    let opening = |words: &[Word]| {
        let end = words.partition_point(|word| word.start_ms < opening_end);
        marks(words.get(..end).unwrap_or_default())
    };
    let bounded = |weight: f64, most: f64| weight.clamp(-most, most);
    let mut odds = bounded(
        (opening(first) - opening(second)) * OPENING_PHRASE,
        OPENING_MOST,
    ) + bounded(
        (marks(first) - marks(second)) * VOCABULARY_PHRASE,
        VOCABULARY_MOST,
    );
    odds += match direction {
        // Who is called says the first word.
        Some(Direction::Inbound) => first_speaks * DIRECTION,
        Some(Direction::Outbound) => -first_speaks * DIRECTION,
        None => first_speaks * FIRST_TO_SPEAK,
    };
    Operator {
        parties: vec![usize::from(odds < 0.0)],
        confidence: 1.0 / (1.0 + (-odds.abs()).exp()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scorecard_toml::{DEFAULT_SCORECARD, parse};

    fn words(start_ms: u64, text: &str) -> Vec<Word> {
        text.split_whitespace()
            .enumerate()
            .map(|(index, word)| Word {
                start_ms: start_ms + index as u64 * 400,
                end_ms: start_ms + index as u64 * 400 + 350,
                text: word.to_owned(),
                confidence: 1.0,
                corrected: false,
            })
            .collect()
    }

    fn choose(first: &[Word], second: &[Word], known: Known) -> Operator {
        let rules = Rules::compile(parse(DEFAULT_SCORECARD, 1).expect("valid"));
        find_operator(&[first, second], &rules, known)
    }

    fn going(direction: Direction) -> Known {
        Known {
            direction: Some(direction),
            ..Known::default()
        }
    }

    #[test]
    fn a_greeting_is_surer_than_who_speaks_first() {
        let client = words(0, "Алло.");
        let operator = words(
            2_000,
            "Компания Ромашка, меня зовут Ольга, чем могу помочь?",
        );
        let found = choose(&client, &operator, Known::default());
        assert!(found.is(1));
        assert!(found.confidence > 0.8, "{found:?}");
        let nothing = choose(&client, &words(2_000, "Да, это я."), Known::default());
        assert!(nothing.is(0));
        assert!(nothing.confidence < 0.7, "{nothing:?}");
    }

    #[test]
    fn the_direction_says_who_speaks_first_and_can_be_contradicted() {
        let (a, b) = (words(0, "Алло."), words(1_000, "Да, это я."));
        let inbound = choose(&a, &b, going(Direction::Inbound));
        let outbound = choose(&a, &b, going(Direction::Outbound));
        assert!(inbound.is(0) && outbound.is(1));
        assert!(inbound.confidence > 0.8 && outbound.confidence > 0.8);
        let greeting = words(0, "Компания Ромашка, меня зовут Ольга.");
        let agrees = choose(&greeting, &b, going(Direction::Inbound));
        let contradicts = choose(&greeting, &b, going(Direction::Outbound));
        assert!(agrees.confidence > 0.9, "{agrees:?}");
        assert!(contradicts.confidence < 0.7, "{contradicts:?}");
    }

    #[test]
    fn a_map_and_a_person_are_sure() {
        let (a, b) = (
            words(0, "Компания Ромашка, меня зовут Ольга, чем могу помочь?"),
            words(5_000, "Где мой заказ?"),
        );
        let mapped = Known {
            operator_channel: OperatorChannel::Right,
            ..Known::default()
        };
        assert_eq!(choose(&a, &b, mapped), sure(vec![1]));
        let swapped = Known {
            swapped: true,
            ..Known::default()
        };
        assert_eq!(choose(&a, &b, swapped), sure(vec![1]));
    }

    #[test]
    fn a_colleague_is_ours_too() {
        let rules = Rules::compile(parse(DEFAULT_SCORECARD, 1).expect("valid"));
        let first = words(0, "Компания Ромашка, меня зовут Ольга, чем могу помочь?");
        let mut client = words(5_000, "Алло, у меня вопрос по заказу.");
        client.extend(words(60_000, "Хорошо, понял."));
        let colleague = words(40_000, "Здравствуйте, меня зовут Иван.");
        let found = find_operator(&[&first, &client, &colleague], &rules, Known::default());
        assert!(found.is(0) && !found.is(1) && found.is(2), "{found:?}");
        assert!(found.confidence > 0.7, "{found:?}");
        let swapped = Known {
            swapped: true,
            ..Known::default()
        };
        let other = find_operator(&[&first, &client, &colleague], &rules, swapped);
        assert_eq!(other, sure(vec![1]));
    }

    #[test]
    fn one_silent_party_is_no_fault() {
        let found = choose(&[], &words(3_000, "Алло, алло."), Known::default());
        assert!(found.is(1));
        assert!(found.confidence < 0.7, "{found:?}");
    }
}
