//! A scorecard as a person writes it: the file's form, with named lists of phrases.
//! `scorecard_toml` turns it into a [`Scorecard`] or says what is wrong with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Speaker;
use super::scorecard::{
    Check, Criterion, Item, MetricName, PhraseCheck, Scorecard, Trigger, Window,
};

/// Everything that can be written in a scorecard's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardDocument {
    /// Stable id of the scorecard.
    pub id: String,
    /// Name as the team writes it.
    pub name: String,
    /// Phrases only the operator says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operator_marks: Vec<String>,
    /// Phrases that announce a hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hold: Vec<String>,
    /// Words that agree without taking the floor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back_channels: Vec<String>,
    /// Lists of phrases that items name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lexicons: BTreeMap<String, Vec<String>>,
    /// The criteria.
    pub criteria: Vec<CriterionDocument>,
}

/// A part of the score with a percent of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriterionDocument {
    /// Key, unique in the scorecard.
    pub key: String,
    /// Name as the team writes it.
    pub name: String,
    /// English name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_en: Option<String>,
    /// Weight in the overall percent.
    #[serde(default = "one")]
    pub weight: f64,
    /// Its items.
    pub items: Vec<ItemDocument>,
}

/// One checkable question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemDocument {
    /// Key, unique in the scorecard.
    pub key: String,
    /// Name as the team writes it.
    pub name: String,
    /// English name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_en: Option<String>,
    /// Weight within the criterion.
    #[serde(default = "one")]
    pub weight: f64,
    /// Failing it makes the criterion 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_fail: bool,
    /// A metric that is held against `min` and `max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricName>,
    /// Who has to say it; the operator unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<Who>,
    /// Any of these counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phrases: Vec<String>,
    /// Names of lists whose phrases count too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lexicons: Vec<String>,
    /// A match that overlaps one of these does not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// Names of lists of such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_lexicons: Vec<String>,
    /// Only in this many seconds from the first word on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_s: Option<f64>,
    /// Only in this many seconds up to the last word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_s: Option<f64>,
    /// Fewest matches, or the metric's smallest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Most matches, or the metric's largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Only where the other did something first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<TriggerDocument>,
}

/// What an item answers to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerDocument {
    /// Who; the client unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<Who>,
    /// Says any of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phrases: Vec<String>,
    /// Names of lists of such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lexicons: Vec<String>,
    /// What is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// The answer has to come within this time, in seconds.
    pub within_s: f64,
    /// Share of the triggers that must be answered, 0–1.
    #[serde(default = "one")]
    pub min_share: f64,
}

/// A party in a scorecard's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Our person.
    Operator,
    /// The other one.
    Client,
    /// Anybody.
    Any,
}

impl Who {
    /// As a check has it: `None` is anybody.
    pub fn speaker(self) -> Option<Speaker> {
        match self {
            Who::Operator => Some(Speaker::Operator),
            Who::Client => Some(Speaker::Client),
            Who::Any => None,
        }
    }

    fn of(speaker: Option<Speaker>) -> Self {
        match speaker {
            Some(Speaker::Operator) => Who::Operator,
            Some(Speaker::Client) => Who::Client,
            _ => Who::Any,
        }
    }
}

fn one() -> f64 {
    1.0
}

impl CardDocument {
    /// The file's text.
    pub fn to_toml(&self) -> String {
        // Every value of these types has a form in TOML.
        toml::to_string_pretty(self).unwrap_or_default()
    }
}

impl From<&Scorecard> for CardDocument {
    /// What a compiled scorecard was made from, but for the names of its lists.
    fn from(card: &Scorecard) -> Self {
        Self {
            id: card.id.clone(),
            name: card.name.clone(),
            operator_marks: card.operator_phrases.clone(),
            hold: card.hold_phrases.clone(),
            back_channels: card.back_channels.clone(),
            lexicons: BTreeMap::new(),
            criteria: card.criteria.iter().map(CriterionDocument::from).collect(),
        }
    }
}

impl From<&Criterion> for CriterionDocument {
    fn from(criterion: &Criterion) -> Self {
        Self {
            key: criterion.key.clone(),
            name: criterion.name.clone(),
            name_en: criterion.name_en.clone(),
            weight: criterion.weight,
            items: criterion.items.iter().map(ItemDocument::from).collect(),
        }
    }
}

impl From<&Item> for ItemDocument {
    fn from(item: &Item) -> Self {
        let mut document = Self {
            key: item.key.clone(),
            name: item.name.clone(),
            name_en: item.name_en.clone(),
            weight: item.weight,
            auto_fail: item.auto_fail,
            metric: None,
            speaker: None,
            phrases: Vec::new(),
            lexicons: Vec::new(),
            except: Vec::new(),
            except_lexicons: Vec::new(),
            first_s: None,
            last_s: None,
            min: None,
            max: None,
            after: None,
        };
        match &item.check {
            Check::Metric(check) => {
                document.metric = Some(check.metric);
                (document.min, document.max) = (check.min, check.max);
            }
            Check::Phrase(check) => document.set_phrases(check),
        }
        document
    }
}

impl ItemDocument {
    fn set_phrases(&mut self, check: &PhraseCheck) {
        self.speaker = Some(Who::of(check.speaker)).filter(|who| *who != Who::Operator);
        self.phrases = check.phrases.clone();
        self.except = check.except.clone();
        match check.window {
            Window::Whole => {}
            Window::First { seconds } => self.first_s = Some(seconds),
            Window::Last { seconds } => self.last_s = Some(seconds),
        }
        self.min = check.min.map(f64::from);
        self.max = check.max.map(f64::from);
        self.after = check.after.as_ref().map(TriggerDocument::from);
    }
}

impl From<&Trigger> for TriggerDocument {
    fn from(trigger: &Trigger) -> Self {
        Self {
            speaker: Some(Who::of(trigger.speaker)).filter(|who| *who != Who::Client),
            phrases: trigger.phrases.clone(),
            lexicons: Vec::new(),
            except: trigger.except.clone(),
            within_s: trigger.within_s,
            min_share: trigger.min_share,
        }
    }
}
