//! The server of a language model: a double that checks what it is sent, refuses what a
//! real one would refuse, and fails on command.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use poem::http::{StatusCode, header};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::Data;
use poem::{EndpointExt, Request, Response, Route, Server as Poem, handler};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::server::{Server, Setup};

pub(crate) const KEY: &str = "sk-test-123456";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fail {
    Status(u16),
    TooMany(u32),
    Quota,
    /// Only the first half of the answer.
    Half,
    /// A quote that nobody said.
    Invented,
    /// The answer takes so long.
    Slow(Duration),
    /// A stream that breaks off half way.
    BreaksOff,
    /// The server takes no `stream`.
    NoStream,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) fails: VecDeque<Fail>,
    /// JSON schemas are refused with 400.
    pub(crate) no_schema: bool,
    /// `stream` is ignored: all comes at once.
    pub(crate) whole: bool,
    pub(crate) requests: Vec<Value>,
    pub(crate) faults: Vec<String>,
    /// What a question is answered with.
    pub(crate) answer: Option<Value>,
    /// Half of a streamed answer waits for it.
    pub(crate) gate: Option<Arc<Semaphore>>,
}

type Shared = Arc<Mutex<State>>;

pub(crate) struct Double {
    base: String,
    state: Shared,
    task: JoinHandle<()>,
}

impl Drop for Double {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Double {
    pub(crate) async fn start(fails: &[Fail]) -> Self {
        let state = Shared::default();
        state.lock().expect("state").fails = fails.iter().copied().collect();
        let acceptor = TcpListener::bind("127.0.0.1:0")
            .into_acceptor()
            .await
            .expect("a port");
        let address = *acceptor.local_addr()[0]
            .as_socket_addr()
            .expect("an address");
        let app = Route::new()
            .at("/v1/chat/completions", poem::post(complete))
            .data(Arc::clone(&state));
        let task = tokio::spawn(async move {
            Poem::new_with_acceptor(acceptor)
                .run(app)
                .await
                .expect("the double serves");
        });
        Self {
            base: format!("http://{address}/v1"),
            state,
            task,
        }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("state"))
    }

    pub(crate) fn requests(&self) -> usize {
        self.with(|state| state.requests.len())
    }

    pub(crate) fn setup(&self, more: &str) -> Setup {
        Setup {
            sections: format!(
                "[llm]\nenabled = true\nbase_url = \"{}\"\napi_key = \"{KEY}\"\nmodel = \"small\"\nprice_in = 100.0\nprice_out = 200.0\n{}{more}",
                self.base,
                // Most tests count what judging asks.
                if more.contains("summaries") {
                    ""
                } else {
                    "summaries = false\n"
                },
            ),
            ..Setup::scripted()
        }
    }
}

fn answer(status: u16, body: Value) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).expect("a status"))
        .content_type("application/json")
        .body(body.to_string())
}

#[handler]
async fn complete(request: &Request, body: String, Data(state): Data<&Shared>) -> Response {
    let fail = {
        let mut state = state.lock().expect("state");
        let mut fault = |what: &str| state.faults.push(what.to_owned());
        if request.header(header::AUTHORIZATION) != Some(&format!("Bearer {KEY}")) {
            fault("no key");
            return answer(401, json!({"error": {"message": "Incorrect API key"}}));
        }
        let asked: Value = serde_json::from_str(&body).unwrap_or_default();
        if asked["model"] != "small" || asked["messages"].as_array().is_none_or(Vec::is_empty) {
            fault("a malformed request");
            return answer(400, json!({"error": {"message": "malformed"}}));
        }
        state.requests.push(asked);
        if state.no_schema && body.contains("json_schema") {
            return answer(
                400,
                json!({"error": {"message": "response_format json_schema is not supported"}}),
            );
        }
        state.fails.pop_front()
    };
    let asked: Value = serde_json::from_str(&body).unwrap_or_default();
    match fail {
        Some(Fail::Status(status)) => return answer(status, json!({"error": {"message": "no"}})),
        Some(Fail::TooMany(seconds)) => {
            let mut refused = answer(429, json!({"error": {"message": "slow down"}}));
            refused
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
            return refused;
        }
        Some(Fail::Quota) => {
            return answer(
                429,
                json!({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}),
            );
        }
        Some(Fail::Slow(time)) => tokio::time::sleep(time).await,
        Some(Fail::NoStream) if asked["stream"] == true => {
            return answer(
                400,
                json!({"error": {"message": "Unrecognized request argument: stream"}}),
            );
        }
        Some(Fail::Half | Fail::Invented | Fail::BreaksOff | Fail::NoStream) | None => {}
    }
    let (given, gate, whole) = {
        let state = state.lock().expect("state");
        (state.answer.clone(), state.gate.clone(), state.whole)
    };
    let task = asked["messages"][0]["content"].as_str().unwrap_or_default();
    let mut text = if task.contains("summary —") {
        summary().to_string()
    } else if task.contains("answer") {
        given.unwrap_or_else(answered).to_string()
    } else {
        judgement(&asked, matches!(fail, Some(Fail::Invented))).to_string()
    };
    if matches!(fail, Some(Fail::Half)) {
        text = text.chars().take(50).collect();
    }
    if asked["stream"] == true && !whole {
        return stream(&text, matches!(fail, Some(Fail::BreaksOff)), gate);
    }
    answer(
        200,
        json!({
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
        }),
    )
}

/// The text in pieces of a few letters, as server-sent events; the second half, or the
/// end of a stream that breaks off, waits for the gate.
fn stream(text: &str, breaks_off: bool, gate: Option<Arc<Semaphore>>) -> Response {
    let chars: Vec<char> = text.chars().collect();
    let mut events: Vec<String> = chars
        .chunks(5)
        .map(|piece| {
            let piece: String = piece.iter().collect();
            json!({"choices": [{"index": 0, "delta": {"content": piece}}]}).to_string()
        })
        .collect();
    let half = events.len() / 2;
    if breaks_off {
        events.truncate(half);
    } else {
        events.extend([
            json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string(),
            json!({"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}})
                .to_string(),
            "[DONE]".to_owned(),
        ]);
    }
    let pieces = futures_util::stream::unfold(
        (events.into_iter().enumerate(), gate),
        move |(mut events, gate)| async move {
            let next = events.next();
            let waits = next
                .as_ref()
                .map_or(breaks_off, |(number, _)| *number == half);
            if waits && let Some(gate) = &gate {
                gate.acquire().await.expect("an open gate").forget();
            }
            let (_, event) = next?;
            let bytes = format!("data: {event}\n\n").into_bytes();
            Some((Ok::<_, std::io::Error>(bytes), (events, gate)))
        },
    );
    Response::builder()
        .content_type("text/event-stream")
        .body(poem::Body::from_bytes_stream(pieces))
}

/// What the double answers unless told otherwise.
fn answered() -> Value {
    json!({"answer": "Клиент спросил, где его заказ.", "quotes": [{"turn": 1, "text": "где мой заказ"}]})
}

fn summary() -> Value {
    json!({
        "summary": "Клиент спрашивает о заказе.",
        "next_step": {"text": "Оператор перезвонит", "turn": 0, "quote": "я обязательно перезвоню завтра утром"},
        "objections": [{"text": "Заказа долго нет", "turn": 1, "quote": "где мой заказ?"}],
    })
}

/// The operator greeted and named the company; nothing else was said.
fn judgement(asked: &Value, invented: bool) -> Value {
    let messages = asked["messages"].as_array().expect("messages");
    let last = messages
        .last()
        .and_then(|m| m["content"].as_str())
        .unwrap_or_default();
    let items: Vec<Value> = last
        .lines()
        .filter_map(|line| line.strip_prefix("- ")?.split_once(':'))
        .map(|(key, _)| {
            let quote = if invented { "Рады приветствовать дорогого гостя" } else { "Здравствуйте, компания Ромашка" };
            match key {
                "greeting" | "company_named" => json!({"key": key, "said": "yes", "quotes": [{"turn": 0, "text": quote}], "comment": "сказано сразу"}),
                _ => json!({"key": key, "said": "no", "quotes": [], "comment": ""}),
            }
        })
        .collect();
    json!({ "items": items })
}

/// The score once the model has no more to do with it.
pub(crate) async fn judged(server: &Server, id: &str) -> Value {
    for _ in 0..600 {
        let result = server.get(&format!("/results/{id}")).await;
        let state = &result["score"]["model"]["state"];
        if state == "judged" || state == "failed" {
            return result["score"].clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the model does not judge");
}
