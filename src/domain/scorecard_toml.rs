//! Turns a scorecard's file into a [`Scorecard`] and refuses one that could not be
//! applied, naming every fault and its place. Used for the built-in scorecard, for a
//! team's own file and for what is edited on the page.

use std::collections::{BTreeMap, HashSet};

use super::card_document::{CardDocument, CriterionDocument, ItemDocument, TriggerDocument, Who};
pub use super::card_fault::InvalidScorecard;
use super::card_fault::{Fault, FaultCode};
use super::scorecard::{
    Check, Criterion, Item, MetricCheck, MetricName, PhraseCheck, Scorecard, Trigger, Window,
};

/// The built-in Russian scorecard.
pub const DEFAULT_SCORECARD: &str = include_str!("../../assets/scorecard.ru.toml");

/// Longest text of a scorecard, in bytes.
pub const MAX_TEXT: usize = 512 * 1024;
/// Longest name, in characters.
const MAX_NAME: usize = 200;
/// Longest phrase, in characters: alternatives of one word make long ones.
const MAX_PHRASE: usize = 4000;
/// Most phrases of a scorecard, lists counted once for each item that names them.
const MAX_PHRASES: usize = 20_000;
/// Most criteria, and most items of all criteria.
const MAX_CRITERIA: usize = 50;
const MAX_ITEMS: usize = 500;

/// Parses and validates; `version` is given by the store.
///
/// # Errors
/// Every fault that was found.
pub fn parse(text: &str, version: u32) -> Result<Scorecard, InvalidScorecard> {
    compile(&read(text)?, version)
}

/// Reads the form of a file, and not yet its sense.
///
/// # Errors
/// The first fault of the form, with its line as the place.
pub fn read(text: &str) -> Result<CardDocument, InvalidScorecard> {
    let fault = |code, place, detail| InvalidScorecard {
        faults: vec![Fault {
            code,
            place,
            criterion: None,
            item: None,
            detail,
        }],
    };
    if text.len() > MAX_TEXT {
        return Err(fault(
            FaultCode::TooLong,
            String::new(),
            format!("{MAX_TEXT}"),
        ));
    }
    toml::from_str(text).map_err(|error| {
        let place = error.span().map_or_else(String::new, |span| {
            let before = &text.as_bytes()[..span.start.min(text.len())];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            format!("line {line}")
        });
        fault(FaultCode::Form, place, error.message().to_owned())
    })
}

/// Validates; `version` is given by the store.
///
/// # Errors
/// Every fault that was found.
pub fn compile(document: &CardDocument, version: u32) -> Result<Scorecard, InvalidScorecard> {
    let mut reader = Reader {
        lexicons: &document.lexicons,
        faults: Vec::new(),
        keys: HashSet::new(),
        phrases: 0,
        at: (None, None),
    };
    reader.plain_key("id", &document.id.replace('-', "_"));
    reader.name("name", &document.name);
    if document.criteria.is_empty() {
        reader.fault("criteria", FaultCode::NoCriteria);
    }
    let items: usize = document.criteria.iter().map(|one| one.items.len()).sum();
    if document.criteria.len() > MAX_CRITERIA || items > MAX_ITEMS {
        reader.fault("criteria", FaultCode::TooMany);
    }
    for (name, phrases) in &document.lexicons {
        for phrase in phrases {
            reader.phrase(&format!("lexicons.{name}"), phrase);
        }
    }
    let operator_phrases = reader.expand("operator_marks", &document.operator_marks, &[]);
    let hold_phrases = reader.expand("hold", &document.hold, &[]);
    let back_channels = reader.expand("back_channels", &document.back_channels, &[]);
    let criteria: Vec<Criterion> = document
        .criteria
        .iter()
        .take(MAX_CRITERIA)
        .enumerate()
        .map(|(number, criterion)| {
            reader.at = (Some(number), None);
            reader.criterion(criterion)
        })
        .collect();
    reader.at = (None, None);
    if reader.phrases > MAX_PHRASES {
        // Lists beyond the bound were not looked at.
        reader
            .faults
            .retain(|fault| fault.code != FaultCode::NoPhrases);
        reader.fault("lexicons", FaultCode::TooMany);
    }
    if reader.faults.is_empty() {
        Ok(Scorecard {
            id: document.id.clone(),
            version,
            name: document.name.clone(),
            criteria,
            hold_phrases,
            operator_phrases,
            back_channels,
        })
    } else {
        Err(InvalidScorecard {
            faults: reader.faults,
        })
    }
}

struct Reader<'a> {
    lexicons: &'a BTreeMap<String, Vec<String>>,
    faults: Vec<Fault>,
    keys: HashSet<String>,
    phrases: usize,
    at: (Option<usize>, Option<usize>),
}

impl Reader<'_> {
    fn fault(&mut self, place: &str, code: FaultCode) {
        self.fault_of(place, code, "");
    }

    fn fault_of(&mut self, place: &str, code: FaultCode, detail: &str) {
        self.faults.push(Fault {
            code,
            place: place.to_owned(),
            criterion: self.at.0,
            item: self.at.1,
            detail: detail.to_owned(),
        });
    }

    fn plain_key(&mut self, place: &str, key: &str) {
        let plain = !key.is_empty()
            && key.len() <= MAX_NAME
            && key
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !plain {
            self.fault(place, FaultCode::BadKey);
        }
    }

    fn key(&mut self, place: &str, key: &str) {
        self.plain_key(place, key);
        if !self.keys.insert(key.to_owned()) {
            self.fault(place, FaultCode::KeyTwice);
        }
    }

    fn name(&mut self, place: &str, name: &str) {
        if name.trim().is_empty() {
            self.fault(place, FaultCode::NoName);
        }
        if name.chars().count() > MAX_NAME {
            self.fault(place, FaultCode::TooLong);
        }
    }

    fn weight(&mut self, place: &str, weight: f64) {
        if !(weight > 0.0 && weight <= 1000.0) {
            self.fault(place, FaultCode::BadWeight);
        }
    }

    fn phrase(&mut self, place: &str, phrase: &str) {
        let has_word = phrase
            .split_whitespace()
            .any(|element| element != "*" && element != "..." && !element.ends_with('?'));
        if !has_word {
            self.fault_of(place, FaultCode::EmptyPhrase, phrase);
        }
        if phrase.chars().count() > MAX_PHRASE {
            self.fault(place, FaultCode::TooLong);
        }
    }

    fn expand(&mut self, place: &str, phrases: &[String], lexicons: &[String]) -> Vec<String> {
        for phrase in phrases {
            self.phrase(place, phrase);
        }
        let known = self.lexicons;
        let mut all = phrases.to_vec();
        for name in lexicons {
            match known.get(name) {
                // What is too much is not copied any more.
                Some(more) if self.phrases + all.len() <= MAX_PHRASES => {
                    all.extend(more.iter().cloned());
                }
                Some(_) => {}
                None => self.fault_of(place, FaultCode::NoLexicon, name),
            }
        }
        self.phrases += all.len();
        all
    }

    fn criterion(&mut self, criterion: &CriterionDocument) -> Criterion {
        let place = format!("criteria.{}", criterion.key);
        self.key(&place, &criterion.key);
        self.name(&place, &criterion.name);
        self.weight(&place, criterion.weight);
        if criterion.items.is_empty() {
            self.fault(&place, FaultCode::NoItems);
        }
        let number = self.at.0;
        Criterion {
            key: criterion.key.clone(),
            name: criterion.name.clone(),
            name_en: criterion.name_en.clone(),
            weight: criterion.weight,
            items: criterion
                .items
                .iter()
                .take(MAX_ITEMS)
                .enumerate()
                .map(|(item_number, item)| {
                    self.at = (number, Some(item_number));
                    self.item(&place, item)
                })
                .collect(),
        }
    }

    fn item(&mut self, criterion: &str, item: &ItemDocument) -> Item {
        let place = format!("{criterion}.{}", item.key);
        self.key(&place, &item.key);
        self.name(&place, &item.name);
        self.weight(&place, item.weight);
        Item {
            key: item.key.clone(),
            name: item.name.clone(),
            name_en: item.name_en.clone(),
            weight: item.weight,
            auto_fail: item.auto_fail,
            check: match item.metric {
                Some(metric) => self.metric(&place, item, metric),
                None => self.phrases(&place, item),
            },
        }
    }

    fn metric(&mut self, place: &str, item: &ItemDocument, metric: MetricName) -> Check {
        if !item.phrases.is_empty() || !item.lexicons.is_empty() || item.after.is_some() {
            self.fault(place, FaultCode::MetricAndPhrases);
        }
        let number = |bound: Option<f64>| bound.is_none_or(f64::is_finite);
        match (item.min, item.max) {
            (None, None) => self.fault(place, FaultCode::MetricBounds),
            (min, max) if !number(min) || !number(max) => {
                self.fault(place, FaultCode::MetricBounds);
            }
            (Some(min), Some(max)) if min > max => self.fault(place, FaultCode::MinAboveMax),
            _ => {}
        }
        Check::Metric(MetricCheck {
            metric,
            min: item.min,
            max: item.max,
        })
    }

    fn phrases(&mut self, place: &str, item: &ItemDocument) -> Check {
        let phrases = self.expand(place, &item.phrases, &item.lexicons);
        if phrases.is_empty() {
            self.fault(place, FaultCode::NoPhrases);
        }
        let window = match (item.first_s, item.last_s) {
            (None, None) => Window::Whole,
            (Some(seconds), None) => Window::First { seconds },
            (None, Some(seconds)) => Window::Last { seconds },
            (Some(_), Some(_)) => {
                self.fault(place, FaultCode::TwoWindows);
                Window::Whole
            }
        };
        let long = |seconds: f64| seconds > 0.0 && seconds.is_finite();
        if item.first_s.or(item.last_s).is_some_and(|s| !long(s)) {
            self.fault(place, FaultCode::BadWindow);
        }
        let (min, max) = match (item.min, item.max) {
            (None, None) => (Some(1), None),
            (min, max) => (
                min.and_then(|value| self.count(place, value)),
                max.and_then(|value| self.count(place, value)),
            ),
        };
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            self.fault(place, FaultCode::MinAboveMax);
        }
        if item.after.is_some() && item.max.is_some() {
            self.fault(place, FaultCode::AfterWithMax);
        }
        let after = item.after.as_ref().map(|after| self.trigger(place, after));
        Check::Phrase(PhraseCheck {
            speaker: item.speaker.unwrap_or(Who::Operator).speaker(),
            phrases,
            except: self.expand(place, &item.except, &item.except_lexicons),
            window,
            min,
            max,
            after,
        })
    }

    fn trigger(&mut self, place: &str, trigger: &TriggerDocument) -> Trigger {
        let place = format!("{place}.after");
        let phrases = self.expand(&place, &trigger.phrases, &trigger.lexicons);
        if phrases.is_empty() {
            self.fault(&place, FaultCode::NoPhrases);
        }
        let within = trigger.within_s > 0.0 && trigger.within_s.is_finite();
        if !within || !(0.0..=1.0).contains(&trigger.min_share) {
            self.fault(&place, FaultCode::BadTrigger);
        }
        Trigger {
            speaker: trigger.speaker.unwrap_or(Who::Client).speaker(),
            phrases,
            except: self.expand(&place, &trigger.except, &[]),
            within_s: trigger.within_s,
            min_share: trigger.min_share,
        }
    }

    fn count(&mut self, place: &str, value: f64) -> Option<u32> {
        if value.fract() != 0.0 || !(0.0..=10_000.0).contains(&value) {
            self.fault(place, FaultCode::BadCount);
            return None;
        }
        Some(value as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_scorecard_is_valid() {
        let card = parse(DEFAULT_SCORECARD, 1).expect("valid");
        let names: Vec<_> = card.criteria.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["Стандарты", "Лояльность", "Доброжелательность"]);
        assert!(card.criteria.iter().all(|c| c.name_en.is_some()));
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let text = r#"
            id = "x"
            name = "X"
            [[criteria]]
            key = "a"
            name = "A"
            weight = 0
            [[criteria.items]]
            key = "a"
            name = "twice"
            lexicons = ["nowhere"]
            [[criteria.items]]
            key = "b"
            name = "B"
            metric = "patience"
            [[criteria.items]]
            key = "c"
            name = "C"
            phrases = ["* ..."]
            min = 1.5
        "#;
        let faults = parse(text, 1).expect_err("invalid").to_string();
        for part in [
            "criteria.a: a weight is above 0",
            "criteria.a.a: this key is used twice",
            "criteria.a.a: there is no lexicon of this name: nowhere",
            "criteria.a.b: a metric needs min or max",
            "criteria.a.c: this phrase has no word",
            "criteria.a.c: min and max of phrases are whole numbers",
        ] {
            assert!(faults.contains(part), "{part} is not in:\n{faults}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused_with_its_line() {
        let error = parse("id = \"x\"\nname = \"X\"\ncolour = 1\ncriteria = []", 1)
            .expect_err("invalid")
            .to_string();
        assert!(
            error.contains("line 3") && error.contains("colour"),
            "{error}"
        );
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let document = read(DEFAULT_SCORECARD).expect("form");
        assert_eq!(read(&document.to_toml()).expect("form"), document);
        let card = compile(&document, 3).expect("valid");
        // A card without its file is written with its lists spelled out.
        let rendered = CardDocument::from(&card);
        assert_eq!(parse(&rendered.to_toml(), 3).expect("valid"), card);
    }

    #[test]
    fn a_fault_says_which_item_it_is_about() {
        let mut document = read(DEFAULT_SCORECARD).expect("form");
        document.criteria[1].items[2].weight = f64::NAN;
        document.criteria[0].items[0].first_s = Some(f64::INFINITY);
        let faults = compile(&document, 1).expect_err("invalid").faults;
        let places: Vec<_> = faults
            .iter()
            .map(|fault| (fault.code, fault.criterion, fault.item))
            .collect();
        assert_eq!(
            places,
            [
                (FaultCode::BadWindow, Some(0), Some(0)),
                (FaultCode::BadWeight, Some(1), Some(2)),
            ]
        );
    }

    #[test]
    fn a_scorecard_cannot_be_made_endless() {
        let mut document = read(DEFAULT_SCORECARD).expect("form");
        let list = vec!["слово".to_owned(); 10_000];
        document.lexicons.insert("long".to_owned(), list);
        document.criteria[0].items[0].lexicons = vec!["long".to_owned(); 1_000];
        let faults = compile(&document, 1).expect_err("invalid").faults;
        assert_eq!(faults[0].code, FaultCode::TooMany);
    }
}
