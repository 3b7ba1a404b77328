//! What is known of a request while it is answered: who asks, from where, about what.
//! Filled by the extractors, read by what records it.

use std::sync::{Arc, Mutex, PoisonError};

use poem::Request;

use super::peer::Peer;
use crate::domain::audit::Entry;
use crate::store::{Holder, Ticket};

/// Longest name of a browser that is kept, in characters.
const AGENT_CHARS: usize = 200;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Actor {
    /// Nobody who is known.
    #[default]
    Nobody,
    /// Somebody who is signed in.
    Person(String),
    /// A program with a key of this id, which stands for the account.
    Key {
        /// Public part of the key.
        id: String,
        /// The account.
        user: String,
    },
}

/// What a request turned out to be about.
#[derive(Debug, Clone, Default)]
pub(super) struct Traced {
    /// Who asks.
    pub(super) actor: Actor,
    /// The session.
    pub(super) session: Option<String>,
    /// Id of what it is about: a call, an account.
    pub(super) subjects: Vec<String>,
    /// Short remarks of the handler.
    pub(super) notes: Vec<String>,
}

/// Of one request; in its data.
pub(super) struct Trace {
    /// The other end.
    pub(super) peer: Peer,
    /// Name that the browser or program gives itself.
    pub(super) agent: String,
    traced: Mutex<Traced>,
    begun: Mutex<Begun>,
}

/// What is written down of a request before it does anything.
#[derive(Default)]
enum Begun {
    /// Nothing yet.
    #[default]
    Nothing,
    /// This.
    Since(Ticket, Box<Entry>),
    /// The request has ended, or nobody waits for it any more.
    Over,
}

impl Trace {
    /// Of a request that begins.
    pub(super) fn begin(request: &mut Request) -> Arc<Self> {
        let agent = request.header("user-agent").unwrap_or_default();
        let agent = agent
            .chars()
            .filter(|c| !c.is_control())
            .take(AGENT_CHARS)
            .collect();
        let trace = Arc::new(Self {
            peer: Peer::of(request),
            agent,
            traced: Mutex::default(),
            begun: Mutex::default(),
        });
        request.set_data(Arc::clone(&trace));
        trace
    }

    /// That of a request.
    pub(super) fn of(request: &Request) -> Option<Arc<Self>> {
        request.data::<Arc<Self>>().cloned()
    }

    /// It is this one who asks.
    pub(super) fn identified(&self, holder: &Holder) {
        self.change(|traced| {
            traced.actor = match &holder.key {
                Some(key) => Actor::Key {
                    id: key.id.clone(),
                    user: holder.user.name.clone(),
                },
                None => Actor::Person(holder.user.name.clone()),
            };
            traced.session = holder.session.as_ref().map(|session| session.id.clone());
        });
    }

    /// Somebody signs in, or tries to.
    pub(super) fn person(&self, name: &str) {
        self.change(|traced| traced.actor = Actor::Person(name.to_owned()));
    }

    /// It is about this.
    pub(super) fn subject(&self, id: &str) {
        self.change(|traced| traced.subjects.push(id.to_owned()));
    }

    /// A short remark; no secret and no personal data of clients.
    pub(super) fn note(&self, text: impl Into<String>) {
        self.change(|traced| traced.notes.push(text.into()));
    }

    /// It is written down that this begins; false where nobody waits for it any more, so
    /// that it will not be done.
    pub(super) fn begun(&self, ticket: Ticket, entry: Entry) -> bool {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*begun, Begun::Over) {
            return false;
        }
        *begun = Begun::Since(ticket, Box::new(entry));
        true
    }

    /// The request ends; what had begun, once.
    pub(super) fn ended(&self) -> Option<(Ticket, Entry)> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *begun, Begun::Over) {
            Begun::Since(ticket, entry) => Some((ticket, *entry)),
            Begun::Nothing | Begun::Over => None,
        }
    }

    /// What is known by now.
    pub(super) fn read(&self) -> Traced {
        self.traced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut Traced)) {
        change(&mut self.traced.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
