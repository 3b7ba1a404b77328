//! A file that a sender dropped over SFTP, and what became of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::filename::NameFacts;
use super::phone::Number;
use super::terms::{Field, Told, any_number, any_text};
use super::{CallId, Source};

/// A file in a sender's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DroppedFile {
    /// Whose folder.
    pub user: String,
    /// Where in it, with '/' between the parts; bytes that are no UTF-8 are replaced.
    pub path: String,
    /// Its size when it was looked at.
    pub size_bytes: u64,
    /// When it was changed, as the sender says.
    pub modified_at: Timestamp,
    /// Device and number of the file itself; another file under the same name has others.
    pub inode: (u64, u64),
    /// When it was first seen.
    pub arrived_at: Timestamp,
    /// What became of it.
    pub state: DropState,
    /// Length that its header tells, in milliseconds. The call's length counts before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What its name tells; `None` where it was not read yet. The call's details
    /// count before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Box<NameTold>>,
}

/// What the name of a file tells of the call in it, as far as lists show it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NameTold {
    /// When the conversation began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Who called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<Number>,
    /// Who was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called: Option<Number>,
    /// Our person's phone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_phone: Option<Number>,
    /// Our person's extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Our person's name, as the directory has it or else the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Orders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order_ids: Vec<String>,
}

impl NameTold {
    /// Of what was read from a name; `operator` is whom the directory knows by it.
    pub fn new(facts: NameFacts, operator: Option<String>) -> Self {
        let details = facts.details;
        Self {
            started_at: facts.started_at,
            caller: details.caller,
            called: details.called,
            operator_phone: details.operator_phone,
            extension: details.extension,
            operator: operator.or(details.operator_name),
            order_ids: details.order_ids,
        }
    }
}

impl Told for NameTold {
    fn any(&self, field: Field, test: &mut dyn FnMut(&str, Option<&str>) -> bool) -> bool {
        match field {
            Field::Caller => any_number(&[&self.caller], test),
            Field::Called => any_number(&[&self.called], test),
            Field::OperatorPhone => any_number(&[&self.operator_phone], test),
            Field::Extension => any_text(&self.extension, test),
            Field::Operator => any_text(&self.operator, test),
            Field::Order => any_text(&self.order_ids, test),
            Field::Tag => false,
        }
    }

    fn source(&self) -> Source {
        Source::Sftp
    }
}

/// What became of a dropped file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropState {
    /// It is being written.
    Receiving,
    /// Its transfer broke off; the sender can go on with it.
    Incomplete,
    /// It is complete and waits for somebody to send it to recognition.
    Waiting,
    /// It became a call.
    Taken(CallId),
    /// The same content was known already as this call.
    Known(CallId),
    /// It is no recording; it is kept and not worked on.
    Other,
    /// It cannot be worked on.
    Refused {
        /// Stable name of the reason.
        code: String,
        /// What is wrong and what to do.
        message: String,
    },
}

impl DropState {
    /// True when nothing more happens to the file by itself.
    pub fn is_final(&self) -> bool {
        match self {
            DropState::Receiving | DropState::Incomplete => false,
            DropState::Waiting
            | DropState::Taken(_)
            | DropState::Known(_)
            | DropState::Other
            | DropState::Refused { .. } => true,
        }
    }

    /// The call it belongs to.
    pub fn call(&self) -> Option<&CallId> {
        match self {
            DropState::Taken(id) | DropState::Known(id) => Some(id),
            _ => None,
        }
    }
}

/// Where a dropped file is, as lists show it: a call that was deleted since is
/// told apart, because its file can be worked on again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropKind {
    /// It is being written.
    Receiving,
    /// Its transfer broke off.
    Incomplete,
    /// It is complete and waits.
    Waiting,
    /// It is a call.
    Taken,
    /// The same content was known already.
    Known,
    /// It is no recording.
    Other,
    /// It cannot be worked on.
    Refused,
    /// It was a call, which was deleted.
    Deleted,
}

impl DropKind {
    /// Every kind.
    pub const ALL: [DropKind; 8] = [
        DropKind::Receiving,
        DropKind::Incomplete,
        DropKind::Waiting,
        DropKind::Taken,
        DropKind::Known,
        DropKind::Other,
        DropKind::Refused,
        DropKind::Deleted,
    ];

    /// Of a state; `call_is_there` says whether its call is.
    pub fn of(state: &DropState, call_is_there: bool) -> Self {
        match state {
            DropState::Receiving => Self::Receiving,
            DropState::Incomplete => Self::Incomplete,
            DropState::Waiting => Self::Waiting,
            DropState::Taken(_) | DropState::Known(_) if !call_is_there => Self::Deleted,
            DropState::Taken(_) => Self::Taken,
            DropState::Known(_) => Self::Known,
            DropState::Other => Self::Other,
            DropState::Refused { .. } => Self::Refused,
        }
    }

    /// Name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Incomplete => "incomplete",
            Self::Waiting => "waiting",
            Self::Taken => "taken",
            Self::Known => "known",
            Self::Other => "other",
            Self::Refused => "refused",
            Self::Deleted => "deleted",
        }
    }

    /// True when the whole file is there.
    pub fn is_whole(self) -> bool {
        !matches!(self, Self::Receiving | Self::Incomplete)
    }

    /// True when sending it to recognition can make a call of it.
    pub fn can_be_sent(self) -> bool {
        matches!(self, Self::Waiting | Self::Refused | Self::Deleted)
    }
}
