//! Asks a language model a question about one call, and for its summary. Nothing is
//! taken on trust: what it quotes is looked up, and only what is found is shown.
//!
//! Pure but for [`Model`]: whoever implements it sends, counts and writes down.

use crate::domain::Transcript;
use crate::domain::insight::Point;
use crate::domain::question::Quote;
use crate::llm::{Client, LlmError, Mask, Message, Reply, Shape, Usage};
use crate::pipeline::score::parts::{Part, parts};
use crate::pipeline::score::proof::Proofs;
use crate::pipeline::score::{Brief, line};

use super::requests::{self, Answered, Quoted, Summed, Told};
use super::search::is_russian;

/// Tokens that the parts of a request take besides its texts.
const FRAME: u32 = 200;
/// Longest answer kept, in characters.
const MAX_ANSWER: usize = 6000;
/// Longest text of a point, in characters.
const MAX_POINT: usize = 400;
/// Most quotes of an answer, and most objections.
const MOST: usize = 12;

/// A language model as it is asked here.
pub(super) trait Model {
    /// Sends messages. `aloud`: the answer is what a person waits for, with what was hidden.
    fn ask(
        &mut self,
        messages: &[Message],
        shape: &Shape,
        aloud: Option<&Mask>,
    ) -> Result<Reply, LlmError>;

    /// So many parts of a long call are read.
    fn read(&mut self, _parts: usize, _of: usize) {}
}

/// An answer and its proofs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) quotes: Vec<Quote>,
    pub(super) usage: Usage,
}

/// A summary and its proofs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summarized {
    pub(super) text: String,
    pub(super) next_step: Option<Point>,
    pub(super) objections: Vec<Point>,
    pub(super) usage: Usage,
}

struct Session<'a, 'm> {
    proofs: Proofs<'a>,
    mask: &'m Mask,
    model: &'m mut dyn Model,
    usage: Usage,
}

/// Answers a question about a call.
///
/// # Errors
/// What [`Model::ask`] gives, and [`LlmError::Unusable`] when an answer cannot be read twice.
pub(super) fn answer(
    transcript: &Transcript,
    question: &str,
    brief: Brief<'_>,
    mask: &mut Mask,
    model: &mut dyn Model,
) -> Result<Said, LlmError> {
    let asked = mask.hide(question);
    let lines = lines(transcript, mask);
    let frame = requests::question(&asked, "", (99, 99), brief.team);
    let parts = split(&lines, &frame, brief)?;
    let mut session = Session::new(transcript, mask, model);
    let of = parts.len();
    let mut facts: Vec<(String, Vec<Quote>)> = Vec::new();
    for (at, part) in (1..).zip(&parts) {
        let messages = requests::question(&asked, &part.lines, (at, of), brief.team);
        let (text, quotes) = session.answered(messages, of == 1)?;
        if !text.is_empty() || !quotes.is_empty() {
            facts.push((text, quotes));
        }
        session.model.read(at, of);
    }
    let (text, quotes) = match facts.len() {
        0 => (nothing(question), Vec::new()),
        1 => facts.remove(0),
        _ => session.merged(&asked, facts, brief)?,
    };
    Ok(Said {
        text,
        quotes,
        usage: session.usage,
    })
}

/// Sums a call up.
///
/// # Errors
/// As [`answer`].
pub(super) fn summarize(
    transcript: &Transcript,
    brief: Brief<'_>,
    mask: &mut Mask,
    model: &mut dyn Model,
) -> Result<Summarized, LlmError> {
    let lines = lines(transcript, mask);
    let parts = split(&lines, &requests::summary("", (99, 99), brief.team), brief)?;
    let mut session = Session::new(transcript, mask, model);
    let of = parts.len();
    let mut texts = Vec::new();
    let (mut next_step, mut objections) = (None, Vec::<Point>::new());
    for (at, part) in (1..).zip(&parts) {
        let messages = requests::summary(&part.lines, (at, of), brief.team);
        let shape = requests::summary_shape();
        let (_, summed): (_, Summed) = session.read(messages, &shape, false)?;
        texts.push(session.clean(&summed.summary, MAX_ANSWER));
        // What is agreed last stands.
        next_step = session.point(&summed.next_step).or(next_step);
        for told in &summed.objections {
            if let Some(point) = session.point(told)
                && objections.len() < MOST
                && !objections.iter().any(|known| same(known, &point))
            {
                objections.push(point);
            }
        }
    }
    texts.retain(|text| !text.is_empty());
    let text = if texts.len() > 1 {
        session.merged_summary(&texts, brief)?
    } else {
        texts.pop().unwrap_or_default()
    };
    if text.is_empty() {
        return Err(LlmError::Unusable("its summary is empty".to_owned()));
    }
    Ok(Summarized {
        text,
        next_step,
        objections,
        usage: session.usage,
    })
}

fn same(a: &Point, b: &Point) -> bool {
    match (&a.quote, &b.quote) {
        (Some(a), Some(b)) => a == b,
        _ => a.text == b.text,
    }
}

/// That no part of a call has an answer, in the language of the question.
fn nothing(question: &str) -> String {
    if is_russian(question) {
        "В разговоре об этом не говорят.".to_owned()
    } else {
        "The call does not mention it.".to_owned()
    }
}

fn lines(transcript: &Transcript, mask: &mut Mask) -> Vec<String> {
    let turns = transcript.turns.iter().enumerate();
    turns
        .map(|(number, turn)| line(number, turn, mask))
        .collect()
}

fn tokens(messages: &[Message]) -> u32 {
    messages
        .iter()
        .map(|message| Client::tokens(&message.content))
        .sum()
}

/// What a request may have besides `frame`: the second one repeats the answer.
fn room(frame: &[Message], brief: Brief<'_>) -> u32 {
    let taken = tokens(frame) + FRAME + 2 * brief.answer_tokens;
    brief.context_tokens.saturating_sub(taken)
}

fn split(lines: &[String], frame: &[Message], brief: Brief<'_>) -> Result<Vec<Part>, LlmError> {
    let room = room(frame, brief);
    parts(lines, room).map_err(|longest| {
        LlmError::Refused(format!(
            "llm.context_tokens is too small: a turn of {longest} tokens does not fit the {room} left by the question"
        ))
    })
}

impl<'a, 'm> Session<'a, 'm> {
    fn new(transcript: &'a Transcript, mask: &'m Mask, model: &'m mut dyn Model) -> Self {
        Self {
            proofs: Proofs::new(transcript),
            mask,
            model,
            usage: Usage::default(),
        }
    }

    /// Asks, and once more where the answer cannot be read.
    fn read<T: serde::de::DeserializeOwned>(
        &mut self,
        messages: Vec<Message>,
        shape: &Shape,
        aloud: bool,
    ) -> Result<(String, T), LlmError> {
        let reply = self
            .model
            .ask(&messages, shape, aloud.then_some(self.mask))?;
        self.usage = self.usage.plus(reply.usage);
        match requests::read(&reply.text) {
            Ok(read) => Ok((reply.text, read)),
            Err(fault) => {
                let again = requests::repair(messages, &reply.text, &fault);
                let reply = self.model.ask(&again, shape, None)?;
                self.usage = self.usage.plus(reply.usage);
                let read = requests::read(&reply.text)?;
                Ok((reply.text, read))
            }
        }
    }

    /// An answer with the quotes that are true; asked for once more where none is.
    fn answered(
        &mut self,
        messages: Vec<Message>,
        aloud: bool,
    ) -> Result<(String, Vec<Quote>), LlmError> {
        let shape = requests::answer_shape();
        let (raw, first): (_, Answered) = self.read(messages.clone(), &shape, aloud)?;
        let text = self.clean(&first.answer, MAX_ANSWER);
        let quotes = self.proved(&first.quotes);
        if !quotes.is_empty() || first.quotes.is_empty() {
            return Ok((text, quotes));
        }
        match self.read::<Answered>(requests::prove(messages, &raw), &shape, false) {
            Ok((_, second)) => {
                let quotes = self.proved(&second.quotes);
                // An answer that is only worded anew proves nothing more.
                let text = if quotes.is_empty() {
                    text
                } else {
                    self.clean(&second.answer, MAX_ANSWER)
                };
                Ok((text, quotes))
            }
            Err(LlmError::Unusable(_)) => Ok((text, quotes)),
            Err(error) => Err(error),
        }
    }

    /// One answer from those of the parts; side by side where they do not fit, or what
    /// the model makes of them cannot be read.
    fn merged(
        &mut self,
        asked: &str,
        facts: Vec<(String, Vec<Quote>)>,
        brief: Brief<'_>,
    ) -> Result<(String, Vec<Quote>), LlmError> {
        let mut quotes: Vec<Quote> = Vec::new();
        let mut lines = String::new();
        for (at, (text, proofs)) in (1..).zip(&facts) {
            lines += &format!("Часть {at}: {}\n", self.mask.cover(&one_line(text)));
            for quote in proofs {
                let said = self.mask.cover(&one_line(&quote.text));
                lines += &format!("[{}] «{said}»\n", quote.turn_index);
            }
            quotes.extend(proofs.iter().cloned());
        }
        quotes.sort_by_key(|quote| (quote.start_ms, quote.end_ms));
        quotes.dedup();
        let frame = requests::merge_answers(asked, "", brief.team);
        if Client::tokens(&lines) <= room(&frame, brief) {
            let messages = requests::merge_answers(asked, &lines, brief.team);
            let shape = requests::answer_shape();
            match self.read::<Answered>(messages, &shape, true) {
                Ok((_, merged)) if !merged.answer.trim().is_empty() => {
                    let kept = self.proved(&merged.quotes);
                    if !kept.is_empty() {
                        quotes = kept;
                    }
                    quotes.truncate(MOST);
                    return Ok((self.clean(&merged.answer, MAX_ANSWER), quotes));
                }
                Ok(_) | Err(LlmError::Unusable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        quotes.truncate(MOST);
        let texts: Vec<String> = facts.into_iter().map(|(text, _)| text).collect();
        Ok((cut(&texts.join("\n"), MAX_ANSWER), quotes))
    }

    fn merged_summary(&mut self, texts: &[String], brief: Brief<'_>) -> Result<String, LlmError> {
        let lines: String = (1..)
            .zip(texts)
            .map(|(at, text)| format!("Часть {at}: {}\n", self.mask.cover(&one_line(text))))
            .collect();
        let frame = requests::merge_summaries("", brief.team);
        if Client::tokens(&lines) <= room(&frame, brief) {
            let messages = requests::merge_summaries(&lines, brief.team);
            let shape = requests::answer_shape();
            match self.read::<Answered>(messages, &shape, false) {
                Ok((_, merged)) if !merged.answer.trim().is_empty() => {
                    return Ok(self.clean(&merged.answer, MAX_ANSWER));
                }
                Ok(_) | Err(LlmError::Unusable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(cut(&texts.join("\n"), MAX_ANSWER))
    }

    /// The quotes that are in the transcript, in the order of the call, each once.
    fn proved(&self, quoted: &[Quoted]) -> Vec<Quote> {
        let mut quotes: Vec<Quote> = quoted
            .iter()
            .filter_map(|quoted| self.proof(quoted.turn, &quoted.text))
            .collect();
        quotes.sort_by_key(|quote| (quote.start_ms, quote.end_ms));
        quotes.dedup();
        quotes.truncate(MOST);
        quotes
    }

    fn proof(&self, turn: i64, text: &str) -> Option<Quote> {
        let near = usize::try_from(turn).unwrap_or(0);
        self.proofs.find(near, &self.mask.restore(text))
    }

    /// A point with its proof where it has one; `None` where nothing is told.
    fn point(&self, told: &Told) -> Option<Point> {
        let text = self.clean(&one_line(&told.text), MAX_POINT);
        let quote = self.proof(told.turn, &told.quote);
        let text = match &quote {
            Some(quote) if text.is_empty() => quote.text.clone(),
            _ => text,
        };
        (!text.is_empty()).then_some(Point { text, quote })
    }

    /// With hidden data put back.
    fn clean(&self, text: &str, most: usize) -> String {
        cut(&self.mask.restore(text.trim()), most)
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .take(most)
        .collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "one_tests.rs"]
mod tests;
