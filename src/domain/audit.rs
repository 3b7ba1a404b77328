//! What was looked at or changed, by whom, from where: entries of the audit.
//! An entry names things by their ids and holds no name of a file, no phone and no
//! text of a call, so that it can stay when the call is erased.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest subject, address and name in an entry, in characters.
const MAX_SHORT: usize = 120;
/// Longest detail and user agent.
const MAX_LONG: usize = 200;

macro_rules! actions {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Action {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Action] = &[$(Action::$variant),*];

            /// Name in requests and answers.
            pub fn name(self) -> &'static str {
                match self {
                    $(Action::$variant => $name,)*
                }
            }
        }
    };
}

actions! {
    /// The server started.
    Started = "started",
    /// Somebody signed in.
    SignedIn = "signed_in",
    /// Somebody tried to sign in and could not.
    SignInFailed = "sign_in_failed",
    /// Somebody signed out, or ended sessions.
    SignedOut = "signed_out",
    /// A list was looked at.
    Listed = "listed",
    /// A call was looked at.
    Viewed = "viewed",
    /// A recording was played.
    Played = "played",
    /// A file was downloaded.
    Downloaded = "downloaded",
    /// Something was exported.
    Exported = "exported",
    /// Recordings were brought in.
    Uploaded = "uploaded",
    /// A call was changed: transcript, operator, run of the stages.
    Changed = "changed",
    /// A score was confirmed, changed or disputed.
    Reviewed = "reviewed",
    /// Something was deleted.
    Deleted = "deleted",
    /// A question was asked of calls.
    Asked = "asked",
    /// Settings, scorecards, prompts, the directory were changed.
    SettingsChanged = "settings_changed",
    /// Accounts, teams or invitations were changed.
    AccountsChanged = "accounts_changed",
    /// Passwords, second factors or keys were changed.
    KeysChanged = "keys_changed",
    /// Personal data was erased.
    Erased = "erased",
    /// The list of what an erasure or the retention would remove was looked at.
    ErasurePreviewed = "erasure_previewed",
    /// Calls were removed because their time was over.
    RetentionEnforced = "retention_enforced",
    /// The audit was read, checked or exported.
    AuditRead = "audit_read",
    /// Old entries of the audit were removed.
    AuditPruned = "audit_pruned",
    /// Something that is not recorded when it is allowed was refused.
    Refused = "refused",
}

impl std::str::FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.name() == text)
            .ok_or_else(|| format!("'{text}' is not an action of the audit"))
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Actor {
    /// A person's account.
    Person {
        /// Its name.
        name: String,
    },
    /// A program with an API key.
    Key {
        /// The key's id, never the key.
        id: String,
        /// The account it stands for.
        name: String,
    },
    /// A sender over SFTP.
    Sender {
        /// The name.
        name: String,
    },
    /// The command line on the server.
    CommandLine {
        /// Number of the user of the system.
        uid: u32,
    },
    /// The program itself, by the clock.
    System,
    /// Nobody who is known: not signed in.
    Nobody {
        /// The name that was tried, where one was.
        tried: Option<String>,
    },
}

impl Actor {
    /// What kind of actor it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Actor::Person { .. } => "person",
            Actor::Key { .. } => "key",
            Actor::Sender { .. } => "sender",
            Actor::CommandLine { .. } => "command_line",
            Actor::System => "system",
            Actor::Nobody { .. } => "nobody",
        }
    }

    /// The name it goes by, where it has one.
    pub fn name(&self) -> Option<String> {
        match self {
            Actor::Person { name } | Actor::Key { name, .. } | Actor::Sender { name } => {
                Some(name.clone())
            }
            Actor::CommandLine { uid } => Some(format!("uid {uid}")),
            Actor::Nobody { tried } => tried.clone(),
            Actor::System => None,
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused: not allowed, not found, wrong.
    Refused,
    /// The program could not do it.
    Failed,
    /// It was begun and cut off; whether it was done is not known.
    Unknown,
}

impl std::str::FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        use Outcome::{Done, Failed, Refused, Unknown};
        [Done, Refused, Failed, Unknown]
            .into_iter()
            .find(|outcome| outcome.name() == text)
            .ok_or_else(|| "outcome is done, refused, failed or unknown".to_owned())
    }
}

impl Outcome {
    /// Of an HTTP status.
    pub fn of_status(status: u16) -> Self {
        match status {
            0..400 => Outcome::Done,
            400..500 => Outcome::Refused,
            _ => Outcome::Failed,
        }
    }

    /// Name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
        }
    }
}

/// One thing that was done or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Status of the answer, where it was a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Operation of the API, or the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Of what: id of a call, name of an account, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Id of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// With which program, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// A few words more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Without control characters and marks of direction, not longer than `most` characters; `None` when nothing is left.
fn tidy(text: Option<String>, most: usize) -> Option<String> {
    let text: String = text?
        .chars()
        .filter(|c| !is_deceptive(*c))
        .take(most)
        .collect();
    (!text.trim().is_empty()).then_some(text)
}

/// Control characters, and those that turn or hide what follows.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl Entry {
    /// That `actor` has done it now.
    pub fn new(actor: Actor, action: Action) -> Self {
        Self {
            at: Timestamp::now(),
            actor,
            action,
            outcome: Outcome::Done,
            status: None,
            operation: None,
            subject: None,
            session: None,
            address: None,
            user_agent: None,
            detail: None,
        }
    }

    /// Of what it was done.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// With a few words more.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Begun and cut off for this reason.
    #[must_use]
    pub fn cut_off(mut self, reason: &str) -> Self {
        self.outcome = Outcome::Unknown;
        let before = self.detail.take().map(|detail| format!("{detail}; "));
        self.detail = Some(before.unwrap_or_default() + reason);
        self
    }

    /// Bounded and without characters that could forge something where it is shown.
    #[must_use]
    pub fn tidy(mut self) -> Self {
        let short = |name: String| tidy(Some(name), MAX_SHORT).unwrap_or_default();
        self.actor = match self.actor {
            Actor::Person { name } => Actor::Person { name: short(name) },
            Actor::Key { id, name } => Actor::Key {
                id: short(id),
                name: short(name),
            },
            Actor::Sender { name } => Actor::Sender { name: short(name) },
            Actor::Nobody { tried } => Actor::Nobody {
                tried: tidy(tried, MAX_SHORT),
            },
            actor @ (Actor::CommandLine { .. } | Actor::System) => actor,
        };
        self.operation = tidy(self.operation, MAX_SHORT);
        self.subject = tidy(self.subject, MAX_SHORT);
        self.session = tidy(self.session, MAX_SHORT);
        self.address = tidy(self.address, MAX_SHORT);
        self.user_agent = tidy(self.user_agent, MAX_LONG);
        self.detail = tidy(self.detail, MAX_LONG);
        self
    }

    /// Who did what to what from where, without the time: equal for what is done again.
    pub fn deed(&self) -> impl std::hash::Hash + Eq + use<> {
        (
            self.actor.clone(),
            self.action,
            self.outcome,
            self.subject.clone(),
            self.session.clone(),
            self.address.clone(),
        )
    }
}

/// An entry with its number; numbers count from 1 without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its number.
    pub number: u64,
    /// The entry.
    pub entry: Entry,
}

impl Numbered {
    /// A line of JSON: the number and what is in the entry.
    pub fn line(&self) -> String {
        let mut value = serde_json::json!({"number": self.number});
        if let (Some(map), Ok(serde_json::Value::Object(entry))) =
            (value.as_object_mut(), serde_json::to_value(&self.entry))
        {
            map.extend(entry);
        }
        format!("{value}\n")
    }
}

/// Which entries are wanted; what is left out does not matter.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Part of the name of who did it.
    pub who: Option<String>,
    /// One of these; empty: any.
    pub actions: Vec<Action>,
    /// So ended.
    pub outcome: Option<Outcome>,
    /// The whole subject.
    pub subject: Option<String>,
    /// Beginning of the address.
    pub address: Option<String>,
    /// Part of any text of it.
    pub text: Option<String>,
}

impl Wanted {
    /// Whether it is one of them.
    pub fn is(&self, entry: &Entry) -> bool {
        let has = |text: &Option<String>, part: &str| {
            text.as_ref()
                .is_some_and(|text| text.to_lowercase().contains(part))
        };
        let within =
            self.from.is_none_or(|from| entry.at >= from) && self.to.is_none_or(|to| entry.at < to);
        let fits = within
            && (self.actions.is_empty() || self.actions.contains(&entry.action))
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && (self.subject.is_none() || self.subject == entry.subject)
            && self.address.as_ref().is_none_or(|address| {
                let known = entry.address.as_ref();
                known.is_some_and(|known| known.starts_with(address.as_str()))
            });
        fits && self
            .who
            .as_ref()
            .is_none_or(|who| has(&entry.actor.name(), &who.to_lowercase()))
            && self.text.as_ref().is_none_or(|text| {
                let text = text.to_lowercase();
                has(&entry.actor.name(), &text)
                    || [
                        &entry.operation,
                        &entry.subject,
                        &entry.session,
                        &entry.address,
                        &entry.user_agent,
                        &entry.detail,
                    ]
                    .into_iter()
                    .any(|field| has(field, &text))
            })
    }
}

/// What a check of the chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Entries that are there and follow each other.
    pub entries: u64,
    /// Number of the first of them.
    pub first: Option<u64>,
    /// Number of the last of them.
    pub last: Option<u64>,
    /// Number and hash of the newest entry, `number:hash`: to be noted elsewhere, because
    /// only against a note does it show that the end was cut off or everything written anew.
    pub head: String,
    /// The first fault, where there is one.
    pub fault: Option<Fault>,
}

/// Where the chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The entry that does not fit.
    pub number: u64,
    /// What is wrong.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_told_by_their_names() {
        for action in Action::ALL {
            assert_eq!(action.name().parse(), Ok(*action));
            let stored = serde_json::to_value(action).expect("JSON");
            assert_eq!(stored, action.name());
        }
        assert!("nonsense".parse::<Action>().is_err());
    }

    #[test]
    fn nothing_in_an_entry_can_forge_a_line() {
        let actor = Actor::Nobody {
            tried: Some("a\r\nadmin\u{1b}[31m\u{202e}".into()),
        };
        let mut entry = Entry::new(actor, Action::SignInFailed)
            .about("x\ny")
            .saying("я".repeat(5000));
        entry.user_agent = Some("\u{0}\u{200b}".into());
        let entry = entry.tidy();
        assert_eq!(entry.actor.name().as_deref(), Some("aadmin[31m"));
        assert_eq!(entry.subject.as_deref(), Some("xy"));
        assert_eq!(entry.user_agent, None);
        assert_eq!(entry.detail.map(|detail| detail.chars().count()), Some(200));
    }

    #[test]
    fn entries_are_found_by_what_is_in_them() {
        let actor = Actor::Person {
            name: "Ольга".into(),
        };
        let mut entry = Entry::new(actor, Action::Viewed).about("01A");
        entry.address = Some("10.0.0.7".into());
        let is = |change: &dyn Fn(&mut Wanted)| {
            let mut wanted = Wanted::default();
            change(&mut wanted);
            wanted.is(&entry)
        };
        assert!(is(&|_| {}));
        assert!(is(&|w| w.who = Some("ольг".into())) && !is(&|w| w.who = Some("x".into())));
        assert!(is(&|w| w.subject = Some("01A".into())) && !is(&|w| w.subject = Some("01".into())));
        assert!(
            is(&|w| w.address = Some("10.0.".into())) && !is(&|w| w.address = Some("0.".into()))
        );
        assert!(is(&|w| w.text = Some("01a".into())) && !is(&|w| w.text = Some("zz".into())));
        assert!(is(&|w| w.actions = vec![Action::Viewed, Action::Played]));
        assert!(!is(&|w| w.actions = vec![Action::Played]));
        assert!(!is(
            &|w| w.from = Some(entry.at + jiff::SignedDuration::from_secs(1))
        ));
        assert!(!is(&|w| w.to = Some(entry.at)) && is(&|w| w.from = Some(entry.at)));
        assert!(!is(&|w| w.outcome = Some(Outcome::Refused)));
    }
}
