//! One answer: by the model through the desk, or by the search.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::live::{Live, Told};
use super::one::{self, Model};
use super::partial::Partial;
use super::search::search;
use super::work::Asking;
use crate::domain::egress::Purpose;
use crate::domain::question::{AnswerKind, Finding, Why};
use crate::domain::{CallId, Transcript};
use crate::llm::{Heard, LlmError, Mask, Message, Reply, Shape};
use crate::pipeline::desk::{Desk, Request};
use crate::pipeline::score::Brief;

impl Asking {
    /// The model's answer to a question about one call.
    pub(super) fn by_model(
        &self,
        desk: &Arc<Desk>,
        call: &CallId,
        transcript: &Transcript,
        question: &str,
        given_up: &AtomicBool,
        heard: Option<(&Live, &str)>,
    ) -> Result<Finding, LlmError> {
        let settings = desk.settings();
        let mut mask = desk.mask(transcript);
        mask.hide(question);
        let team = super::team(&self.runner.store, Purpose::Question)?;
        let brief = Brief {
            team: &team,
            context_tokens: settings.context_tokens,
            answer_tokens: settings.answer_tokens,
        };
        let mut asked = Asked {
            desk,
            call,
            purpose: Purpose::Question,
            hidden: mask.count(),
            given_up,
            heard,
        };
        let said = one::answer(transcript, question, brief, &mut mask, &mut asked)?;
        Ok(Finding {
            kind: AnswerKind::Model,
            confirmed: !said.quotes.is_empty(),
            text: said.text,
            quotes: said.quotes,
            why: None,
            model: Some(settings.model.clone()),
            tokens: (said.usage.input, said.usage.output),
            cost: said.usage.cost(settings.prices),
            version: transcript.version.number,
        })
    }
}

/// The desk as a model that is asked about one call.
pub(super) struct Asked<'a> {
    pub(super) desk: &'a Desk,
    pub(super) call: &'a CallId,
    pub(super) purpose: Purpose,
    pub(super) hidden: usize,
    pub(super) given_up: &'a AtomicBool,
    /// Who hears what is said aloud: then somebody waits for it.
    pub(super) heard: Option<(&'a Live, &'a str)>,
}

impl Model for Asked<'_> {
    fn ask(
        &mut self,
        messages: &[Message],
        shape: &Shape,
        aloud: Option<&Mask>,
    ) -> Result<Reply, LlmError> {
        let request = Request {
            call: self.call,
            purpose: self.purpose,
            messages,
            shape,
            hidden: self.hidden,
            urgent: self.heard.is_some(),
        };
        let given_up = || self.given_up.load(Ordering::Relaxed);
        let (Some((live, id)), Some(mask)) = (self.heard, aloud) else {
            return self.desk.ask(request, &given_up, None);
        };
        let mut partial = Partial::default();
        self.desk.ask(
            request,
            &given_up,
            Some(&mut |heard| match heard {
                Heard::Piece(piece) => {
                    let more = partial.push(piece, mask);
                    if !more.is_empty() {
                        live.tell(id, Told::Text(more));
                    }
                }
                Heard::Again => {
                    partial = Partial::default();
                    live.tell(id, Told::Again);
                }
            }),
        )
    }

    fn read(&mut self, parts: usize, of: usize) {
        if let Some((live, id)) = self.heard.filter(|_| of > 1) {
            live.tell(id, Told::Part(parts, of));
        }
    }
}

/// What concerns all requests pauses all; what concerns this one does not.
pub(super) fn pause(desk: &Desk, error: LlmError) {
    if !matches!(error, LlmError::Unusable(_) | LlmError::Refused(_)) {
        desk.pause(error);
    }
}

pub(super) fn why(error: &LlmError) -> Why {
    Why::new(error.code(), error.to_string())
}

/// Why no model answers where none is turned on.
pub(super) fn off() -> Why {
    Why::new("llm_off", "no language model is turned on")
}

/// The answer of the search, and why it is that.
pub(super) fn by_search(transcript: &Transcript, question: &str, why: Why) -> Finding {
    let found = search(transcript, question);
    Finding {
        text: found.text,
        quotes: found.quotes,
        version: transcript.version.number,
        ..without(why)
    }
}

/// No answer at all, and why.
pub(super) fn without(why: Why) -> Finding {
    Finding {
        kind: AnswerKind::Search,
        text: String::new(),
        quotes: Vec::new(),
        confirmed: false,
        why: Some(why),
        model: None,
        tokens: (0, 0),
        cost: 0.0,
        version: 0,
    }
}
