//! What the command line does is written into the audit as what people do over HTTP is.

use serde_json::Value;

use super::Command;
use crate::domain::audit::{Action, Actor, Entry, Outcome};
use crate::store::{Store, StoreError, Ticket};

/// Commands that only show what everybody with the data directory can see.
const SILENT: [&str; 3] = ["list", "keys", "report"];

/// The entry of a command; `None` where it is not recorded. Of what the command carries
/// only the name of what it is about is taken: the rest can be a password.
pub(super) fn entry(command: &Command, uid: u32) -> Option<Entry> {
    let actor = Actor::CommandLine { uid };
    let value = serde_json::to_value(command).ok()?;
    let (group, rest) = match &value {
        Value::String(group) => (group.clone(), &Value::Null),
        Value::Object(map) => map
            .iter()
            .next()
            .map(|(group, rest)| (group.clone(), rest))?,
        _ => return None,
    };
    let verb = match rest {
        Value::String(verb) => Some(verb.clone()),
        Value::Object(map) => map
            .get(if group == "sender" {
                "sftp_user"
            } else {
                &group
            })
            .and_then(Value::as_str)
            .or_else(|| map.keys().next().map(String::as_str))
            .map(str::to_owned),
        _ => None,
    };
    let verb = verb.unwrap_or_default();
    if SILENT.contains(&verb.as_str()) {
        return None;
    }
    let action = match (group.as_str(), verb.as_str()) {
        ("audit", _) => Action::AuditRead,
        ("erase", "preview") => Action::ErasurePreviewed,
        ("erase", _) => Action::Erased,
        ("import", _) => Action::Uploaded,
        ("user" | "sender", "add" | "remove") => Action::AccountsChanged,
        ("user" | "sender", _) => Action::KeysChanged,
        _ => Action::SettingsChanged,
    };
    let mut entry = Entry::new(actor, action);
    entry.operation = Some(format!("{group} {verb}").trim().to_owned());
    entry.subject = rest["name"].as_str().map(str::to_owned);
    Some(entry)
}

/// Writes down that a command begins; only then may it be done. Pages of an export after
/// the first are not written again.
pub(super) fn begin(store: &Store, entry: Option<&Entry>) -> Result<Option<Ticket>, StoreError> {
    entry.map(|entry| store.begin(entry.clone())).transpose()
}

/// Writes what became of a command.
pub(super) fn record<T>(
    store: &Store,
    begun: Option<Ticket>,
    entry: Option<Entry>,
    done: &Result<T, String>,
) -> Result<(), StoreError> {
    let entries = entry.into_iter().map(|mut entry| {
        if done.is_err() {
            entry.outcome = Outcome::Refused;
        }
        entry
    });
    store.settle(begun, entries.collect(), None)
}
