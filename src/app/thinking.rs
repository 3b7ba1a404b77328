//! The threads that judge, answer and sum up, started and stopped together.

use std::sync::Arc;

use crate::config::Config;
use crate::llm::Client;
use crate::pipeline::Runner;
use crate::pipeline::asking::{Askers, Asking, Insights, Making};
use crate::pipeline::desk::Desk;
use crate::pipeline::judging::{Judges, Judging};
use crate::pipeline::rescoring::{Rescorer, Rescorings};

/// The threads that judge, answer and sum up.
pub(super) struct Thinking {
    desk: Option<Arc<Desk>>,
    judges: Option<Judges>,
    askers: Askers,
    making: Making,
    rescorer: Rescorer,
}

impl Thinking {
    pub(super) fn stop(self) {
        // All that wait for the language model give up at once.
        if let Some(desk) = &self.desk {
            desk.stop();
        }
        let (judges, askers, making) = (self.judges, self.askers, self.making);
        let rescorer = self.rescorer;
        // At the same time: each waits a moment for its requests.
        std::thread::scope(|threads| {
            threads.spawn(|| askers.stop());
            threads.spawn(|| making.stop());
            threads.spawn(|| rescorer.stop());
            if let Some(judges) = judges {
                judges.stop();
            }
        });
    }
}

pub(super) type Started = (
    Option<Arc<Judging>>,
    Arc<Asking>,
    Arc<Insights>,
    Arc<Rescorings>,
    Thinking,
);

/// Starts what judges, answers and sums up; by a language model, where one is turned on.
pub(super) fn start_thinking(config: &Config, runner: &Arc<Runner>) -> anyhow::Result<Started> {
    let desk = config.llm.enabled.then(|| {
        tracing::info!(
            host = config.llm.host(),
            model = config.llm.model,
            "calls are judged by a language model"
        );
        let client = Client::new(config.llm.clone());
        let zone = config.names.time_zone.clone();
        Arc::new(Desk::new(client, Arc::clone(runner.store()), zone))
    });
    let (judging, judges) = match &desk {
        Some(desk) => Judging::start(Arc::clone(runner), Arc::clone(desk)).map(Some)?,
        None => None,
    }
    .unzip();
    let (asking, askers) = Asking::start(Arc::clone(runner), desk.clone())?;
    let summaries = desk.clone().filter(|_| config.llm.summaries);
    let (insights, making) = Insights::start(Arc::clone(runner), summaries)?;
    let (rescorings, rescorer) = Rescorings::start(Arc::clone(runner))?;
    let thinking = Thinking {
        desk,
        judges,
        askers,
        making,
        rescorer,
    };
    Ok((judging, asking, insights, rescorings, thinking))
}
