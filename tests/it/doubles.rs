//! MANGO and Calltouch as servers inside the test: they check what a request
//! must have, refuse what the real ones would refuse, and fail on command.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use poem::http::{StatusCode, Uri};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::Data;
use poem::{Body, EndpointExt, Request, Response, Route, Server, handler};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

/// The product's code and salt that the double knows.
pub(crate) const KEY: &str = "product-code-1234";
/// See [`KEY`].
pub(crate) const SALT: &str = "signing-salt-5678";
/// Calltouch's site and key.
pub(crate) const SITE: &str = "4242";
/// See [`SITE`].
pub(crate) const API_KEY: &str = "calltouch-key-91011";

/// How a request is answered instead of well.
#[derive(Clone, Debug)]
pub(crate) enum Fail {
    /// With this status.
    Status(u16),
    /// With 429 and this `Retry-After` in seconds.
    TooMany(u64),
    /// With a recording that breaks off.
    Broken,
}

#[derive(Default)]
pub(crate) struct State {
    /// Recording id → bytes.
    pub(crate) recordings: HashMap<String, Vec<u8>>,
    /// Recording id → how often it is not there yet.
    pub(crate) not_ready: HashMap<String, u32>,
    /// Answers of the next requests for recordings.
    pub(crate) fails: VecDeque<Fail>,
    /// Recordings are sent at once instead of by a link.
    pub(crate) direct: bool,
    /// CSV of the statistics.
    pub(crate) csv: String,
    /// Pages of Calltouch's list; a bare list without pages when `bare`.
    pub(crate) pages: Vec<Vec<Value>>,
    pub(crate) bare: bool,
    /// Every request: path and what was asked.
    pub(crate) log: Vec<(String, String, Instant)>,
    /// What a real one would have punished.
    pub(crate) violations: Vec<String>,
    links: HashMap<String, String>,
    invalid: Option<Instant>,
    /// MANGO has locked the key.
    pub(crate) locked: bool,
    statistics: Option<Instant>,
    polled: Option<Instant>,
    polls: u32,
}

type Shared = Arc<Mutex<State>>;

/// A running double.
pub(crate) struct Double {
    /// `http://ADDRESS`.
    pub(crate) base: String,
    state: Shared,
    task: JoinHandle<()>,
}

impl Drop for Double {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Double {
    /// MANGO: its API is at `{base}/vpbx`.
    pub(crate) async fn mango() -> Self {
        let routes = Route::new()
            .at("/vpbx/*command", poem::post(mango))
            .at("/link/:token", poem::get(link));
        Self::start(routes).await
    }

    /// Calltouch.
    pub(crate) async fn calltouch() -> Self {
        let routes = Route::new()
            .at(
                "/calls-service/RestAPI/:site/calls-diary/calls",
                poem::get(diary),
            )
            .at(
                "/calls-service/RestAPI/:site/calls-diary/calls/:id/download",
                poem::get(download),
            );
        Self::start(routes).await
    }

    async fn start(routes: Route) -> Self {
        let state = Shared::default();
        let acceptor = TcpListener::bind("127.0.0.1:0")
            .into_acceptor()
            .await
            .expect("a port");
        let address = *acceptor.local_addr()[0]
            .as_socket_addr()
            .expect("an address");
        let app = routes.data(Arc::clone(&state)).data(address.to_string());
        let task = tokio::spawn(async move {
            Server::new_with_acceptor(acceptor)
                .run(app)
                .await
                .expect("the double serves");
        });
        Self {
            base: format!("http://{address}"),
            state,
            task,
        }
    }

    /// What it knows and has seen.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("the state"))
    }

    /// Requests so far whose path contains `part`.
    pub(crate) fn asked(&self, part: &str) -> usize {
        self.with(|state| {
            state
                .log
                .iter()
                .filter(|(path, ..)| path.contains(part))
                .count()
        })
    }

    /// Nothing was done that the real one would punish.
    pub(crate) fn assert_clean(&self) {
        self.with(|state| assert!(state.violations.is_empty(), "{:?}", state.violations));
    }
}

/// The signature over a message.
pub(crate) fn sign(json: &str) -> String {
    let digest = Sha256::digest(format!("{KEY}{json}{SALT}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn status(status: u16) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).expect("a status"))
        .finish()
}

fn failed(fail: Fail) -> Response {
    match fail {
        Fail::Status(code) => status(code),
        Fail::TooMany(seconds) => Response::builder()
            .status(StatusCode::TOO_MANY_REQUESTS)
            .header("retry-after", seconds.to_string())
            .finish(),
        Fail::Broken => {
            let pieces = [Ok(b"RIFF".to_vec()), Err(std::io::Error::other("broken"))];
            Response::builder()
                .content_type("audio/mp3")
                .body(Body::from_bytes_stream(futures_util::stream::iter(pieces)))
        }
    }
}

fn sound(bytes: Vec<u8>) -> Response {
    Response::builder().content_type("audio/mp3").body(bytes)
}

/// A second invalid request within two minutes locks the key.
fn invalid(state: &mut State, why: &str) -> Response {
    let again = state
        .invalid
        .is_some_and(|last| last.elapsed() < Duration::from_secs(120));
    state.invalid = Some(Instant::now());
    if again {
        state.locked = true;
        state
            .violations
            .push(format!("a second invalid request: {why}"));
        return status(401);
    }
    status(400)
}

#[handler]
async fn mango(
    request: &Request,
    body: Body,
    Data(state): Data<&Shared>,
    Data(address): Data<&String>,
) -> Response {
    let bytes = body.into_vec().await.expect("a body");
    let command = request.uri().path().trim_start_matches("/vpbx/").to_owned();
    let mut state = state.lock().expect("the state");
    let field = |name: &str| {
        form_urlencoded::parse(&bytes)
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let text = field("json");
    state
        .log
        .push((command.clone(), text.clone(), Instant::now()));
    if state.locked {
        state
            .violations
            .push(format!("{command} with a key that is locked"));
        return status(401);
    }
    let now = Instant::now();
    let second = state
        .log
        .iter()
        .filter(|(path, _, at)| path != "link" && now - *at < Duration::from_secs(1))
        .count();
    if second > 10 {
        state
            .violations
            .push("more than ten requests in a second".to_owned());
        return status(429);
    }
    if field("vpbx_api_key") != KEY || field("sign") != sign(&text) {
        return invalid(&mut state, "the signature");
    }
    let Ok(message) = serde_json::from_str::<Value>(&text) else {
        return invalid(&mut state, "no JSON");
    };
    match command.as_str() {
        "queries/recording/post" => {
            if let Some(fail) = state.fails.pop_front() {
                if matches!(fail, Fail::Status(400)) {
                    return invalid(&mut state, "as commanded");
                }
                if matches!(fail, Fail::Status(401)) {
                    state.locked = true;
                }
                return failed(fail);
            }
            let id = message["recording_id"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if message["action"] != "download" || !state.recordings.contains_key(&id) {
                return invalid(&mut state, "the recording");
            }
            if let Some(left) = state.not_ready.get_mut(&id).filter(|left| **left > 0) {
                *left -= 1;
                return status(404);
            }
            if state.direct {
                return sound(state.recordings[&id].clone());
            }
            let token = format!("t{}", state.log.len());
            state.links.insert(token.clone(), id);
            Response::builder()
                .status(StatusCode::FOUND)
                .header("location", format!("http://{address}/link/{token}"))
                .finish()
        }
        "stats/request" => {
            if state
                .statistics
                .is_some_and(|last| last.elapsed() < Duration::from_secs(2))
            {
                state
                    .violations
                    .push("statistics more often than in two seconds".to_owned());
                return status(429);
            }
            state.statistics = Some(now);
            let number = |name: &str| {
                message[name]
                    .as_str()
                    .and_then(|text| text.parse::<i64>().ok())
            };
            let (Some(from), Some(to)) = (number("date_from"), number("date_to")) else {
                return invalid(&mut state, "the dates");
            };
            let fields = "records,start,finish,answer,from_extension,from_number,to_extension,to_number,disconnect_reason,line_number,location,entry_id";
            if to - from > 31 * 86_400 || message["fields"] != fields {
                return invalid(&mut state, "the range or the fields");
            }
            poem::IntoResponse::into_response(poem::web::Json(json!({"key": "statistics-key"})))
        }
        "stats/result" => {
            if message["key"] != "statistics-key" {
                return invalid(&mut state, "the key of the statistics");
            }
            if state
                .polled
                .is_some_and(|last| last.elapsed() < Duration::from_millis(4_900))
            {
                state
                    .violations
                    .push("looked for statistics within five seconds".to_owned());
            }
            state.polled = Some(now);
            state.polls += 1;
            if state.polls == 1 {
                return status(204);
            }
            Response::builder()
                .content_type("text/csv")
                .body(state.csv.clone())
        }
        "config/users/request" => {
            poem::IntoResponse::into_response(poem::web::Json(json!({"users": [
                {"general": {"name": "Ольга Щербакова", "department": "Продажи", "user_id": 77, "mobile": "89161112233"},
                 "telephony": {"extension": "101", "numbers": [{"number": "sip:olga@x", "protocol": "sip"}]}}
            ]})))
        }
        _ => invalid(&mut state, "the command"),
    }
}

/// A link works once, and nobody may send it a key.
#[handler]
async fn link(request: &Request, uri: &Uri, Data(state): Data<&Shared>) -> Response {
    let token = request.raw_path_param("token").unwrap_or_default();
    let mut state = state.lock().expect("the state");
    let seen = format!("{uri} {:?}", request.headers());
    if seen.contains(KEY) || seen.contains("sign") {
        state
            .violations
            .push(format!("the key went along to the link: {seen}"));
    }
    state
        .log
        .push(("link".to_owned(), token.to_owned(), Instant::now()));
    match state.links.remove(token) {
        Some(id) => sound(state.recordings[&id].clone()),
        None => status(404),
    }
}

fn query(request: &Request) -> HashMap<String, String> {
    form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
}

fn allowed(state: &mut State, request: &Request) -> Option<Response> {
    let query = query(request);
    state.log.push((
        request.uri().path().to_owned(),
        request.uri().query().unwrap_or_default().to_owned(),
        Instant::now(),
    ));
    if state.locked {
        state.violations.push("asked again after 401".to_owned());
        return Some(status(401));
    }
    let site = request.raw_path_param("site").unwrap_or_default();
    if site != SITE || query.get("clientApiId").map(String::as_str) != Some(API_KEY) {
        return Some(status(403));
    }
    let fail = state.fails.pop_front()?;
    if matches!(fail, Fail::Status(401 | 403)) {
        state.locked = true;
    }
    Some(failed(fail))
}

#[handler]
async fn diary(request: &Request, Data(state): Data<&Shared>) -> Response {
    let mut state = state.lock().expect("the state");
    if let Some(refused) = allowed(&mut state, request) {
        return refused;
    }
    let query = query(request);
    let day = |name: &str| {
        jiff::civil::Date::strptime("%d/%m/%Y", query.get(name).map_or("", String::as_str)).ok()
    };
    let (Some(from), Some(to)) = (day("dateFrom"), day("dateTo")) else {
        return status(400);
    };
    if (to - from).get_days() >= 90 {
        state
            .violations
            .push("more than 90 days at once".to_owned());
        return status(400);
    }
    let page: usize = query
        .get("page")
        .and_then(|page| page.parse().ok())
        .unwrap_or(0);
    if page == 0 || query.get("limit").map(String::as_str) != Some("1000") {
        return status(400);
    }
    let records = state.pages.get(page - 1).cloned().unwrap_or_default();
    let total = state.pages.iter().map(Vec::len).sum::<usize>();
    let answer = if state.bare {
        Value::Array(records)
    } else {
        json!({"page": page, "pageTotal": state.pages.len(), "pageSize": 1000, "recordsTotal": total, "records": records})
    };
    poem::IntoResponse::into_response(poem::web::Json(answer))
}

#[handler]
async fn download(request: &Request, Data(state): Data<&Shared>) -> Response {
    let mut state = state.lock().expect("the state");
    if let Some(refused) = allowed(&mut state, request) {
        return refused;
    }
    let id = request.raw_path_param("id").unwrap_or_default().to_owned();
    if let Some(left) = state.not_ready.get_mut(&id).filter(|left| **left > 0) {
        *left -= 1;
        return status(404);
    }
    match state.recordings.get(&id) {
        Some(bytes) => sound(bytes.clone()),
        None => status(404),
    }
}
