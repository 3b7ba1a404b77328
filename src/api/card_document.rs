//! Wire form of a scorecard's file: the names are those of the file.

use poem_openapi::types::{ParseFromJSON, ToJSON};
use poem_openapi::{Enum, Object};

use super::error::ApiError;
use crate::domain::card_document::CardDocument;

/// Everything that can be written in a scorecard's file.
#[derive(Object)]
#[oai(rename = "CardDocument")]
pub(super) struct CardDocumentView {
    id: String,
    name: String,
    /// Phrases only the operator says.
    #[oai(default)]
    operator_marks: Vec<String>,
    /// Phrases that announce a hold.
    #[oai(default)]
    hold: Vec<String>,
    /// Words that agree without taking the floor.
    #[oai(default)]
    back_channels: Vec<String>,
    /// Lists of phrases that items name.
    #[oai(default)]
    lexicons: std::collections::HashMap<String, Vec<String>>,
    criteria: Vec<CriterionDocumentView>,
}

#[derive(Object)]
#[oai(rename = "CriterionDocument", skip_serializing_if_is_none)]
struct CriterionDocumentView {
    key: String,
    name: String,
    name_en: Option<String>,
    #[oai(default = "one")]
    weight: f64,
    items: Vec<ItemDocumentView>,
}

#[derive(Object)]
#[oai(rename = "ItemDocument", skip_serializing_if_is_none)]
struct ItemDocumentView {
    key: String,
    name: String,
    name_en: Option<String>,
    #[oai(default = "one")]
    weight: f64,
    /// Failing it makes the criterion 0.
    #[oai(default)]
    auto_fail: bool,
    /// A metric that is held against `min` and `max`; `/scorecards` lists their names.
    metric: Option<String>,
    /// Who has to say it; the operator unless told.
    speaker: Option<WhoView>,
    #[oai(default)]
    phrases: Vec<String>,
    /// Names of lists whose phrases count too.
    #[oai(default)]
    lexicons: Vec<String>,
    /// A match that overlaps one of these does not count.
    #[oai(default)]
    except: Vec<String>,
    #[oai(default)]
    except_lexicons: Vec<String>,
    /// Only in this many seconds from the first word on.
    first_s: Option<f64>,
    /// Only in this many seconds up to the last word.
    last_s: Option<f64>,
    /// Fewest matches, or the metric's smallest value.
    min: Option<f64>,
    /// Most matches, or the metric's largest value.
    max: Option<f64>,
    after: Option<TriggerDocumentView>,
}

/// What an item answers to.
#[derive(Object)]
#[oai(rename = "TriggerDocument", skip_serializing_if_is_none)]
struct TriggerDocumentView {
    /// Who; the client unless told.
    speaker: Option<WhoView>,
    #[oai(default)]
    phrases: Vec<String>,
    #[oai(default)]
    lexicons: Vec<String>,
    #[oai(default)]
    except: Vec<String>,
    /// The answer has to come within this time, in seconds.
    within_s: f64,
    /// Share of the triggers that must be answered, 0–1.
    #[oai(default = "one")]
    min_share: f64,
}

/// A party.
#[derive(Enum, Clone, Copy)]
#[oai(rename = "Who", rename_all = "snake_case")]
enum WhoView {
    Operator,
    Client,
    Any,
}

fn one() -> f64 {
    1.0
}

impl CardDocumentView {
    /// The names are the same, so the JSON is.
    pub(super) fn new(document: &CardDocument) -> Result<Self, ApiError> {
        let json = serde_json::to_value(document).map_err(|error| ApiError::internal(&error))?;
        Self::parse_from_json(Some(json)).map_err(|error| ApiError::internal(&error.into_message()))
    }

    /// As the program knows it.
    ///
    /// # Errors
    /// `bad_scorecard`: a metric that is not known, or a number that is none.
    pub(super) fn read(&self) -> Result<CardDocument, ApiError> {
        let json = self.to_json().unwrap_or_default();
        serde_json::from_value(json).map_err(|error| {
            ApiError::bad_request(
                "bad_scorecard",
                format!("The form cannot be read as a scorecard: {error}."),
            )
        })
    }
}
