//! Asks a server that speaks the OpenAI protocol (`POST {base}/chat/completions`).

use std::io::{BufReader, Read};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{HeaderMap, header};
use ureq::tls::TlsConfig;

use super::pace::Pace;
use super::{LlmError, answer, stream};
use crate::config::{Llm, Structured};

const CONNECT: Duration = Duration::from_secs(10);
/// Largest answer read, in bytes.
const MAX_ANSWER: u64 = 8 << 20;
/// Attempts at one request, while what fails may pass.
const ATTEMPTS: u32 = 4;
/// First pause between two attempts; each is twice the one before, and up to half more.
const PAUSE: Duration = Duration::from_secs(1);
/// A server that wants to be left alone longer is left alone by the caller.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// How often a wait looks whether the program stops.
const LOOK: Duration = Duration::from_millis(200);

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The rules of the work.
    System,
    /// What is asked.
    User,
    /// What the model said before.
    Assistant,
}

/// A message to the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// Its text.
    pub content: String,
}

impl Message {
    /// A message of `role`.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
        }
    }
}

/// The form that an answer has to have.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Its name: letters and `_`.
    pub name: &'static str,
    /// JSON schema, strict: every property required, no other allowed. `maxLength` and
    /// `maxItems` are sent to a server on this machine only.
    pub schema: Value,
}

/// What an exchange cost, in tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Read by the model.
    pub input: u32,
    /// Written by it.
    pub output: u32,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Usage) -> Usage {
        Usage {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
        }
    }

    /// Price at `(in, out)` a million tokens.
    pub fn cost(self, prices: (f64, f64)) -> f64 {
        (f64::from(self.input) * prices.0 + f64::from(self.output) * prices.1) / 1e6
    }
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its text.
    pub text: String,
    /// What it cost; 0 where the server does not tell.
    pub usage: Usage,
}

/// What is heard of an answer while it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The next piece of its text.
    Piece(&'a str),
    /// All pieces so far are void: it is asked again.
    Again,
}

/// Listens to an answer while it is written.
pub type Listener<'a> = dyn FnMut(Heard<'_>) + 'a;

/// How answers were found to be had piece by piece.
const WITH_USAGE: u8 = 0;
const WITHOUT_USAGE: u8 = 1;
const WHOLE: u8 = 2;

/// The strictest form that the server was found to take.
const SCHEMA: u8 = 0;
const OBJECT: u8 = 1;
const WORDS: u8 = 2;

/// Asks one server. Any number of threads can use it; as many requests as are
/// allowed at once are the caller's business.
pub struct Client {
    settings: Llm,
    agent: Agent,
    pace: Mutex<Pace>,
    form: AtomicU8,
    pieces: AtomicU8,
}

/// One request as it is sent.
#[derive(Clone, Copy)]
struct Sent<'a> {
    messages: &'a [Message],
    shape: Option<&'a Shape>,
    form: u8,
    pieces: u8,
}

impl Client {
    /// For the server of the settings. Nothing is sent before [`Client::chat`].
    pub fn new(settings: Llm) -> Self {
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(
                rustls::crypto::aws_lc_rs::default_provider(),
            ))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(settings.timeout_s)))
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("call-analytics/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let form = match settings.structured {
            Structured::Auto | Structured::JsonSchema => SCHEMA,
            Structured::JsonObject => OBJECT,
            Structured::Prompt => WORDS,
        };
        Self {
            agent,
            pace: Mutex::new(Pace::new(
                settings.requests_per_minute,
                settings.tokens_per_minute,
            )),
            form: AtomicU8::new(form),
            pieces: AtomicU8::new(WITH_USAGE),
            settings,
        }
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Llm {
        &self.settings
    }

    /// About how many tokens a text has. Russian has 2 to 3 letters a token with the
    /// tokenizers in use; the smaller is taken, so that nothing is cut.
    pub fn tokens(text: &str) -> u32 {
        u32::try_from(text.chars().count().div_ceil(2)).unwrap_or(u32::MAX)
    }

    /// Asks, and asks again while that may help. Waits for its place in the minute.
    /// `stopped` is looked at while it waits.
    pub fn chat(
        &self,
        messages: &[Message],
        shape: Option<&Shape>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Reply, LlmError> {
        self.converse(messages, shape, stopped, None)
    }

    /// As [`Client::chat`]; the answer is heard while it is written, or at once where the
    /// server does not send it piece by piece.
    pub fn chat_aloud(
        &self,
        messages: &[Message],
        shape: Option<&Shape>,
        stopped: &dyn Fn() -> bool,
        listener: &mut Listener<'_>,
    ) -> Result<Reply, LlmError> {
        self.converse(messages, shape, stopped, Some(listener))
    }

    fn converse(
        &self,
        messages: &[Message],
        shape: Option<&Shape>,
        stopped: &dyn Fn() -> bool,
        mut listener: Option<&mut Listener<'_>>,
    ) -> Result<Reply, LlmError> {
        let read: u32 = messages.iter().map(|m| Self::tokens(&m.content)).sum();
        let mut attempt = 0;
        let mut pieces = match listener {
            Some(_) => self.pieces.load(Ordering::Relaxed),
            None => WHOLE,
        };
        loop {
            self.wait_for_place(read.saturating_add(self.settings.answer_tokens), stopped)?;
            let form = self.form.load(Ordering::Relaxed);
            let sent = Sent {
                messages,
                shape,
                form,
                pieces,
            };
            let mut heard = false;
            let outcome = self.once(sent, stopped, &mut |piece| {
                heard = true;
                if let Some(listener) = &mut listener {
                    listener(Heard::Piece(piece));
                }
            });
            let (after, reason) = match outcome {
                Err(LlmError::Refused(reason)) if pieces < WHOLE && reason.contains("stream") => {
                    pieces += 1;
                    continue;
                }
                Err(LlmError::Refused(reason)) if shape.is_some() && self.step_down(form) => {
                    tracing::info!(
                        reason,
                        "the language model's server does not take this form"
                    );
                    continue;
                }
                Err(LlmError::Refused(_)) if pieces < WHOLE => {
                    pieces += 1;
                    continue;
                }
                Err(LlmError::Later { after, reason }) => (after, reason),
                Ok(mut reply) => {
                    if let Some(listener) = &mut listener {
                        self.pieces.fetch_max(pieces, Ordering::Relaxed);
                        if !heard {
                            listener(Heard::Piece(&reply.text));
                        }
                        // A budget is kept even where the server does not count.
                        if reply.usage == Usage::default() {
                            reply.usage = Usage {
                                input: read,
                                output: Self::tokens(&reply.text),
                            };
                        }
                    }
                    return Ok(reply);
                }
                failed => return failed,
            };
            if let Some(listener) = listener.as_mut().filter(|_| heard) {
                listener(Heard::Again);
            }
            attempt += 1;
            let pause = after.unwrap_or_else(|| jittered(PAUSE * 2_u32.pow(attempt - 1)));
            if attempt >= ATTEMPTS || pause > MAX_PAUSE {
                return Err(LlmError::Later { after, reason });
            }
            tracing::warn!(reason, attempt, "the language model is asked again");
            wait(pause, stopped)?;
        }
    }

    /// A weaker form from now on; false where there is none, or the settings want this one.
    fn step_down(&self, form: u8) -> bool {
        let may = self.settings.structured == Structured::Auto && form < WORDS;
        if may {
            // Another thread may have found the same.
            let _ =
                self.form
                    .compare_exchange(form, form + 1, Ordering::Relaxed, Ordering::Relaxed);
        }
        may
    }

    fn wait_for_place(&self, tokens: u32, stopped: &dyn Fn() -> bool) -> Result<(), LlmError> {
        loop {
            let taken = self
                .pace
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(tokens, Instant::now());
            match taken {
                Ok(()) => return Ok(()),
                Err(pause) => wait(pause, stopped)?,
            }
        }
    }

    /// One request. `heard` gets the pieces of an answer that comes in pieces.
    fn once(
        &self,
        sent: Sent<'_>,
        stopped: &dyn Fn() -> bool,
        heard: &mut dyn FnMut(&str),
    ) -> Result<Reply, LlmError> {
        let mut body = json!({
            "model": self.settings.model,
            "messages": sent.messages,
            "temperature": 0,
            "max_tokens": self.settings.answer_tokens,
        });
        if sent.pieces < WHOLE {
            body["stream"] = true.into();
        }
        if sent.pieces < WITHOUT_USAGE {
            body["stream_options"] = json!({"include_usage": true});
        }
        match (sent.shape, sent.form) {
            (Some(shape), SCHEMA) => {
                let mut schema = shape.schema.clone();
                if !self.settings.is_local() {
                    unbounded(&mut schema);
                }
                body["response_format"] = json!({
                    "type": "json_schema",
                    "json_schema": {"name": shape.name, "strict": true, "schema": schema},
                });
            }
            (Some(_), OBJECT) => body["response_format"] = json!({"type": "json_object"}),
            _ => {}
        }
        let mut request = self
            .agent
            .post(format!("{}/chat/completions", self.settings.base_url))
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                header::ACCEPT,
                if sent.pieces < WHOLE {
                    "text/event-stream, application/json"
                } else {
                    "application/json"
                },
            );
        if !self.settings.api_key.is_empty() {
            let key = self.settings.api_key.expose();
            request = request.header(
                header::AUTHORIZATION,
                format!("{} {key}", self.settings.scheme),
            );
        }
        for (name, value) in &self.settings.headers {
            request = request.header(name, value.expose());
        }
        let mut response = request
            .send(body.to_string())
            .map_err(|error| on_the_way(&error))?;
        let status = response.status().as_u16();
        let after = retry_after(response.headers());
        let in_pieces = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        let mut body = response.body_mut().as_reader().take(MAX_ANSWER);
        if in_pieces && (200..300).contains(&status) {
            return stream::read(BufReader::new(body), stopped, heard);
        }
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes)
            .map_err(|error| later(format!("the answer broke off: {}", error.kind())))?;
        if (200..300).contains(&status) {
            answer::read(&bytes)
        } else {
            Err(answer::refusal(status, &bytes, after))
        }
    }
}

/// Takes the bounds of lengths away: strict schemas of OpenAI have none, and the small
/// models that need them are served on this machine.
fn unbounded(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.remove("maxLength");
            fields.remove("maxItems");
            fields.values_mut().for_each(unbounded);
        }
        Value::Array(entries) => entries.iter_mut().for_each(unbounded),
        _ => {}
    }
}

fn later(reason: String) -> LlmError {
    LlmError::Later {
        after: None,
        reason,
    }
}

/// What went wrong on the way; an address may have a key in it and is not quoted.
fn on_the_way(error: &ureq::Error) -> LlmError {
    match error {
        ureq::Error::HostNotFound => later("the host is not known".to_owned()),
        ureq::Error::ConnectionFailed => later("the connection failed".to_owned()),
        ureq::Error::Timeout(what) => later(format!("no answer in time ({what})")),
        ureq::Error::Io(error) => later(format!("the connection broke: {}", error.kind())),
        ureq::Error::Tls(what) => later(format!("TLS: {what}")),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            LlmError::Refused("the address or a header cannot be sent: see section [llm]".into())
        }
        _ => later("the request failed".to_owned()),
    }
}

/// `Retry-After` in seconds or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Duration::try_from(date.timestamp().duration_since(Timestamp::now())).ok()
}

/// The pause and up to half of it more, so that many do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness there is no jitter; nothing depends on it.
    let _ = getrandom::fill(&mut byte);
    pause + pause.mul_f64(f64::from(byte[0]) / 512.0)
}

fn wait(pause: Duration, stopped: &dyn Fn() -> bool) -> Result<(), LlmError> {
    let until = Instant::now() + pause;
    loop {
        if stopped() {
            return Err(LlmError::Stopped);
        }
        match until.checked_duration_since(Instant::now()) {
            None | Some(Duration::ZERO) => return Ok(()),
            Some(left) => std::thread::sleep(left.min(LOOK)),
        }
    }
}
