//! A language model judges: the server of it is a double that checks what it is
//! sent, refuses what a real one would refuse, and fails on command.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use poem::http::{Method, StatusCode, header};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::Data;
use poem::{EndpointExt, Request, Response, Route, Server as Poem, handler};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::client::assert_error;
use crate::fixtures::scripted_call;
use crate::server::{Server, Setup};

const KEY: &str = "sk-test-123456";

#[derive(Clone, Copy, Debug)]
enum Fail {
    Status(u16),
    TooMany(u32),
    Quota,
    /// Only the first half of the answer.
    Half,
    /// A quote that nobody said.
    Invented,
    /// The answer takes so long.
    Slow(Duration),
}

#[derive(Default)]
struct State {
    fails: VecDeque<Fail>,
    /// JSON schemas are refused with 400.
    no_schema: bool,
    requests: Vec<Value>,
    faults: Vec<String>,
}

type Shared = Arc<Mutex<State>>;

struct Double {
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
    async fn start(fails: &[Fail]) -> Self {
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

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("state"))
    }

    fn requests(&self) -> usize {
        self.with(|state| state.requests.len())
    }

    fn setup(&self, more: &str) -> Setup {
        Setup {
            sections: format!(
                "[llm]\nenabled = true\nbase_url = \"{}\"\napi_key = \"{KEY}\"\nmodel = \"small\"\nprice_in = 100.0\nprice_out = 200.0\n{more}",
                self.base
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
        Some(Fail::Half | Fail::Invented) | None => {}
    }
    let mut text = judgement(&asked, matches!(fail, Some(Fail::Invented))).to_string();
    if matches!(fail, Some(Fail::Half)) {
        text = text.chars().take(50).collect();
    }
    answer(
        200,
        json!({
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
        }),
    )
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
async fn judged(server: &Server, id: &str) -> Value {
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

fn item<'a>(score: &'a Value, key: &str) -> &'a Value {
    score["criteria"]
        .as_array()
        .expect("criteria")
        .iter()
        .flat_map(|criterion| criterion["items"].as_array().expect("items"))
        .find(|item| item["key"] == key)
        .expect("an item")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_judges_what_the_rules_have_scored() {
    let double = Double::start(&[]).await;
    let server = Server::start(&double.setup("")).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    // The call is done before the model is: it is never held up.
    let done = server.completed(&id).await;
    assert!(done["score"]["overall_percent"].is_number());
    let score = judged(&server, &id).await;
    assert_eq!(
        (&score["engine"], &score["level"]),
        (&json!("model"), &json!(1))
    );
    let greeting = item(&score, "greeting");
    assert_eq!(
        (&greeting["verdict"], &greeting["judged_by"]),
        (&json!("met"), &json!("model"))
    );
    assert_eq!(greeting["comment"], "сказано сразу");
    assert_eq!(greeting["evidence"][0]["start_ms"], 200);
    assert_eq!(item(&score, "calm_pace")["judged_by"], "rules");
    assert_eq!(score["model"]["model"], "small");
    assert_eq!(score["model"]["quotes"], score["model"]["confirmed"]);
    // Asked for in a strict form, and nothing wrong with it.
    double.with(|state| {
        assert_eq!(
            state.requests[0]["response_format"]["json_schema"]["strict"],
            true
        );
        assert!(state.faults.is_empty(), "{:?}", state.faults);
    });
    // What left the machine is written down.
    let egress = server.get("/llm/egress").await;
    assert_eq!(egress["items"][0]["call_id"], json!(id));
    assert_eq!(egress["items"][0]["outcome"], "ok");
    assert!(
        egress["items"][0]["chars"]
            .as_u64()
            .is_some_and(|chars| chars > 500)
    );
    let standing = server.get("/llm").await;
    assert_eq!(
        (&standing["enabled"], &standing["waiting"]),
        (&json!(true), &json!(0))
    );
    let requests = double.requests() as f64;
    assert_eq!(standing["today"]["cost"].as_f64(), Some(requests * 0.12));
    assert!(!standing.to_string().contains(KEY));
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stumbles_is_asked_again() {
    let double = Double::start(&[
        Fail::Status(503),
        Fail::TooMany(1),
        Fail::Slow(Duration::from_millis(300)),
    ])
    .await;
    double.with(|state| state.no_schema = true);
    let server = Server::start(&double.setup("")).await;
    let id = server.accepted("a.wav", scripted_call(2), &[]).await;
    let score = judged(&server, &id).await;
    assert_eq!(score["model"]["state"], "judged");
    // The server takes no schema: an object is asked for from then on.
    double.with(|state| {
        let last = state.requests.last().expect("requests");
        assert_eq!(last["response_format"]["type"], "json_object");
        assert!(state.faults.is_empty(), "{:?}", state.faults);
    });
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_invented_earns_nothing() {
    let double = Double::start(&[Fail::Invented, Fail::Invented]).await;
    let server = Server::start(&double.setup("")).await;
    let id = server.accepted("a.wav", scripted_call(3), &[]).await;
    let score = judged(&server, &id).await;
    assert_eq!(item(&score, "greeting")["verdict"], "unconfirmed");
    assert_eq!(
        item(&score, "greeting")["reason"]["code"],
        "model_unconfirmed"
    );
    assert_eq!(score["model"]["confirmed"], 0);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_money_stops_and_says_so_and_the_call_waits() {
    let double = Double::start(&[Fail::Quota]).await;
    let server = Server::start(&double.setup("")).await;
    let id = server.accepted("a.wav", scripted_call(4), &[]).await;
    let done = server.completed(&id).await;
    assert_eq!(
        (&done["score"]["engine"], &done["score"]["level"]),
        (&json!("rules"), &json!(2))
    );
    let mut standing = Value::Null;
    for _ in 0..100 {
        standing = server.get("/llm").await;
        if !standing["paused"].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(standing["paused"]["code"], "llm_quota", "{standing}");
    assert_eq!(standing["waiting"], 1);
    assert_eq!(double.requests(), 1, "it is not asked in vain");
    let score = server.get(&format!("/results/{id}")).await["score"].clone();
    assert_eq!(
        (&score["model"]["state"], &score["model"]["code"]),
        (&json!("waiting"), &json!("llm_quota"))
    );
    // The account is filled up: it goes on where it stood.
    let resumed = server.post("/llm/resume").await;
    assert_eq!(resumed.0, 200, "{}", resumed.1);
    assert_eq!(judged(&server, &id).await["model"]["state"], "judged");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_is_repaired_and_a_refusal_keeps_the_rules() {
    let double = Double::start(&[Fail::Half]).await;
    let server = Server::start(&double.setup("structured = \"prompt\"\n")).await;
    let id = server.accepted("a.wav", scripted_call(5), &[]).await;
    assert_eq!(judged(&server, &id).await["model"]["state"], "judged");
    double.with(|state| state.fails.push_back(Fail::Status(422)));
    let id = server.accepted("b.wav", scripted_call(6), &[]).await;
    let score = judged(&server, &id).await;
    assert_eq!(
        (&score["model"]["state"], &score["engine"]),
        (&json!("failed"), &json!("rules"))
    );
    assert_eq!(score["model"]["code"], "llm_refused");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_of_the_day_is_kept() {
    // One request costs 0.12.
    let double = Double::start(&[]).await;
    let server = Server::start(&double.setup("daily_budget = 0.1\n")).await;
    let first = server.accepted("a.wav", scripted_call(7), &[]).await;
    let _ = server.completed(&first).await;
    let second = server.accepted("b.wav", scripted_call(8), &[]).await;
    let _ = server.completed(&second).await;
    let mut standing = Value::Null;
    for _ in 0..100 {
        standing = server.get("/llm").await;
        if !standing["paused"].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(standing["paused"]["code"], "llm_budget", "{standing}");
    assert_eq!(double.requests(), 1);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_team_tells_the_model_more_and_a_draft_is_tried_with_it() {
    let double = Double::start(&[]).await;
    let server = Server::start(&double.setup("")).await;
    let body =
        json!({"name": "Наше", "content": "Слово «Ромашка» обязательно.", "is_active": true});
    let (status, prompt) = server.send(Method::POST, "/prompts", Some(body)).await;
    assert_eq!(status, 200, "{prompt}");
    let id = server.accepted("a.wav", scripted_call(9), &[]).await;
    let score = judged(&server, &id).await;
    assert_eq!(score["model"]["prompt"]["name"], "Наше");
    double.with(|state| {
        let system = &state.requests[0]["messages"][0];
        assert_eq!(system["role"], "system");
        assert!(
            system["content"]
                .as_str()
                .is_some_and(|text| text.contains("Слово «Ромашка»"))
        );
    });
    let before = double.requests();
    let body = json!({"call_id": id, "prompt": "Черновик: без поблажек.", "engine": "model"});
    let (status, tried) = server.send(Method::POST, "/trials", Some(body)).await;
    assert_eq!(status, 200, "{tried}");
    assert_eq!(
        (&tried["before"]["engine"], &tried["after"]["engine"]),
        (&json!("model"), &json!("model"))
    );
    double.with(|state| {
        let asked = state.requests[before]["messages"][0]["content"]
            .as_str()
            .expect("text");
        assert!(
            asked.contains("Черновик") && !asked.contains("Ромашка"),
            "{asked}"
        );
        state.fails.push_back(Fail::Status(401));
    });
    let egress = server.get("/llm/egress").await;
    assert_eq!(egress["total"].as_u64(), Some(double.requests() as u64));
    let body = json!({"call_id": id, "engine": "model"});
    let refused = server.send(Method::POST, "/trials", Some(body)).await;
    assert_error("the key is refused", &refused, 502, "llm_denied");
    let _ = server.stop().await;
}
