//! Downloading a model file: whole, checked, and going on after an
//! interruption. Called by [`super::ModelStore::pull`].

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{Response, StatusCode, header};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body};

use super::files::PartFile;
use super::{ManifestEntry, ModelError, Progress, Step};

const CONNECT: Duration = Duration::from_secs(10);
/// A connection that gives nothing for this long is opened anew.
const SILENCE: Duration = Duration::from_secs(30);
/// How often in a row a connection may end without a single new byte.
const TRIES: u32 = 3;

/// Downloads `entry` from `url` to `target`.
pub(super) fn download(
    url: &str,
    entry: &ManifestEntry,
    target: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ModelError> {
    let total_bytes = entry.size_bytes;
    let mut out = PartFile::open(target, total_bytes)?;
    if out.len() > total_bytes {
        out.restart()?;
    }
    if let Err(error) = transfer(url, total_bytes, &mut out, progress) {
        // What has arrived is kept for the next try; an empty file is only litter.
        if out.len() == 0 {
            out.discard()?;
        }
        return Err(error);
    }
    let found = out.sha256();
    if found != entry.sha256 {
        out.discard()?;
        let expected = entry.sha256.clone();
        return Err(ModelError::WrongDownload {
            url: url.to_owned(),
            expected,
            found,
        });
    }
    out.finish()
}

/// Appends until the file has its size, over as many connections as it takes.
fn transfer(
    url: &str,
    total_bytes: u64,
    out: &mut PartFile,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ModelError> {
    progress(Progress {
        step: Step::Download,
        done_bytes: out.len(),
        total_bytes,
    });
    let agent = agent();
    let mut failures = 0;
    while out.len() < total_bytes {
        let before = out.len();
        match fetch_rest(&agent, url, total_bytes, out, progress) {
            Ok(()) => {}
            Err(Interrupted::Final(error)) => return Err(error),
            Err(Interrupted::Again(reason)) => {
                failures = if out.len() > before { 0 } else { failures + 1 };
                tracing::debug!(url, reason, done_bytes = out.len(), "the download stopped");
                if failures >= TRIES {
                    return Err(ModelError::Offline {
                        url: url.to_owned(),
                        reason,
                    });
                }
                std::thread::sleep(Duration::from_millis(500 << failures));
            }
        }
    }
    Ok(())
}

/// Why a connection ended early.
enum Interrupted {
    /// Another try may help.
    Again(String),
    /// No other try will.
    Final(ModelError),
}

impl From<ModelError> for Interrupted {
    fn from(error: ModelError) -> Self {
        Self::Final(error)
    }
}

fn agent() -> Agent {
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("call-analytics/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// One connection: appends what the server gives from where the file ends.
fn fetch_rest(
    agent: &Agent,
    url: &str,
    total_bytes: u64,
    out: &mut PartFile,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Interrupted> {
    let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "identity");
    if out.len() > 0 {
        request = request.header(header::RANGE, format!("bytes={}-", out.len()));
    }
    let response = request.call().map_err(|error| match error {
        // Neither a name that does not exist nor a closed port gets better by waiting.
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::BadUri(_) => {
            offline(url, &error)
        }
        ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => offline(url, &e),
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            offline(url, &error)
        }
        other => Interrupted::Again(other.to_string()),
    })?;
    match response.status() {
        StatusCode::PARTIAL_CONTENT if starts_at(&response, out.len()) => {}
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            out.restart()?;
            return Err(Interrupted::Again(
                "the server gave another part than asked for".into(),
            ));
        }
        // The whole file: this server cannot go on in the middle.
        StatusCode::OK => out.restart()?,
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            let reason = format!("HTTP {status}");
            return Err(Interrupted::Again(reason));
        }
        status => {
            let status = status.as_u16();
            return Err(ModelError::Refused {
                url: url.to_owned(),
                status,
            }
            .into());
        }
    }
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 18];
    while out.len() < total_bytes {
        let room = usize::try_from(total_bytes - out.len()).unwrap_or(usize::MAX);
        let limit = buffer.len().min(room);
        match body.read(&mut buffer[..limit]) {
            Ok(0) => return Err(Interrupted::Again("the connection ended early".into())),
            Ok(n) => out.append(&buffer[..n])?,
            Err(error) => return Err(Interrupted::Again(error.to_string())),
        }
        progress(Progress {
            step: Step::Download,
            done_bytes: out.len(),
            total_bytes,
        });
    }
    Ok(())
}

fn offline(url: &str, error: &impl ToString) -> Interrupted {
    ModelError::Offline {
        url: url.to_owned(),
        reason: error.to_string(),
    }
    .into()
}

fn starts_at(response: &Response<Body>, from: u64) -> bool {
    response
        .headers()
        .get(header::CONTENT_RANGE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.starts_with(&format!("bytes {from}-")))
}
