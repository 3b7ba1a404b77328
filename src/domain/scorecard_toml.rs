//! Reads a scorecard from TOML and refuses one that could not be applied,
//! naming every fault and its place. Used for the built-in scorecard and for a
//! team's own file.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use super::Speaker;
use super::scorecard::{
    Check, Criterion, Item, MetricCheck, MetricName, PhraseCheck, Scorecard, Trigger, Window,
};

/// The built-in Russian scorecard.
pub const DEFAULT_SCORECARD: &str = include_str!("../../assets/scorecard.ru.toml");

/// Why a scorecard was refused: one line a fault, each with its place.
#[derive(Debug, thiserror::Error)]
#[error("the scorecard has faults:\n{}", faults.join("\n"))]
pub struct InvalidScorecard {
    /// The faults, each with its place in the file.
    pub faults: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: String,
    name: String,
    #[serde(default)]
    hold: Vec<String>,
    #[serde(default)]
    operator_marks: Vec<String>,
    #[serde(default)]
    back_channels: Vec<String>,
    #[serde(default)]
    lexicons: BTreeMap<String, Vec<String>>,
    criteria: Vec<FileCriterion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCriterion {
    key: String,
    name: String,
    name_en: Option<String>,
    #[serde(default = "one")]
    weight: f64,
    items: Vec<FileItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileItem {
    key: String,
    name: String,
    name_en: Option<String>,
    #[serde(default = "one")]
    weight: f64,
    #[serde(default)]
    auto_fail: bool,
    metric: Option<MetricName>,
    speaker: Option<FileSpeaker>,
    #[serde(default)]
    phrases: Vec<String>,
    #[serde(default)]
    lexicons: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default)]
    except_lexicons: Vec<String>,
    first_s: Option<f64>,
    last_s: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    after: Option<FileTrigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTrigger {
    speaker: Option<FileSpeaker>,
    #[serde(default)]
    phrases: Vec<String>,
    #[serde(default)]
    lexicons: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    within_s: f64,
    #[serde(default = "one")]
    min_share: f64,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum FileSpeaker {
    Operator,
    Client,
    Any,
}

fn one() -> f64 {
    1.0
}

/// Parses and validates; `version` is given by the store.
pub fn parse(text: &str, version: u32) -> Result<Scorecard, InvalidScorecard> {
    let file: File = toml::from_str(text).map_err(|error| InvalidScorecard {
        faults: vec![error.to_string().trim_end().to_owned()],
    })?;
    let mut reader = Reader {
        lexicons: &file.lexicons,
        faults: Vec::new(),
        keys: HashSet::new(),
    };
    if file.criteria.is_empty() {
        reader.fault("criteria", "at least one criterion is needed");
    }
    for (name, phrases) in &file.lexicons {
        for phrase in phrases {
            reader.phrase(&format!("lexicons.{name}"), phrase);
        }
    }
    let operator_phrases = reader.expand("operator_marks", &file.operator_marks, &[]);
    let hold_phrases = reader.expand("hold", &file.hold, &[]);
    let criteria: Vec<Criterion> = file
        .criteria
        .iter()
        .map(|criterion| reader.criterion(criterion))
        .collect();
    if reader.faults.is_empty() {
        Ok(Scorecard {
            id: file.id,
            version,
            name: file.name,
            criteria,
            hold_phrases,
            operator_phrases,
            back_channels: file.back_channels,
        })
    } else {
        Err(InvalidScorecard {
            faults: reader.faults,
        })
    }
}

struct Reader<'a> {
    lexicons: &'a BTreeMap<String, Vec<String>>,
    faults: Vec<String>,
    keys: HashSet<String>,
}

impl Reader<'_> {
    fn fault(&mut self, place: &str, what: &str) {
        self.faults.push(format!("{place}: {what}"));
    }

    fn key(&mut self, place: &str, key: &str) {
        let plain = !key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !plain {
            self.fault(place, "a key has lower-case Latin letters, digits and _");
        }
        if !self.keys.insert(key.to_owned()) {
            self.fault(place, "this key is used twice");
        }
    }

    fn weight(&mut self, place: &str, weight: f64) {
        if !(weight > 0.0 && weight <= 1000.0) {
            self.fault(place, "a weight is above 0 and at most 1000");
        }
    }

    fn phrase(&mut self, place: &str, phrase: &str) {
        let has_word = phrase
            .split_whitespace()
            .any(|element| element != "*" && element != "..." && !element.ends_with('?'));
        if !has_word {
            self.fault(
                place,
                &format!("the phrase {phrase:?} has no word that must be said"),
            );
        }
    }

    fn expand(&mut self, place: &str, phrases: &[String], lexicons: &[String]) -> Vec<String> {
        for phrase in phrases {
            self.phrase(place, phrase);
        }
        let mut all = phrases.to_vec();
        for name in lexicons {
            match self.lexicons.get(name) {
                Some(more) => all.extend(more.iter().cloned()),
                None => self.fault(place, &format!("there is no lexicon '{name}'")),
            }
        }
        all
    }

    fn criterion(&mut self, criterion: &FileCriterion) -> Criterion {
        let place = format!("criteria.{}", criterion.key);
        self.key(&place, &criterion.key);
        self.weight(&place, criterion.weight);
        if criterion.items.is_empty() {
            self.fault(&place, "at least one item is needed");
        }
        Criterion {
            key: criterion.key.clone(),
            name: criterion.name.clone(),
            name_en: criterion.name_en.clone(),
            weight: criterion.weight,
            items: criterion
                .items
                .iter()
                .map(|item| self.item(&place, item))
                .collect(),
        }
    }

    fn item(&mut self, criterion: &str, item: &FileItem) -> Item {
        let place = format!("{criterion}.{}", item.key);
        self.key(&place, &item.key);
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

    fn metric(&mut self, place: &str, item: &FileItem, metric: MetricName) -> Check {
        if !item.phrases.is_empty() || !item.lexicons.is_empty() || item.after.is_some() {
            self.fault(place, "an item has either a metric or phrases, not both");
        }
        match (item.min, item.max) {
            (None, None) => self.fault(place, "a metric needs min or max"),
            (Some(min), Some(max)) if min > max => {
                self.fault(place, "min is larger than max");
            }
            _ => {}
        }
        Check::Metric(MetricCheck {
            metric,
            min: item.min,
            max: item.max,
        })
    }

    fn phrases(&mut self, place: &str, item: &FileItem) -> Check {
        let phrases = self.expand(place, &item.phrases, &item.lexicons);
        if phrases.is_empty() {
            self.fault(place, "phrases, lexicons or a metric are needed");
        }
        let window = match (item.first_s, item.last_s) {
            (None, None) => Window::Whole,
            (Some(seconds), None) => Window::First { seconds },
            (None, Some(seconds)) => Window::Last { seconds },
            (Some(_), Some(_)) => {
                self.fault(place, "first_s and last_s cannot be used together");
                Window::Whole
            }
        };
        if item.first_s.or(item.last_s).is_some_and(|s| s <= 0.0) {
            self.fault(place, "the window must be longer than 0 s");
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
            self.fault(place, "min is larger than max");
        }
        if item.after.is_some() && item.max.is_some() {
            self.fault(place, "after cannot be used together with max");
        }
        let after = item.after.as_ref().map(|trigger| {
            let place = format!("{place}.after");
            let phrases = self.expand(&place, &trigger.phrases, &trigger.lexicons);
            if phrases.is_empty() {
                self.fault(&place, "phrases or lexicons are needed");
            }
            if trigger.within_s <= 0.0 || !(0.0..=1.0).contains(&trigger.min_share) {
                self.fault(&place, "within_s is above 0 and min_share from 0 to 1");
            }
            Trigger {
                speaker: speaker(trigger.speaker.unwrap_or(FileSpeaker::Client)),
                phrases,
                except: self.expand(&place, &trigger.except, &[]),
                within_s: trigger.within_s,
                min_share: trigger.min_share,
            }
        });
        Check::Phrase(PhraseCheck {
            speaker: speaker(item.speaker.unwrap_or(FileSpeaker::Operator)),
            phrases,
            except: self.expand(place, &item.except, &item.except_lexicons),
            window,
            min,
            max,
            after,
        })
    }

    fn count(&mut self, place: &str, value: f64) -> Option<u32> {
        if value.fract() != 0.0 || !(0.0..=10_000.0).contains(&value) {
            self.fault(
                place,
                "min and max of phrases are whole numbers from 0 to 10000",
            );
            return None;
        }
        Some(value as u32)
    }
}

fn speaker(speaker: FileSpeaker) -> Option<Speaker> {
    match speaker {
        FileSpeaker::Operator => Some(Speaker::Operator),
        FileSpeaker::Client => Some(Speaker::Client),
        FileSpeaker::Any => None,
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
        let faults = parse(text, 1).expect_err("invalid").faults.join("\n");
        for part in [
            "criteria.a: a weight is above 0",
            "criteria.a.a: this key is used twice",
            "criteria.a.a: there is no lexicon 'nowhere'",
            "criteria.a.b: a metric needs min or max",
            "criteria.a.c: the phrase",
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
}
