//! What outside systems send and what is asked of them, in one place: messages
//! become notices in the store, errands become recordings. Called by the API,
//! the threads of [`super::fetch`] and the schedule.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::calltouch::Calltouch;
use super::calltouch::fields::{Context, Fields};
use super::fetch::Signal;
use super::mango::{Mango, events};
use super::web::{self, Fault};
use super::{Intake, IntakeError};
use crate::config::Config;
use crate::domain::directory::Employee;
use crate::domain::notice::{self, Errand, MANGO_LANE, calltouch_lane};
use crate::domain::{CallId, Source};
use crate::pipeline::Runner;
use crate::store::{Imported, News, Payload, Product, Store, StoreError, Waiting};

/// Longest range of MANGO's statistics, in days.
const MANGO_DAYS: i32 = 30;
/// Longest range of Calltouch's list, in days.
const CALLTOUCH_DAYS: i32 = 90;
/// Longest range that is asked for at once, in days.
const MAX_DAYS: i32 = 366;
/// Key of what names no call.
const NAMELESS: &str = "mango/nameless";

/// The doors to outside systems.
pub struct Outside {
    store: Arc<Store>,
    runner: Arc<Runner>,
    intake: Arc<Intake>,
    mango: Mango,
    calltouch: Calltouch,
    secret: String,
    signal: Signal,
}

/// A message of a webhook as it came.
pub struct Message {
    /// `GET` or `POST`.
    pub method: String,
    /// As the sender says; empty when not.
    pub content_type: String,
    /// The bytes that are kept: the query, form or JSON, without the secret.
    pub body: Vec<u8>,
    /// Names and values, from query and form.
    pub pairs: Vec<(String, String)>,
    /// The JSON, where it is some.
    pub json: Option<Value>,
}

/// Why a range of days cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The range is wrong or the system not configured; in words for people.
    #[error("{0}")]
    Wrong(String),
    /// The system refused, or is stopped.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Outside {
    /// Of the settings; the secret of the webhook is made at first use.
    pub fn new(
        config: &Config,
        store: Arc<Store>,
        runner: Arc<Runner>,
        intake: Arc<Intake>,
    ) -> Result<Self, IntakeError> {
        let secret = match &config.calltouch.secret {
            Some(secret) => secret.expose().to_owned(),
            None => {
                let mut fresh = [0u8; 24];
                getrandom::fill(&mut fresh)
                    .map_err(|_| IntakeError::Details("The system gives no random numbers."))?;
                web::hex(&store.secret("calltouch_webhook", || fresh)?)
            }
        };
        Ok(Self {
            mango: Mango::new(&config.mango),
            calltouch: Calltouch::new(&config.calltouch),
            store,
            runner,
            intake,
            secret,
            signal: Signal::default(),
        })
    }

    pub(super) fn intake(&self) -> &Intake {
        &self.intake
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn signal(&self) -> &Signal {
        &self.signal
    }

    /// MANGO.
    pub fn mango(&self) -> &Mango {
        &self.mango
    }

    /// Calltouch.
    pub fn calltouch(&self) -> &Calltouch {
        &self.calltouch
    }

    /// Secret of the webhook's address: for signed-in people only.
    pub fn webhook_secret(&self) -> &str {
        &self.secret
    }

    /// Whether a secret is the webhook's; takes the same time wherever it differs.
    pub fn is_webhook_secret(&self, secret: &str) -> bool {
        bool::from(self.secret.as_bytes().ct_eq(secret.as_bytes()))
    }

    /// Names of the lanes that are configured.
    pub fn lanes(&self) -> Vec<String> {
        let mango = self.mango.settings().enabled.then(|| MANGO_LANE.to_owned());
        let sites = self.calltouch.sites().into_iter().map(calltouch_lane);
        mango.into_iter().chain(sites).collect()
    }

    pub(super) fn key_mark(&self, lane: &str) -> String {
        match lane.strip_prefix("calltouch/") {
            Some(site) => self.calltouch.key_mark(site),
            None => self.mango.key_mark(),
        }
    }

    /// First time between two attempts at a recording that is not there.
    pub(super) fn retry(&self, lane: &str) -> Duration {
        Duration::from_secs(if lane == MANGO_LANE {
            self.mango.settings().retry_s
        } else {
            self.calltouch.settings().retry_s
        })
    }

    /// What is known of a lane, and its errands.
    pub fn state(&self, lane: &str) -> Result<(Product, Vec<Waiting>), StoreError> {
        let mut product = self.store.product(lane)?;
        let mark = self.key_mark(lane);
        product.stopped = product.stopped.filter(|stopped| stopped.key_mark == mark);
        Ok((product, self.store.errands(lane)?))
    }

    /// Asks again after a stop, and tries what failed once more; says how many.
    pub fn resume(&self, lane: &str) -> Result<u64, StoreError> {
        self.store
            .change_product(lane, |product| product.stopped = None)?;
        let again = self.store.retry_errands(lane)?;
        self.signal.wake();
        Ok(again)
    }

    /// Takes an event whose signature was found right. It is on disk when this returns.
    pub fn mango_event(&self, kind: events::Kind, json: &str) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let event: Value = serde_json::from_str(json).unwrap_or_default();
        let settings = self.mango.settings();
        let read = events::read(kind, &event, now, settings.join_window_s);
        let payload = Payload {
            received_at: now,
            method: format!("POST {kind:?}"),
            content_type: "application/json".to_owned(),
            body: json.as_bytes().to_vec(),
        };
        let news = match read {
            Some((notice, there)) => {
                // A recording that has just ended is not there at once.
                let wait = if there { 0 } else { settings.retry_s };
                let fetch_at = now.checked_add(Duration::from_secs(wait)).ok();
                News {
                    key: notice.key(),
                    payload: Some(payload),
                    notice: Some(notice),
                    fetch_at,
                }
            }
            None => {
                tracing::warn!(
                    ?kind,
                    "an event of MANGO names no call; it is kept as it is"
                );
                News {
                    key: NAMELESS.to_owned(),
                    payload: Some(payload),
                    notice: None,
                    fetch_at: None,
                }
            }
        };
        let changed = self.store.take_news(vec![news])?;
        self.announce(&changed);
        Ok(())
    }

    /// Takes a message of Calltouch whose secret was found right. It is on disk
    /// when this returns.
    pub fn calltouch_message(&self, message: Message) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let own = &self.calltouch.settings().aliases;
        let fields = match &message.json {
            Some(json) => Fields::of_json(json, own),
            None => {
                let pairs = message
                    .pairs
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()));
                Fields::of_pairs(pairs, own)
            }
        };
        // The same message sent again is the same call.
        let id = format!("w{}", &web::hex(&Sha256::digest(&message.body))[..24]);
        let (notice, expected) = fields.notice(&self.context(&self.calltouch.sites(), &id, now));
        let changed = self.store.take_news(vec![News {
            key: notice.key(),
            payload: Some(Payload {
                received_at: now,
                method: message.method,
                content_type: message.content_type,
                body: message.body,
            }),
            notice: Some(notice),
            fetch_at: expected.then_some(now),
        }])?;
        self.announce(&changed);
        Ok(())
    }

    pub(super) fn context<'a>(
        &'a self,
        sites: &'a [&'a str],
        id: &'a str,
        now: Timestamp,
    ) -> Context<'a> {
        Context {
            sites,
            zone: self.intake.names().zone(),
            now,
            window_s: self.calltouch.settings().join_window_s,
            id,
        }
    }

    /// Asks MANGO for the calls between two moments; says how many errands that is.
    pub fn mango_sync(&self, from: Timestamp, to: Timestamp) -> Result<u64, SyncError> {
        if !self.mango.settings().enabled {
            return Err(SyncError::Wrong(
                "MANGO is not configured: give mango.api_key and mango.api_salt.".to_owned(),
            ));
        }
        let wrong = || {
            SyncError::Wrong(format!(
                "The range begins before it ends and is at most {MAX_DAYS} days."
            ))
        };
        let length = to.duration_since(from);
        if length.as_secs() <= 0 || length.as_hours() > i64::from(MAX_DAYS) * 24 {
            return Err(wrong());
        }
        let mut given = 0;
        let mut begin = from;
        while begin < to {
            let end = begin
                .checked_add((i64::from(MANGO_DAYS) * 24).hours())
                .map_err(|_| wrong())?
                .min(to);
            let errand = Errand::MangoHistory {
                from_s: begin.as_second(),
                to_s: end.as_second(),
                key: None,
            };
            given += u64::from(self.store.give_errand(errand)?);
            begin = end;
        }
        self.signal.wake();
        Ok(given)
    }

    /// Asks Calltouch for the calls of some days; says how many errands that is.
    pub fn calltouch_sync(&self, from: Date, to: Date) -> Result<u64, SyncError> {
        let sites = self.calltouch.sites();
        if sites.is_empty() {
            return Err(SyncError::Wrong(
                "Calltouch is not configured: give CALLTOUCH_SITE_ID and CALLTOUCH_API_KEY, or [[calltouch.site]].".to_owned(),
            ));
        }
        let days = (to - from).get_days();
        if !(0..MAX_DAYS).contains(&days) {
            return Err(SyncError::Wrong(format!(
                "The range begins before it ends and is at most {MAX_DAYS} days."
            )));
        }
        let mut given = 0;
        for site in sites {
            let mut begin = from;
            while begin <= to {
                let end = begin.saturating_add((CALLTOUCH_DAYS - 1).days()).min(to);
                let errand = Errand::CalltouchDiary {
                    site: site.to_owned(),
                    from: begin,
                    to: end,
                    page: 1,
                };
                given += u64::from(self.store.give_errand(errand)?);
                begin = end.saturating_add(1.day());
            }
        }
        self.signal.wake();
        Ok(given)
    }

    /// Takes in the employees that MANGO knows.
    pub fn mango_employees(&self) -> Result<Imported, SyncError> {
        if !self.mango.settings().enabled {
            return Err(SyncError::Wrong(
                "MANGO is not configured: give mango.api_key and mango.api_salt.".to_owned(),
            ));
        }
        if self.closed(MANGO_LANE)?.is_some() {
            return Err(SyncError::Wrong(
                "Nothing is asked of MANGO now: look at its state in the settings.".to_owned(),
            ));
        }
        let employees: Vec<Employee> = self.mango.employees().or_else(|fault| {
            self.note_fault(MANGO_LANE, &fault)?;
            Err(SyncError::Fault(fault))
        })?;
        Ok(self
            .store
            .import_employees(employees, || ulid::Ulid::generate().to_string())?)
    }

    /// Makes calls findable by what is known of them now, and tells who watches.
    pub fn announce(&self, changed: &[CallId]) {
        for id in changed {
            let done = self
                .runner
                .index_again(id)
                .and_then(|()| self.store.entry(id));
            match done {
                Ok(Some(entry)) => self.runner.announce(&entry.job),
                Ok(None) => {}
                Err(error) => tracing::warn!(call = %id, %error, "the call cannot be indexed anew"),
            }
        }
        self.signal.wake();
    }
}

/// Key of a notice of Calltouch by its call id.
pub fn calltouch_key(id: &str) -> String {
    notice::key(Source::Calltouch, id)
}
