//! A language model judges the items that are about something said. It decides
//! nothing without proof: what it says was said has to be in the transcript, said by
//! the party and in the part of the call that the item names.
//!
//! Pure but for `ask`: the caller sends, counts and writes down what leaves the machine.

use std::collections::HashMap;

use crate::domain::score::{
    Engine, Evidence, EvidenceKind, ItemScore, ModelNote, ModelState, ReasonCode, Score, Verdict,
    criterion_percent, overall_percent,
};
use crate::domain::scorecard::Window;
use crate::domain::{Separation, Span, Transcript};
use crate::llm::{Client, LlmError, Mask, Message, Reply, Shape, Usage};

use super::evidence::{expected_at, part_of, quote, sample_of};
use super::parts::{self, Part};
use super::questions::{self, Answer, Question, Said};
use super::quotes::Quotes;
use super::rules::{MAX_EVIDENCE, Rules};

/// Longest comment kept, in characters.
const MAX_COMMENT: usize = 400;
/// Tokens that the parts of a request take besides its texts.
const FRAME: u32 = 200;

/// Sends messages and gives the answer.
pub type Ask<'a> = dyn FnMut(&[Message], &Shape) -> Result<Reply, LlmError> + 'a;

/// What a model is given besides the call.
#[derive(Debug, Clone, Copy)]
pub struct Brief<'a> {
    /// What the team adds to the rules of the work.
    pub team: &'a str,
    /// Tokens that the model reads and writes at once.
    pub context_tokens: u32,
    /// Tokens of them for its answer.
    pub answer_tokens: u32,
}

/// What is found about one question in a part of a call.
#[derive(Debug, Clone, Default)]
struct Finding {
    proofs: Vec<Evidence>,
    /// It is said to be there, without a proof.
    claimed: bool,
    absent: bool,
    no_occasion: bool,
    comment: String,
}

struct Session<'a, 'b> {
    transcript: &'a Transcript,
    quotes: Quotes<'a>,
    rules: &'a Score,
    usage: Usage,
    quoted: u32,
    confirmed: u32,
    ask: &'b mut Ask<'b>,
}

/// Judges a call. `base` is what the rules say of it; what a model cannot judge, or
/// gives no usable answer to, stays as it is there.
///
/// # Errors
/// What [`Client::chat`] gives, and [`LlmError::Unusable`] when an answer cannot be
/// read twice. The call then keeps `base`.
pub fn judge<'b>(
    rules: &Rules,
    transcript: &Transcript,
    base: &Score,
    brief: Brief<'_>,
    mask: &mut Mask,
    ask: &'b mut Ask<'b>,
) -> Result<Score, LlmError> {
    let questions = questions::questions(&rules.card().criteria, transcript);
    let mut session = Session {
        transcript,
        quotes: Quotes::new(transcript),
        rules: base,
        usage: Usage::default(),
        quoted: 0,
        confirmed: 0,
        ask,
    };
    let mut findings: HashMap<&str, Finding> = HashMap::new();
    if !questions.is_empty() && !transcript.turns.is_empty() {
        for part in split(transcript, &questions, brief, mask)? {
            for (key, found) in session.part(&questions, &part, brief, mask)? {
                merge(findings.entry(key).or_default(), found);
            }
        }
    }
    let mut score = base.clone();
    for question in &questions {
        let item = &mut score.criteria[question.criterion].items[question.item];
        if let Some(finding) = findings.remove(question.key) {
            decide(item, question, finding, transcript);
        }
    }
    for criterion in &mut score.criteria {
        (criterion.percent, criterion.auto_failed) = criterion_percent(&criterion.items);
    }
    score.overall_percent = overall_percent(&score.criteria);
    score.engine = Engine::Model;
    if transcript.separation != Separation::Unseparated {
        score.level = 1;
    }
    score.model = Some(ModelNote {
        quotes: session.quoted,
        confirmed: session.confirmed,
        input_tokens: session.usage.input,
        output_tokens: session.usage.output,
        ..ModelNote::new(ModelState::Judged)
    });
    Ok(score)
}

/// Parts of a call that fit what the model can read at once.
fn split(
    transcript: &Transcript,
    questions: &[Question],
    brief: Brief<'_>,
    mask: &mut Mask,
) -> Result<Vec<Part>, LlmError> {
    let all: Vec<&Question> = questions.iter().collect();
    let frame: u32 = questions::request(&all, "", brief.team)
        .iter()
        .map(|message| Client::tokens(&message.content))
        .sum();
    // The second request repeats the answer and says what is wrong with it.
    let taken = frame + FRAME + 2 * brief.answer_tokens;
    let room = brief.context_tokens.saturating_sub(taken);
    let lines: Vec<String> = transcript
        .turns
        .iter()
        .enumerate()
        .map(|(number, turn)| questions::line(number, turn, mask))
        .collect();
    parts::parts(&lines, room).map_err(|longest| {
        LlmError::Refused(format!(
            "llm.context_tokens is too small: the questions take {taken} tokens and a turn {longest}"
        ))
    })
}

impl<'a> Session<'a, '_> {
    fn part<'q>(
        &mut self,
        questions: &'q [Question<'q>],
        part: &Part,
        brief: Brief<'_>,
        mask: &Mask,
    ) -> Result<Vec<(&'q str, Finding)>, LlmError> {
        let all: Vec<&Question> = questions.iter().collect();
        let request = questions::request(&all, &part.lines, brief.team);
        let (answer, said) = self.answer(request.clone(), &all)?;
        let mut found: HashMap<&str, Finding> = HashMap::new();
        let mut doubts = Vec::new();
        for question in questions {
            match self.look(question, &said, part, mask) {
                (Some(finding), None) => {
                    found.insert(question.key, finding);
                }
                (finding, Some(doubt)) => {
                    found.extend(finding.map(|finding| (question.key, finding)));
                    doubts.push((question, doubt));
                }
                (None, None) => {}
            }
        }
        if !doubts.is_empty() {
            let asked: Vec<&Question> = doubts.iter().map(|(question, _)| *question).collect();
            let told: Vec<(&str, String)> = doubts
                .iter()
                .map(|(question, doubt)| (question.key, doubt.clone()))
                .collect();
            let again = questions::doubts(request, &answer, &told);
            // Where the second answer cannot be read, the first stands as far as it was proved.
            match self.answer(again, &asked) {
                Ok((_, said)) => {
                    for question in asked {
                        if let (Some(finding), _) = self.look(question, &said, part, mask) {
                            found.insert(question.key, finding);
                        }
                    }
                }
                Err(LlmError::Unusable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Asks, and once more where the answer cannot be read.
    fn answer(
        &mut self,
        messages: Vec<Message>,
        questions: &[&Question],
    ) -> Result<(String, Vec<Said>), LlmError> {
        let shape = questions::shape(questions);
        let reply = (self.ask)(&messages, &shape)?;
        self.usage = self.usage.plus(reply.usage);
        match questions::read(&reply.text) {
            Ok(said) => Ok((reply.text, said)),
            Err(fault) => {
                let again = questions::repair(messages, &reply.text, &fault);
                let reply = (self.ask)(&again, &shape)?;
                self.usage = self.usage.plus(reply.usage);
                let said = questions::read(&reply.text)?;
                Ok((reply.text, said))
            }
        }
    }

    /// What the answer proves about one question, and what is to be asked again.
    fn look(
        &mut self,
        question: &Question,
        said: &[Said],
        part: &Part,
        mask: &Mask,
    ) -> (Option<Finding>, Option<String>) {
        let Some(said) = said.iter().find(|said| said.key == question.key) else {
            return (None, Some("ответа нет".to_owned()));
        };
        let comment: String = mask
            .restore(said.comment.trim())
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_COMMENT)
            .collect();
        let mut finding = Finding {
            comment,
            ..Finding::default()
        };
        match said.said {
            Answer::NoOccasion if question.check.after.is_some() => {
                finding.no_occasion = true;
                (Some(finding), None)
            }
            // An item without an occasion of its own always applies.
            Answer::NoOccasion => (None, Some("здесь ответ только «yes» или «no»".to_owned())),
            Answer::No => {
                finding.absent = true;
                let against = self.against(question, part);
                let doubt = against.map(|quote| {
                    format!(
                        "правила нашли «{}»: подходит ли это по смыслу?",
                        mask.cover(&quote)
                    )
                });
                (Some(finding), doubt)
            }
            Answer::Yes => {
                let mut wrong = None;
                for quoted in &said.quotes {
                    self.quoted += 1;
                    match self.proof(question, quoted, mask) {
                        Ok(evidence) => {
                            self.confirmed += 1;
                            if !finding.proofs.contains(&evidence) {
                                finding.proofs.push(evidence);
                            }
                        }
                        Err(what) => wrong = Some(what),
                    }
                }
                finding.claimed = finding.proofs.is_empty();
                let doubt = finding
                    .claimed
                    .then(|| wrong.unwrap_or("нет цитаты").to_owned());
                (Some(finding), doubt)
            }
        }
    }

    /// The evidence that a quote is, or what is wrong with it.
    fn proof(
        &self,
        question: &Question,
        quoted: &questions::Quoted,
        mask: &Mask,
    ) -> Result<Evidence, &'static str> {
        let near = usize::try_from(quoted.turn).unwrap_or(0);
        let text = mask.restore(&quoted.text);
        let found = self
            .quotes
            .find(near, &text)
            .ok_or("такой цитаты в расшифровке нет")?;
        let evidence = quote(self.transcript, &found, EvidenceKind::Quote);
        let speaker = question.check.speaker;
        if speaker.is_some_and(|speaker| speaker != evidence.speaker) {
            return Err("это сказал не тот, о ком вопрос");
        }
        let window = window(question.check.window, self.transcript);
        if found.span.start_ms >= window.end_ms || found.span.end_ms <= window.start_ms {
            return Err("это сказано не в той части разговора, о которой вопрос");
        }
        Ok(evidence)
    }

    /// A phrase of the item that the rules found in this part, where the model sees none.
    fn against(&self, question: &Question, part: &Part) -> Option<String> {
        let item = &self.rules.criteria[question.criterion].items[question.item];
        let said = match item.reason.code {
            ReasonCode::PhraseFound | ReasonCode::PhraseForbiddenFound => item.evidence.iter(),
            _ => return None,
        };
        said.filter(|evidence| evidence.kind == EvidenceKind::Quote)
            .find(|evidence| {
                evidence
                    .turn_index
                    .is_some_and(|turn| part.turns.contains(&turn))
            })
            .map(|evidence| evidence.quote.clone())
    }
}

fn window(window: Window, transcript: &Transcript) -> Span {
    let spans = || transcript.turns.iter().map(|turn| turn.span());
    let start_ms = spans().map(|span| span.start_ms).min().unwrap_or(0);
    let end_ms = spans().map(|span| span.end_ms).max().unwrap_or(0);
    part_of(window, Span { start_ms, end_ms })
}

/// Adds what another part of the call tells.
fn merge(all: &mut Finding, part: Finding) {
    if all.comment.is_empty() || all.proofs.is_empty() && !part.proofs.is_empty() {
        all.comment = part.comment;
    }
    for proof in part.proofs {
        // Parts overlap.
        if !all.proofs.contains(&proof) {
            all.proofs.push(proof);
        }
    }
    all.claimed |= part.claimed;
    all.absent |= part.absent;
    all.no_occasion |= part.no_occasion;
}

/// The verdict on an item.
fn decide(
    item: &mut ItemScore,
    question: &Question,
    mut finding: Finding,
    transcript: &Transcript,
) {
    let check = question.check;
    let wanted = question.wanted();
    let count = finding.proofs.len();
    let enough = if wanted {
        count >= check.min.unwrap_or(1).max(1) as usize
    } else {
        count > check.max.unwrap_or(0) as usize
    };
    let expected = || expected_at(transcript, check.speaker, check.window);
    finding.proofs.truncate(MAX_EVIDENCE);
    let (verdict, code, evidence) = if enough && wanted {
        (Verdict::Met, ReasonCode::PhraseFound, finding.proofs)
    } else if enough {
        (
            Verdict::Failed,
            ReasonCode::PhraseForbiddenFound,
            finding.proofs,
        )
    } else if finding.claimed && wanted {
        // It earns nothing, and the place to listen to is where it was expected.
        let evidence = expected().into_iter().collect();
        (Verdict::Unconfirmed, ReasonCode::ModelUnconfirmed, evidence)
    } else if finding.claimed {
        // Nobody loses a point for what cannot be played.
        (
            Verdict::NotApplicable,
            ReasonCode::ModelUnconfirmed,
            Vec::new(),
        )
    } else if finding.absent || count > 0 {
        if wanted {
            finding.proofs.extend(expected());
            (Verdict::Failed, ReasonCode::PhraseAbsent, finding.proofs)
        } else {
            let evidence = sample_of(transcript, check.speaker);
            (Verdict::Met, ReasonCode::PhraseForbiddenAbsent, evidence)
        }
    } else if finding.no_occasion {
        (
            Verdict::NotApplicable,
            ReasonCode::TriggerAbsent,
            Vec::new(),
        )
    } else {
        return;
    };
    item.verdict = verdict;
    item.reason.code = code;
    item.reason.value = Some(count as f64);
    item.reason.threshold = check.min.or(check.max).map(f64::from);
    item.reason.unit = Some("count".to_owned());
    item.evidence = evidence;
    item.judged_by = Engine::Model;
    item.comment = (!finding.comment.is_empty()).then_some(finding.comment);
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
