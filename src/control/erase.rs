//! Erasing by the command line: shown first, then ordered, then asked after.

use serde::{Deserialize, Serialize};

/// What can be done.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "erase")]
pub enum EraseCommand {
    /// Show what there is of a number.
    Preview {
        /// The number, as a person writes it.
        phone: String,
    },
    /// Order that it is erased; the answer is the order's id.
    Order {
        /// The number, as a person writes it.
        phone: String,
    },
    /// The report of an order; empty while it is not done.
    Report {
        /// Its id.
        id: String,
    },
}

/// Who erases, in a server that runs.
pub trait Erase: Send + Sync {
    /// What there is of a number, in lines.
    ///
    /// # Errors
    /// Why that cannot be said.
    fn preview(&self, phone: &str) -> Result<String, String>;

    /// Orders that it is erased; the order's id.
    ///
    /// # Errors
    /// Why it is refused.
    fn order(&self, phone: &str, author: &str) -> Result<String, String>;

    /// The report of an order, in lines; empty while it is not done.
    ///
    /// # Errors
    /// Why that cannot be said.
    fn report(&self, id: &str) -> Result<String, String>;
}

/// Does the command.
pub(super) fn execute(
    erase: &dyn Erase,
    command: &EraseCommand,
    uid: u32,
) -> Result<String, String> {
    match command {
        EraseCommand::Preview { phone } => erase.preview(phone),
        EraseCommand::Order { phone } => erase.order(phone, &format!("uid {uid}")),
        EraseCommand::Report { id } => erase.report(id),
    }
}
