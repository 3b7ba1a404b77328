//! Requests to outside systems: one way to make them, and one table of what an
//! answer means. No address with a key in it ever gets into a message.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use ureq::http::{Response, StatusCode, header};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body};

use super::{Intake, IntakeError};
use crate::store::Spool;

const CONNECT: Duration = Duration::from_secs(10);
/// A connection that gives nothing for this long has failed.
const SILENCE: Duration = Duration::from_secs(60);
/// Largest answer that is no recording, in bytes.
const MAX_TEXT: u64 = 64 << 20;
/// Redirections followed on the way to a recording.
const MAX_HOPS: u32 = 4;
/// A waiting time that a system asks for is kept up to this.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// Why a request brought nothing; what to do about it is in the variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Another try later may help.
    #[error("{reason}")]
    Later {
        /// Not before this, where the system says so.
        after: Option<Duration>,
        /// In words.
        reason: String,
    },
    /// What is asked for is not there yet.
    #[error("{0}")]
    NotReady(String),
    /// The same request would be refused again.
    #[error("{0}")]
    Refused(String),
    /// What was brought is no recording that can be used.
    #[error("{0}")]
    Unusable(String),
    /// The key is refused: nothing more may be asked with it.
    #[error("{0}")]
    Locked(String),
}

impl Fault {
    /// A passing fault.
    pub(super) fn later(reason: impl Into<String>) -> Self {
        Self::Later {
            after: None,
            reason: reason.into(),
        }
    }
}

impl From<IntakeError> for Fault {
    /// A full disk or a busy store passes; what is no recording stays none.
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Store(_) => Self::later(error.to_string()),
            IntakeError::Media(_)
            | IntakeError::TooLarge { .. }
            | IntakeError::Details(_)
            | IntakeError::Erased
            | IntakeError::Patterns(_) => Self::Unusable(error.to_string()),
        }
    }
}

/// An agent that verifies certificates, follows nothing by itself and gives up in time.
pub(super) fn agent(timeout: Duration) -> Agent {
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(timeout))
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("call-analytics/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// What went wrong on the way, without the address.
pub(super) fn on_the_way(error: &ureq::Error) -> Fault {
    let reason = match error {
        ureq::Error::HostNotFound => "the host is not known".to_owned(),
        ureq::Error::ConnectionFailed => "the connection failed".to_owned(),
        ureq::Error::Timeout(what) => format!("no answer in time ({what})"),
        ureq::Error::Io(error) => format!("the connection broke: {}", error.kind()),
        ureq::Error::BadUri(_) => "the address cannot be used".to_owned(),
        ureq::Error::Tls(what) => format!("TLS: {what}"),
        // Others may quote the address, and the key in it.
        _ => "the request failed".to_owned(),
    };
    Fault::later(reason)
}

/// What a status other than a success means.
pub(super) fn refusal(response: &Response<Body>) -> Fault {
    let status = response.status();
    let reason = format!("HTTP {}", status.as_u16());
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Fault::Locked(reason),
        StatusCode::TOO_MANY_REQUESTS => Fault::Later {
            after: retry_after(response),
            reason,
        },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Fault::later(reason),
        status if status.is_server_error() => Fault::Later {
            after: retry_after(response),
            reason,
        },
        _ => Fault::Refused(reason),
    }
}

/// `Retry-After` in seconds or as a date.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_WAIT))
}

/// A whole answer that is no recording.
pub(super) fn text(response: Response<Body>) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    response
        .into_body()
        .into_reader()
        .take(MAX_TEXT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::later(format!("the answer broke off: {}", error.kind())))?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(Fault::Unusable("the answer is too large".to_owned()));
    }
    Ok(bytes)
}

/// Follows redirections with nothing but their address. Over plain HTTP only
/// where `plain` says so.
pub(super) fn follow(
    agent: &Agent,
    mut response: Response<Body>,
    plain: bool,
) -> Result<Response<Body>, Fault> {
    for _ in 0..MAX_HOPS {
        if !response.status().is_redirection() {
            return Ok(response);
        }
        let link = response
            .headers()
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .filter(|link| link.starts_with("https://") || plain && link.starts_with("http://"))
            .ok_or_else(|| Fault::later("the link to the recording cannot be used"))?;
        response = agent.get(link).call().map_err(|error| on_the_way(&error))?;
        if response.status().is_client_error() {
            // Not the API's word: a link that was used up is asked for anew.
            let status = response.status().as_u16();
            return Err(Fault::later(format!(
                "the link to the recording: HTTP {status}"
            )));
        }
    }
    Err(Fault::later("the link to the recording leads nowhere"))
}

/// What an answer holds: a recording on disk, or a short text instead of one.
pub(super) enum Brought {
    /// A recording.
    Recording(Spool),
    /// JSON or HTML: the system says something.
    Words(Vec<u8>),
}

/// Takes a recording in, never whole in memory. An answer that is shorter than
/// it says is none.
pub(super) fn recording(intake: &Intake, response: Response<Body>) -> Result<Brought, Fault> {
    let words = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json") || kind.starts_with("text/"));
    if words {
        return text(response).map(Brought::Words);
    }
    let told = response
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let mut spool = intake.spool()?;
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = body
            .read(&mut buffer)
            .map_err(|error| Fault::later(format!("the recording broke off: {}", error.kind())))?;
        if read == 0 {
            break;
        }
        intake.write(&mut spool, &buffer[..read])?;
    }
    if told.is_some_and(|told| told != spool.size_bytes()) {
        return Err(Fault::later("the recording broke off"));
    }
    if spool.size_bytes() == 0 {
        return Err(Fault::NotReady("the recording is empty".to_owned()));
    }
    Ok(Brought::Recording(spool))
}

/// Stands for a key where it must be seen whether it changed: not the key, and
/// nothing it can be found from.
pub(super) fn mark(key: &str) -> String {
    let hash = Sha256::digest(format!("call-analytics key mark {key}"));
    hex(&hash[..6])
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
