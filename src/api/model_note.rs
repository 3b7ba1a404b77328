//! What a language model has to do with a score, on the wire.

use poem_openapi::{Enum, Object};

use crate::domain::score::{ModelNote, ModelState};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum ModelStateView {
    /// It was not asked yet, or will be asked again.
    Waiting,
    /// The score is its judgement.
    Judged,
    /// It cannot judge this call: the score is that of the rules.
    Failed,
}

/// What a language model has to do with a score.
#[derive(Object)]
pub(super) struct ModelNoteView {
    state: ModelStateView,
    /// Its name.
    model: String,
    /// Stable name of what went wrong last.
    code: Option<String>,
    message: Option<String>,
    /// Quotes that it gave.
    quotes: u32,
    /// Those of them that are in the transcript, said by the right party.
    confirmed: u32,
    input_tokens: u32,
    output_tokens: u32,
    /// The team's instructions that it was given; null where there are none.
    prompt: Option<PromptRefView>,
}

/// The prompt that a judgement was made with.
#[derive(Object)]
struct PromptRefView {
    id: String,
    version: u32,
    name: String,
}

impl From<&ModelNote> for ModelNoteView {
    fn from(note: &ModelNote) -> Self {
        Self {
            state: match note.state {
                ModelState::Waiting => ModelStateView::Waiting,
                ModelState::Judged => ModelStateView::Judged,
                ModelState::Failed => ModelStateView::Failed,
            },
            model: note.model.clone(),
            code: note.code.clone(),
            message: note.message.clone(),
            quotes: note.quotes,
            confirmed: note.confirmed,
            input_tokens: note.input_tokens,
            output_tokens: note.output_tokens,
            prompt: note.prompt.as_ref().map(|prompt| PromptRefView {
                id: prompt.id.clone(),
                version: prompt.version,
                name: prompt.name.clone(),
            }),
        }
    }
}
