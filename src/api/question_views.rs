//! Wire types of questions, answers and analyses.

use poem_openapi::types::ParseFromJSON;
use poem_openapi::{Enum, Object};

use super::call_filter::CallFilter;
use super::error::ApiError;
use super::views::SpeakerView;
use crate::app::Parts;
use crate::domain::question::{
    self, Analysis, AnalysisState, Answer, AnswerKind, Finding, Quote, Row, SavedQuestion, Why,
};

/// Words of the transcript that prove something.
#[derive(Debug, Clone, Object)]
pub(super) struct QuoteView {
    turn_index: u64,
    speaker: SpeakerView,
    /// Exactly as in the transcript.
    text: String,
    start_ms: u64,
    end_ms: u64,
}

impl From<&Quote> for QuoteView {
    fn from(quote: &Quote) -> Self {
        Self {
            turn_index: quote.turn_index as u64,
            speaker: quote.speaker.into(),
            text: quote.text.clone(),
            start_ms: quote.start_ms,
            end_ms: quote.end_ms,
        }
    }
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum AnswerKindView {
    /// A language model.
    Model,
    /// A search for the question's words.
    Search,
}

/// Why something is as it is.
#[derive(Debug, Clone, Object)]
pub(super) struct WhyView {
    /// Stable name.
    code: String,
    message: String,
}

impl From<&Why> for WhyView {
    fn from(why: &Why) -> Self {
        Self {
            code: why.code.clone(),
            message: why.message.clone(),
        }
    }
}

/// What is answered.
#[derive(Debug, Clone, Object)]
pub(super) struct FindingView {
    kind: AnswerKindView,
    text: String,
    /// Each is in the transcript.
    quotes: Vec<QuoteView>,
    /// Whether a quote proves a model's answer. One that none proves is unconfirmed.
    confirmed: bool,
    /// Why no model answered.
    why: Option<WhyView>,
    model: Option<String>,
    input_tokens: u32,
    output_tokens: u32,
    cost: f64,
    /// Version of the transcript that was asked.
    version: u32,
}

impl From<&Finding> for FindingView {
    fn from(found: &Finding) -> Self {
        Self {
            kind: match found.kind {
                AnswerKind::Model => AnswerKindView::Model,
                AnswerKind::Search => AnswerKindView::Search,
            },
            text: found.text.clone(),
            quotes: found.quotes.iter().map(QuoteView::from).collect(),
            confirmed: found.confirmed,
            why: found.why.as_ref().map(WhyView::from),
            model: found.model.clone(),
            input_tokens: found.tokens.0,
            output_tokens: found.tokens.1,
            cost: found.cost,
            version: found.version,
        }
    }
}

/// A question about one call.
#[derive(Debug, Clone, Object)]
pub(super) struct AnswerView {
    id: String,
    call_id: String,
    question: String,
    saved_id: Option<String>,
    asked_by: String,
    asked_at: String,
    /// Null while it is being answered.
    answer: Option<FindingView>,
}

impl From<&Answer> for AnswerView {
    fn from(answer: &Answer) -> Self {
        Self {
            id: answer.id.clone(),
            call_id: answer.call_id.to_string(),
            question: answer.question.clone(),
            saved_id: answer.saved_id.clone(),
            asked_by: answer.asked_by.clone(),
            asked_at: answer.asked_at.to_string(),
            answer: answer.found.as_ref().map(FindingView::from),
        }
    }
}

/// What is told of an answer while it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum AnswerEventKind {
    /// The next piece of its text.
    Text,
    /// All text so far is void.
    Again,
    /// So many parts of a long call are read.
    Part,
    /// It is there whole; null: it was deleted. Nothing follows.
    Done,
}

/// One event of an answer's stream.
#[derive(Debug, Clone, Object)]
pub(super) struct AnswerEvent {
    pub(super) kind: AnswerEventKind,
    #[oai(skip_serializing_if_is_none)]
    pub(super) text: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub(super) parts: Option<u32>,
    #[oai(skip_serializing_if_is_none)]
    pub(super) of: Option<u32>,
    #[oai(skip_serializing_if_is_none)]
    pub(super) answer: Option<AnswerView>,
}

impl AnswerEvent {
    pub(super) fn new(kind: AnswerEventKind) -> Self {
        Self {
            kind,
            text: None,
            parts: None,
            of: None,
            answer: None,
        }
    }

    pub(super) fn text(text: String) -> Self {
        Self {
            text: Some(text),
            ..Self::new(AnswerEventKind::Text)
        }
    }

    pub(super) fn part(parts: usize, of: usize) -> Self {
        Self {
            parts: u32::try_from(parts).ok(),
            of: u32::try_from(of).ok(),
            ..Self::new(AnswerEventKind::Part)
        }
    }

    pub(super) fn done(answer: Option<&Answer>) -> Self {
        Self {
            answer: answer.map(AnswerView::from),
            ..Self::new(AnswerEventKind::Done)
        }
    }
}

/// A saved question.
#[derive(Debug, Clone, Object)]
pub(super) struct SavedQuestionView {
    id: String,
    name: String,
    text: String,
    created_at: String,
}

impl From<&SavedQuestion> for SavedQuestionView {
    fn from(saved: &SavedQuestion) -> Self {
        Self {
            id: saved.id.clone(),
            name: saved.name.clone(),
            text: saved.text.clone(),
            created_at: saved.created_at.to_string(),
        }
    }
}

/// Where an analysis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum AnalysisStateView {
    /// Calls are being asked.
    Running,
    /// All are.
    Done,
    /// A person stopped it.
    Cancelled,
    /// What it might cost is spent.
    OutOfBudget,
}

/// One question asked of many calls.
#[derive(Debug, Clone, Object)]
pub(super) struct AnalysisView {
    id: String,
    question: String,
    saved_id: Option<String>,
    /// The filter that chose the calls; null where ids were given.
    filter: Option<CallFilter>,
    /// Calls that the filter let through.
    matching: u64,
    /// Calls that are asked.
    calls: u32,
    /// What it may cost in all; null is no limit of its own.
    most_cost: Option<f64>,
    state: AnalysisStateView,
    /// Calls that are done with.
    done: u32,
    /// Of them, with an answer of any kind.
    answered: u32,
    /// Of them, with a model's answer that a quote proves.
    confirmed: u32,
    input_tokens: u64,
    output_tokens: u64,
    cost: f64,
    asked_by: String,
    asked_at: String,
    ended_at: Option<String>,
    /// Why it does not go on at the moment; null where it does, or has ended.
    waits: Option<WhyView>,
}

impl AnalysisView {
    pub(super) fn new(analysis: &Analysis, parts: &Parts) -> Self {
        let filter = analysis.filter.as_deref();
        // Without a model nothing waits: the search answers.
        let waits = (analysis.state == AnalysisState::Running && parts.judging.is_some())
            .then(|| parts.asking.unavailable())
            .flatten();
        Self {
            id: analysis.id.clone(),
            question: analysis.question.clone(),
            saved_id: analysis.saved_id.clone(),
            filter: filter.and_then(|text| CallFilter::parse_from_json_string(text).ok()),
            matching: analysis.matching,
            calls: analysis.calls,
            most_cost: analysis.most_cost,
            state: match analysis.state {
                AnalysisState::Running => AnalysisStateView::Running,
                AnalysisState::Done => AnalysisStateView::Done,
                AnalysisState::Cancelled => AnalysisStateView::Cancelled,
                AnalysisState::OutOfBudget => AnalysisStateView::OutOfBudget,
            },
            done: analysis.done,
            answered: analysis.answered,
            confirmed: analysis.confirmed,
            input_tokens: analysis.tokens.0,
            output_tokens: analysis.tokens.1,
            cost: analysis.cost,
            asked_by: analysis.asked_by.clone(),
            asked_at: analysis.asked_at.to_string(),
            ended_at: analysis.ended_at.map(|at| at.to_string()),
            waits: waits.as_ref().map(WhyView::from),
        }
    }
}

/// What became of one call of an analysis.
#[derive(Debug, Clone, Object)]
pub(super) struct RowView {
    call_id: String,
    filename: String,
    operator: Option<String>,
    /// When the conversation was, else when it arrived.
    at: String,
    answer: Option<FindingView>,
    /// Why there is none; null with no answer: it waits.
    why: Option<WhyView>,
}

impl From<&Row> for RowView {
    fn from(row: &Row) -> Self {
        Self {
            call_id: row.call_id.to_string(),
            filename: row.filename.clone(),
            operator: row.operator.clone(),
            at: row.at.to_string(),
            answer: row.found.as_ref().map(FindingView::from),
            why: row.why.as_ref().map(WhyView::from),
        }
    }
}

/// The text of a question: as it was sent, else that of the saved one.
pub(super) async fn text_of(
    parts: &Parts,
    text: Option<String>,
    saved_id: Option<&str>,
) -> Result<String, ApiError> {
    let saved = match saved_id {
        None => None,
        Some(id) => {
            let id = id.to_owned();
            let found = parts.store.run(move |store| store.saved_question(&id));
            Some(found.await?.ok_or_else(no_such_question)?)
        }
    };
    let text = text
        .filter(|text| !text.trim().is_empty())
        .or(saved.map(|saved| saved.text))
        .unwrap_or_default();
    question::question(&text)
        .map_err(|what| ApiError::bad_request("bad_question", format!("{what}.")))
}

pub(super) fn no_such_question() -> ApiError {
    ApiError::missing("not_found", "There is no such saved question.")
}
