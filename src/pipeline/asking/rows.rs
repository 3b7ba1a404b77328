//! The calls of analyses, one after the other, within what each analysis may cost.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::answering::{by_search, off, pause, why};
use super::work::Asking;
use crate::domain::Transcript;
use crate::domain::question::{Analysis, AnalysisState, Finding, Row, Why};
use crate::llm::{LlmError, Usage};
use crate::pipeline::desk::Desk;
use crate::store::StoreError;

/// Tokens of a request about a call besides its text.
const FRAME: u32 = 900;
/// Tokens of a minute of conversation, as `Client::tokens` counts.
const TOKENS_A_MINUTE: f64 = 525.0;

/// What asking so many calls takes, roughly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Tokens read by the model; 0 without one.
    pub tokens: u64,
    /// What they and the answers cost, by the prices of the settings.
    pub cost: f64,
}

/// Why a row is not finished.
enum Later {
    /// Its turn comes again.
    Again,
    /// It waits in the store for the next start, or is not wanted any more.
    Leave,
}

impl Asking {
    /// What asking calls of this length takes, roughly.
    pub fn estimate(&self, calls: u64, duration_ms: u64) -> Estimate {
        let Some(desk) = &self.desk else {
            return Estimate {
                tokens: 0,
                cost: 0.0,
            };
        };
        let minutes = duration_ms as f64 / 60_000.0;
        let tokens = minutes * TOKENS_A_MINUTE + calls as f64 * f64::from(FRAME);
        let written = calls as f64 * 200.0;
        let prices = desk.settings().prices;
        Estimate {
            tokens: tokens as u64,
            cost: (tokens * prices.0 + written * prices.1) / 1e6,
        }
    }

    /// Asks one call of an analysis.
    pub(super) fn row(&self, id: &str, number: u32) -> Result<(), StoreError> {
        let store = &self.runner.store;
        let (Some(analysis), Some(row)) = (store.analysis(id)?, store.analysis_row(id, number)?)
        else {
            return Ok(());
        };
        let came = match (store.entry(&row.call_id)?, store.transcript(&row.call_id)?) {
            (None, _) => Err(Why::new("deleted", "the call was deleted")),
            (_, None) => Err(Why::new("no_transcript", "the call has no transcript")),
            (Some(_), Some(transcript)) => match &self.desk {
                None => Ok(by_search(&transcript, &analysis.question, off())),
                Some(desk) => match self.paid(desk, &analysis, &row, &transcript)? {
                    Ok(found) => Ok(found),
                    Err(Later::Leave) => return Ok(()),
                    Err(Later::Again) => {
                        let mut state = self.lock();
                        let known = state.running.iter_mut().find(|running| running.id == id);
                        if let Some(running) = known {
                            running.waiting.push_front(number);
                        }
                        return Ok(());
                    }
                },
            },
        };
        let now = Timestamp::now();
        let kept = store.finish_row(id, number, came, now)?;
        if kept.is_none_or(|analysis| analysis.state != AnalysisState::Running) {
            self.forget(id);
        }
        Ok(())
    }

    /// Asks the model about one call of an analysis, while what it may cost is within
    /// what the analysis may cost.
    fn paid(
        &self,
        desk: &Arc<Desk>,
        analysis: &Analysis,
        row: &Row,
        transcript: &Transcript,
    ) -> Result<Result<Finding, Later>, StoreError> {
        let id = analysis.id.as_str();
        let words: usize = transcript.turns.iter().map(|turn| turn.text().len()).sum();
        // Letters of two bytes: as many tokens as characters, halved.
        let most = Usage {
            input: u32::try_from(words / 4)
                .unwrap_or(u32::MAX)
                .saturating_add(FRAME),
            output: desk.settings().answer_tokens,
        }
        .cost(desk.settings().prices);
        let given_up = {
            let mut state = self.lock();
            let Some(running) = state.running.iter_mut().find(|running| running.id == id) else {
                return Ok(Err(Later::Leave));
            };
            let spent = self
                .runner
                .store
                .analysis(id)?
                .map_or(0.0, |analysis| analysis.cost);
            let limit = analysis.most_cost.unwrap_or(f64::INFINITY);
            if spent + running.reserved + most > limit {
                if running.reserved > 0.0 {
                    // What is on its way may cost less than it might.
                    drop(state);
                    std::thread::sleep(Duration::from_millis(200));
                    return Ok(Err(Later::Again));
                }
                drop(state);
                self.forget(id);
                let why = Why::new("budget", "what the analysis may cost is spent");
                let now = Timestamp::now();
                self.runner
                    .store
                    .end_analysis(id, AnalysisState::OutOfBudget, &why, now)?;
                return Ok(Err(Later::Leave));
            }
            running.reserved += most;
            Arc::clone(&running.given_up)
        };
        let question = &analysis.question;
        let came = self.by_model(desk, &row.call_id, transcript, question, &given_up, None);
        let came = match came {
            Ok(found) => {
                desk.succeeded();
                Ok(found)
            }
            Err(LlmError::Stopped) => Err(Later::Leave),
            Err(error @ (LlmError::Unusable(_) | LlmError::Refused(_))) => {
                Ok(by_search(transcript, question, why(&error)))
            }
            Err(error) => {
                pause(desk, error);
                Err(Later::Again)
            }
        };
        let mut state = self.lock();
        if let Some(running) = state.running.iter_mut().find(|running| running.id == id) {
            // Exactly 0 again once nothing is on its way.
            let left = running.reserved - most;
            running.reserved = if left < 1e-9 { 0.0 } else { left };
        }
        Ok(came)
    }
}
