//! MANGO OFFICE: the signed requests of its API. What it sends is read in
//! [`events`] and [`history`]; called by `intake::fetch` and by the API.

pub mod events;
pub mod history;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::Intake;
use super::web::{self, Brought, Fault};
use crate::config;
use crate::domain::directory::Employee;
use crate::store::Spool;

/// MANGO takes ten requests a second of a product.
const SPACING: Duration = Duration::from_millis(110);
/// Before the first request after a start.
const STARTING: Duration = Duration::from_secs(1);
/// And begins one statistic in two seconds.
const STATS_SPACING: Duration = Duration::from_millis(2_100);

/// Asks MANGO. Blocks; requests keep the distance that MANGO asks for.
pub struct Mango {
    settings: config::Mango,
    agent: Agent,
    /// When the next request may be made, and the next one about statistics.
    next: Mutex<(Instant, Instant)>,
}

/// What the statistics say.
pub enum Statistics {
    /// They are not ready.
    Wait,
    /// The key is not known (any more).
    Unknown,
    /// Here they are: CSV.
    Ready(Vec<u8>),
}

impl Mango {
    /// As the settings say.
    pub fn new(settings: &config::Mango) -> Self {
        // Requests of a process that was just killed count as well.
        let now = Instant::now() + STARTING;
        Self {
            agent: web::agent(Duration::from_secs(settings.timeout_s)),
            settings: settings.clone(),
            next: Mutex::new((now, now)),
        }
    }

    /// The settings.
    pub fn settings(&self) -> &config::Mango {
        &self.settings
    }

    /// Stands for the key in use.
    pub fn key_mark(&self) -> String {
        let key = self.settings.api_key.expose();
        let salt = self.settings.api_salt.expose();
        web::mark(&format!("{key}/{salt}"))
    }

    /// Signature over a message: SHA-256 of key, message and salt, lower-case hex.
    pub fn sign(&self, json: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.settings.api_key.expose());
        hash.update(json);
        hash.update(self.settings.api_salt.expose());
        web::hex(&hash.finalize())
    }

    /// Whether a message comes from somebody who knows key and salt. Takes the
    /// same time wherever it differs.
    pub fn is_genuine(&self, key: &str, sign: &str, json: &str) -> bool {
        let known = self.settings.api_key.expose().as_bytes();
        let right_key = known.ct_eq(key.as_bytes());
        let sign = sign.trim().to_ascii_lowercase();
        let right_sign = self.sign(json).as_bytes().ct_eq(sign.as_bytes());
        self.settings.enabled && bool::from(right_key & right_sign)
    }

    /// Downloads a recording.
    pub fn recording(&self, intake: &Intake, id: &str) -> Result<Spool, Fault> {
        let message = json!({"recording_id": id, "action": "download"});
        let response = self.post("queries/recording/post", &message)?;
        // The link works once and by itself: the key does not go along.
        let plain = self.settings.api_url.starts_with("http://");
        let response = web::follow(&self.agent, response, plain)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => {
                return Err(Fault::NotReady(
                    "MANGO does not have the recording yet".to_owned(),
                ));
            }
            _ => return Err(web::refusal(&response)),
        }
        match web::recording(intake, response)? {
            Brought::Recording(spool) => Ok(spool),
            Brought::Words(words) => Err(told(&words).err().unwrap_or_else(|| {
                Fault::NotReady("MANGO answered without a recording".to_owned())
            })),
        }
    }

    /// Asks for statistics of a time; returns the key under which they will be.
    pub fn request_history(&self, from_s: i64, to_s: i64) -> Result<String, Fault> {
        let message = json!({
            "date_from": from_s.to_string(),
            "date_to": to_s.to_string(),
            "fields": history::FIELDS.join(","),
        });
        let value = self.json("stats/request", &message)?;
        match value["key"].as_str() {
            Some(key) if !key.is_empty() => Ok(key.to_owned()),
            _ => Err(Fault::later("MANGO gave no key for the statistics")),
        }
    }

    /// Looks whether statistics are ready.
    pub fn history(&self, key: &str) -> Result<Statistics, Fault> {
        let response = self.post("stats/result", &json!({"key": key}))?;
        match response.status() {
            StatusCode::NO_CONTENT | StatusCode::ACCEPTED => Ok(Statistics::Wait),
            StatusCode::NOT_FOUND => Ok(Statistics::Unknown),
            StatusCode::OK => {
                let bytes = web::text(response)?;
                if bytes.starts_with(b"{") {
                    told(&bytes)?;
                    return Ok(Statistics::Wait);
                }
                Ok(Statistics::Ready(bytes))
            }
            _ => Err(web::refusal(&response)),
        }
    }

    /// The employees as MANGO knows them.
    pub fn employees(&self) -> Result<Vec<Employee>, Fault> {
        let value = self.json(
            "config/users/request",
            &json!({"ext_fields": ["general.user_id"]}),
        )?;
        Ok(history::employees(&value))
    }

    fn json(&self, path: &str, message: &Value) -> Result<Value, Fault> {
        let response = self.post(path, message)?;
        if response.status() != StatusCode::OK {
            return Err(web::refusal(&response));
        }
        told(&web::text(response)?)
    }

    /// A signed request.
    fn post(&self, path: &str, message: &Value) -> Result<Response<Body>, Fault> {
        self.keep_distance(path.starts_with("stats/"));
        let message = message.to_string();
        let form = [
            ("vpbx_api_key", self.settings.api_key.expose()),
            ("sign", &self.sign(&message)),
            ("json", &message),
        ];
        let url = format!("{}/{path}", self.settings.api_url);
        self.agent
            .post(&url)
            .send_form(form)
            .map_err(|error| web::on_the_way(&error))
    }

    /// Waits until a request may be made.
    fn keep_distance(&self, statistics: bool) {
        let wait = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let mut at = next.0.max(now);
            if statistics {
                at = at.max(next.1);
                next.1 = at + STATS_SPACING;
            }
            next.0 = at + SPACING;
            at - now
        };
        std::thread::sleep(wait);
    }
}

/// What an answer in JSON says: 1000 or no code is well.
fn told(bytes: &[u8]) -> Result<Value, Fault> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|_| Fault::later("the answer is no JSON"))?;
    let code = [&value["result"], &value["code"]]
        .into_iter()
        .find_map(|code| match code {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        });
    let reason = |code: i64| format!("MANGO answers with code {code}");
    match code {
        None | Some(1000 | 200) => Ok(value),
        // Limits, the exchange itself, and time.
        Some(code @ (2000..=2999 | 5000..=5999)) => Err(Fault::later(reason(code))),
        // The object does not exist (yet).
        Some(code @ 3300..=3399) => Err(Fault::NotReady(reason(code))),
        Some(code) => Err(Fault::Refused(reason(code))),
    }
}

/// A whole number that MANGO sends as a number or as a text.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A moment; 0 is none.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    Timestamp::from_second(number(value).filter(|second| *second > 0)?).ok()
}
