//! A person sees what their team and role allow, whichever way they look.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::client::{Client, assert_error};
use crate::fixtures::scripted_call;
use crate::people::{SALES, SERVICE, of_team, person, teams};
use crate::server::{Server, Setup};

struct Place {
    server: Server,
    /// A call of sales.
    sales: String,
    /// A call of service.
    service: String,
}

async fn place() -> Place {
    let server = Server::start(&Setup::scripted()).await;
    teams(&server).await;
    let mut ids = Vec::new();
    for (number, (_, operator)) in [(1, SALES), (2, SERVICE)] {
        let name = format!("{number}.wav");
        let fields = [("operator_name", operator)];
        ids.push(server.accepted(&name, scripted_call(number), &fields).await);
    }
    // Nobody is named for this one.
    ids.push(server.accepted("3.wav", scripted_call(3), &[]).await);
    for id in &ids {
        server.completed(id).await;
    }
    Place {
        server,
        service: ids.remove(1),
        sales: ids.remove(0),
    }
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let items = list["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| item[key].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_counts_and_searches_are_of_the_team() {
    let place = place().await;
    let server = &place.server;
    let all = json!({});
    let sales = person(server, "s", "supervisor", of_team(SALES.0)).await;
    let both = person(
        server,
        "b",
        "viewer",
        json!({"teams": [SALES.0, SERVICE.0]}),
    )
    .await;
    let everything = person(server, "e", "viewer", all).await;
    let own = person(server, "o", "operator", json!({"operator": SERVICE.1})).await;
    for (client, count) in [(&sales, 1), (&both, 2), (&everything, 3), (&own, 1)] {
        let list = client.results(&[]).await;
        assert_eq!(list["total"], count, "{list}");
        assert_eq!(
            list["averages"]["scored"], count,
            "averages tell of no others"
        );
        let found = client.results(&[("q", "заказ")]).await;
        assert_eq!(found["total"], count, "the search: {found}");
        let dynamics = client.get("/quality/dynamics").await;
        assert_eq!(dynamics["periods"][0]["scored"], count, "{dynamics}");
    }
    let list = sales.results(&[("operator", SERVICE.1)]).await;
    assert_eq!(list["total"], 0, "{list}");
    let operators = names(&sales.get("/operators").await, "name");
    assert_eq!(operators, [SALES.1]);
    // Another team at once.
    let change = json!({"reach": of_team(SERVICE.0)});
    let (status, answer) = server
        .send(Method::PATCH, "/accounts/s", Some(change))
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(names(&sales.results(&[]).await, "operator"), [SERVICE.1]);
    let _ = place.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_works_with_the_team_only() {
    let place = place().await;
    let server = &place.server;
    let sales = person(server, "s", "supervisor", of_team(SALES.0)).await;
    // Asking.
    let ask = |ids: Vec<&str>| json!({"question": "Где заказ?", "ids": ids});
    let both = ask(vec![&place.sales, &place.service]);
    let answer = sales
        .send(Method::POST, "/analysis/start", Some(both))
        .await;
    assert_error("asking others", &answer, 404, "not_found");
    let everything = json!({"question": "Где заказ?", "filter": {}});
    let estimate = sales
        .send(Method::POST, "/analysis/estimate", Some(everything))
        .await;
    assert_eq!(
        (estimate.0, &estimate.1["matching"]),
        (200, &json!(1)),
        "{}",
        estimate.1
    );
    let everything = json!({"question": "Где заказ?", "filter": {}});
    let (status, of_admin) = server
        .send(Method::POST, "/analysis/start", Some(everything))
        .await;
    assert_eq!(status, 200, "{of_admin}");
    assert_eq!(
        names(&sales.get("/analysis").await, "id"),
        Vec::<String>::new()
    );
    let id = of_admin["id"].as_str().expect("an id");
    for (method, path) in [
        (Method::GET, format!("/analysis/{id}")),
        (Method::GET, format!("/analysis/{id}/export")),
        (Method::POST, format!("/analysis/{id}/cancel")),
        (Method::DELETE, format!("/analysis/{id}")),
    ] {
        let answer = sales.send(method, &path, None).await;
        assert_error(&path, &answer, 404, "not_found");
    }
    // Bringing in.
    for (fields, fine) in [
        (vec![("operator_name", SALES.1)], true),
        (vec![("operator_name", SERVICE.1)], false),
        (vec![], false),
    ] {
        let files = vec![crate::client::file(
            "n.wav",
            scripted_call(40 + fields.len() as u32),
        )];
        let (status, answer) = sales.upload(files, &fields).await;
        if fine {
            assert_eq!(status, 202, "{answer}");
        } else {
            assert_error(
                "an upload for others",
                &(status, answer),
                403,
                "not_your_team",
            );
        }
    }
    // What is there already, of another team.
    let files = vec![crate::client::file("x.wav", scripted_call(2))];
    let (_, answer) = sales.upload(files, &[("operator_name", SALES.1)]).await;
    assert_eq!(answer["files"][0]["duplicate"], true, "{answer}");
    assert_eq!(answer["files"][0]["id"], Value::Null, "{answer}");
    // Giving away, and taking.
    let give = |operator: Value| json!({"operator": operator});
    let path = format!("/results/{}", place.sales);
    for operator in [json!(SERVICE.1), Value::Null] {
        let answer = sales.send(Method::PATCH, &path, Some(give(operator))).await;
        assert_error("giving a call away", &answer, 403, "not_your_team");
    }
    let theirs = format!("/results/{}", place.service);
    let answer = sales
        .send(Method::PATCH, &theirs, Some(give(json!(SALES.1))))
        .await;
    assert_error("taking a call", &answer, 404, "not_found");
    let _ = place.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_disputes_and_no_more() {
    let place = place().await;
    let server = &place.server;
    let operator = person(server, "o", "operator", json!({"operator": SALES.1})).await;
    let detail = operator.result(&place.sales).await;
    let item = &detail["score"]["criteria"][0]["items"][0];
    let review = |act: &str| {
        json!({"item": item["key"], "act": act, "verdict": "met", "comment": "Это было сказано",
            "seen_verdict": item["verdict"], "revision": 0})
    };
    let path = format!("/results/{}/reviews", place.sales);
    for act in ["confirm", "change", "withdraw", "accept", "decline"] {
        let answer = operator.send(Method::POST, &path, Some(review(act))).await;
        assert_error(act, &answer, 403, "only_dispute");
    }
    let (status, answer) = operator
        .send(Method::POST, &path, Some(review("dispute")))
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(operator.get("/disputes").await["total"], 1);
    let other = person(server, "p", "operator", json!({"operator": SERVICE.1})).await;
    let disputes = other.get("/disputes").await;
    assert_eq!(
        (&disputes["total"], &disputes["open"]),
        (&json!(0), &json!(0))
    );
    let _ = place.server.stop().await;
}

async fn socket(
    client: &Client,
) -> tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>> {
    let host = client.base.trim_start_matches("http://");
    let mut request = format!("ws://{host}/api/v1/ws")
        .into_client_request()
        .expect("a request");
    let bearer = format!("Bearer {}", client.token.as_deref().expect("a token"));
    request
        .headers_mut()
        .insert("authorization", bearer.parse().expect("a value"));
    let (socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .expect("a WebSocket");
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn live_news_are_of_the_team_and_end_with_the_session() {
    let place = place().await;
    let server = &place.server;
    let sales = person(server, "s", "supervisor", of_team(SALES.0)).await;
    let mut socket = socket(&sales).await;
    for id in [&place.service, &place.sales] {
        let (status, _) = server.post(&format!("/results/{id}/retry")).await;
        assert_eq!(status, 200);
        server.completed(id).await;
    }
    let mut told = Vec::new();
    loop {
        let message = tokio::time::timeout(std::time::Duration::from_secs(30), socket.next())
            .await
            .expect("news within 30 s")
            .expect("news")
            .expect("a frame");
        let Ok(text) = message.to_text() else {
            continue;
        };
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            continue;
        };
        let last = frame["id"] == place.sales.as_str() && frame["status"] == "completed";
        told.push(frame);
        if last {
            break;
        }
    }
    assert!(
        told.iter()
            .all(|frame| frame["id"] != place.service.as_str()),
        "{told:?}"
    );
    let (status, _) = server
        .send(Method::DELETE, "/accounts/s/sessions", None)
        .await;
    assert_eq!(status, 204);
    let end = async {
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                break;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), end)
        .await
        .expect("the WebSocket ends with its session");
    let answer = sales.send(Method::GET, "/results", None).await;
    assert_error("after the end", &answer, 401, "not_signed_in");
    let _ = place.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_holds_so_many_websockets() {
    let setup = Setup {
        sections: "[accounts]\nmax_websockets = 2\n".to_owned(),
        ..Setup::scripted()
    };
    let server = Server::start(&setup).await;
    let first = socket(&server.client).await;
    let _second = socket(&server.client).await;
    let request = server
        .request(Method::GET, "/ws")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 429);
    assert!(answer.headers().contains_key("retry-after"));
    drop(first);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let host = server.base.trim_start_matches("http://");
        let mut request = format!("ws://{host}/api/v1/ws")
            .into_client_request()
            .expect("a request");
        let bearer = format!("Bearer {}", server.token.as_deref().expect("a token"));
        request
            .headers_mut()
            .insert("authorization", bearer.parse().expect("a value"));
        if tokio_tungstenite::connect_async(request).await.is_ok() {
            break;
        }
        assert!(
            std::time::Instant::now() < end,
            "a closed one makes no room"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let _ = server.stop().await;
}
