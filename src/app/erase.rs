//! Erasing as the command line asks for it, with a server and without.

use std::path::PathBuf;
use std::sync::Arc;

use super::without_workers;
use crate::config::Config;
use crate::control::erase::Erase;
use crate::domain::erasure::Erasure;
use crate::erasure::Erasures;
use crate::store::Store;

/// Calls that a list on the terminal shows.
const SHOWN: usize = 200;

/// Erases what is kept of a number.
pub struct EraseDoor {
    store: Arc<Store>,
    erasures: Arc<Erasures>,
}

impl EraseDoor {
    /// Of a server that runs.
    pub(super) fn new(store: Arc<Store>, erasures: Arc<Erasures>) -> Self {
        Self { store, erasures }
    }

    /// In a store that no server has open.
    ///
    /// # Errors
    /// When the index or the scorecard cannot be used.
    pub fn without_server(
        config: &Config,
        store: Store,
        executable: PathBuf,
    ) -> anyhow::Result<Self> {
        let (store, runner) = without_workers(config, store, executable)?;
        let erasures = Arc::new(Erasures::new(config, Arc::clone(&store), runner, None));
        Ok(Self::new(store, erasures))
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Does what was ordered, where no server does it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn work_off(&self) -> anyhow::Result<()> {
        Ok(self.erasures.work_off()?)
    }
}

impl Erase for EraseDoor {
    fn preview(&self, phone: &str) -> Result<String, String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let subject = self.erasures.subject(phone).map_err(|error| told(&error))?;
        let kept = self
            .erasures
            .preview(&subject)
            .map_err(|error| told(&error))?;
        let mut lines: Vec<String> = kept
            .calls
            .iter()
            .take(SHOWN)
            .map(|(call, reason)| {
                let at = call.started_at.unwrap_or(call.created_at);
                let name: String = call
                    .filename
                    .chars()
                    .filter(|c| !crate::domain::audit::is_deceptive(*c))
                    .collect();
                format!("{}\t{at}\t{}\t{name}", call.id, reason.name())
            })
            .collect();
        if kept.calls.len() > SHOWN {
            lines.push(format!("… and {} more", kept.calls.len() - SHOWN));
        }
        lines.push(format!(
            "calls: {}, notices of outside systems: {}, files in senders' folders: {}, names of pulled files: {}",
            kept.calls.len(),
            kept.notices.len(),
            kept.dropped.len(),
            kept.pulled.len()
        ));
        Ok(lines.join("\n"))
    }

    fn order(&self, phone: &str, author: &str) -> Result<String, String> {
        let subject = self
            .erasures
            .subject(phone)
            .map_err(|error| error.to_string())?;
        let order = self.erasures.begin(&subject, author);
        order
            .map(|order| order.id)
            .map_err(|error| error.to_string())
    }

    fn report(&self, id: &str) -> Result<String, String> {
        let order = self.store.erasure(id).map_err(|error| error.to_string())?;
        let order = order.ok_or("there is no such erasure")?;
        Ok(if order.rewritten {
            lines(&order)
        } else {
            String::new()
        })
    }
}

fn lines(order: &Erasure) -> String {
    let removed = serde_json::to_value(order.removed).unwrap_or_default();
    let mut lines = vec![format!("erased: {} (report {})", order.masked, order.id)];
    for (what, count) in removed.as_object().into_iter().flatten() {
        lines.push(format!("    {}: {count}", what.replace('_', " ")));
    }
    for what in &order.left {
        lines.push(format!("left: {what}"));
    }
    lines.join("\n")
}
