//! Every endpoint by every role: the table is made from the API's document and from the
//! permissions, and each pair is asked.

use call_analytics::domain::Role;
use call_analytics::domain::access::Permission;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, assert_error};
use crate::fixtures::scripted_call;
use crate::people::{SALES, SERVICE, key, of_team, person, teams};
use crate::server::{Server, Setup};

/// An operation and the permission that its document asks for; `None` is public.
struct Operation {
    method: Method,
    path: String,
    permission: Option<Permission>,
}

async fn operations(server: &Server) -> Vec<Operation> {
    let document = server.get("/openapi.json").await;
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            let security = operation["security"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            assert!(security.len() <= 1, "{method} {path}");
            let permission = security.first().map(|scheme| {
                let name = scheme.as_object().and_then(|scheme| scheme.keys().next());
                name.expect("a scheme")
                    .parse::<Permission>()
                    .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
            });
            operations.push(Operation {
                method: Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method"),
                path: path.clone(),
                permission,
            });
        }
    }
    operations
}

/// About one call, whose id is in the path.
fn about_a_call(path: &str) -> bool {
    [
        "/results/{id}",
        "/status/{id}",
        "/upload/status/{id}",
        "/audio/{id}",
        "/waveform/{id}",
    ]
    .iter()
    .any(|call| path.starts_with(call))
}

fn filled(path: &str, id: &str) -> String {
    path.replace("{id}", id)
        .replace("{file_id}", id)
        .replace("{name}", "nobody-of-this-name")
        .replace("{filename}", "none.wav")
        .replace("{index}", "0")
        .replace("{answer}", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
        .replace("{version}", "0")
}

fn query(path: &str) -> &'static str {
    if path.ends_with("/transcript") {
        "?format=txt"
    } else if path.starts_with("/sftp/files/") {
        "?user=mango"
    } else {
        ""
    }
}

/// Status and code of an empty request to an operation.
async fn ask(client: &Client, operation: &Operation, id: &str) -> (u16, Value) {
    let path = filled(&operation.path, id);
    let request = client
        .request(operation.method.clone(), &format!("{path}{}", query(&path)))
        .header("content-type", "application/json");
    let request = if operation.method == Method::GET {
        request
    } else {
        request.body("{}")
    };
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.bytes().await.unwrap_or_default();
    let body = serde_json::from_slice(&text).unwrap_or(Value::Null);
    (status, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_by_every_role() {
    let server = Server::start(&Setup::scripted()).await;
    teams(&server).await;
    let own = server
        .accepted("a.wav", scripted_call(1), &[("operator_name", SALES.1)])
        .await;
    let other = server
        .accepted("b.wav", scripted_call(2), &[("operator_name", SERVICE.1)])
        .await;
    server.completed(&own).await;
    server.completed(&other).await;
    let unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let people = [
        (Role::Admin, "second", json!({})),
        (Role::Supervisor, "s", of_team(SALES.0)),
        (Role::Operator, "o", json!({"operator": SALES.1})),
        (Role::Viewer, "v", of_team(SALES.0)),
    ];
    let mut clients = Vec::new();
    for (role, name, reach) in people {
        clients.push((role, person(&server, name, role.name(), reach).await));
    }
    let operations = operations(&server).await;
    let (mut pairs, mut forbidden, mut admitted) = (0, 0, 0);
    for operation in &operations {
        let what = format!("{} {}", operation.method, operation.path);
        for (role, client) in &clients {
            let what = format!("{what} by {role}");
            pairs += 1;
            let Some(permission) = operation.permission else {
                let (status, body) = ask(client, operation, unknown).await;
                assert!(status != 403 && status < 500, "{what}: {status} {body}");
                continue;
            };
            if !permission.allows(*role) {
                for id in [&own, &other, unknown] {
                    let answer = ask(client, operation, id).await;
                    assert_error(&what, &answer, 403, "forbidden");
                }
                forbidden += 1;
                continue;
            }
            if operation.path == "/auth/logout" {
                let again = Client::login(&server.base, &name_of(*role), &client.password).await;
                let (status, body) = ask(&again, operation, unknown).await;
                assert_eq!(status, 204, "{what}: {body}");
                admitted += 1;
                continue;
            }
            if operation.path == "/token-keys" {
                // It ends all access tokens: asked at the end.
                continue;
            }
            if about_a_call(&operation.path) {
                // Only what changes nothing is asked of the call that is there.
                if operation.method == Method::GET && !operation.path.contains("/answers/") {
                    if !operation.path.ends_with("/versions/{version}") {
                        let (status, body) = ask(client, operation, &own).await;
                        assert!((200..300).contains(&status), "{what}: {status} {body}");
                    }
                    if *role == Role::Admin {
                        let (status, body) = ask(client, operation, &other).await;
                        assert!(status < 300, "{what}: {status} {body}");
                    }
                }
                // A body that is not understood is refused before the call is looked for.
                if *role != Role::Admin {
                    let there = ask(client, operation, &other).await;
                    let nowhere = ask(client, operation, unknown).await;
                    assert_eq!(there, nowhere, "{what}: another team's call shows");
                    assert!([400, 404].contains(&there.0), "{what}: {there:?}");
                    assert!(
                        there.0 == 404 || operation.method != Method::GET,
                        "{what}: {there:?}"
                    );
                }
            } else {
                let (status, body) = ask(client, operation, unknown).await;
                let fine = match operation.method {
                    Method::GET if !operation.path.contains('{') => {
                        // A plain GET is no WebSocket, and this server has no SFTP.
                        status == 200 || operation.path == "/ws" || body["code"] == "sftp_off"
                    }
                    _ => ![401, 403].contains(&status) && status < 500,
                };
                assert!(fine, "{what}: {status} {body}");
            }
            admitted += 1;
        }
    }
    assert_eq!(pairs, operations.len() * 4);
    assert!(operations.len() > 120 && forbidden > 150 && admitted > 150);
    println!(
        "{} endpoints, {pairs} pairs: {admitted} admitted, {forbidden} forbidden",
        operations.len()
    );
    let admin = &clients[0].1;
    assert_eq!(admin.post("/token-keys").await.0, 204);
    let answer = admin.send(Method::GET, "/auth/me", None).await;
    assert_error("a token of the key before", &answer, 401, "not_signed_in");
    let server_again = Client::login(&server.base, "admin", &server.password).await;
    // The calls are as they were.
    for id in [&own, &other] {
        assert_eq!(server_again.result(id).await["call"]["status"], "completed");
    }
    let _ = server.stop().await;
}

fn name_of(role: Role) -> String {
    match role {
        Role::Admin => "second",
        Role::Supervisor => "s",
        Role::Operator => "o",
        Role::Viewer => "v",
    }
    .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_its_scopes_say_and_no_more() {
    let server = Server::start(&Setup::scripted()).await;
    let operations = operations(&server).await;
    for permission in Permission::ALL {
        let body =
            json!({"name": "k", "scopes": [permission.name()], "days": 1, "per_minute": 6000});
        if !permission.for_keys() {
            let answer = server.send(Method::POST, "/api-keys", Some(body)).await;
            assert_error(permission.name(), &answer, 400, "bad_api_key");
            continue;
        }
        let (client, _) = key(&server, body).await;
        for operation in &operations {
            let Some(needed) = operation.permission else {
                continue;
            };
            let what = format!(
                "{} {} with the scope {}",
                operation.method,
                operation.path,
                permission.name()
            );
            if needed == permission && operation.method != Method::GET {
                continue;
            }
            let (status, body) = ask(&client, operation, "01ARZ3NDEKTSV4RRFFQ69G5FAV").await;
            if needed == permission {
                assert!(![401, 403].contains(&status), "{what}: {status} {body}");
            } else {
                assert_error(&what, &(status, body), 403, "no_scope");
            }
        }
    }
    let _ = server.stop().await;
}
