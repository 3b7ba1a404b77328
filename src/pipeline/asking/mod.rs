//! Questions of calls, summaries and topics. Nothing here holds a call up: what is
//! owed is in the store and outlives a restart; where no model can be asked, rules and a
//! search answer and say so.

mod answering;
mod insights;
mod live;
mod offline;
mod one;
mod partial;
mod requests;
mod rows;
mod search;
mod table;
mod work;

pub use insights::{Insights, Making};
pub use live::{Told, Watch};
pub use rows::Estimate;
pub use table::{Words, csv, json};
pub use work::{Askers, Asking};

use crate::domain::egress::Purpose;
use crate::llm::LlmError;
use crate::store::Store;

/// What the team adds to the tasks of this purpose.
fn team(store: &Store, purpose: Purpose) -> Result<String, LlmError> {
    let prompt = store
        .active_prompt(purpose)
        .map_err(|error| LlmError::Later {
            after: None,
            reason: format!("the instructions cannot be read: {error}"),
        })?;
    Ok(prompt.map(|prompt| prompt.content).unwrap_or_default())
}
