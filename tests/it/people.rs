//! Accounts for tests of who may do what.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

/// Two teams with an operator each.
pub(crate) const SALES: (&str, &str) = ("Продажи", "Анна Белова");
pub(crate) const SERVICE: (&str, &str) = ("Сервис", "Борис Чернов");

/// Makes the directory with both teams.
pub(crate) async fn teams(server: &Server) {
    for (team, name) in [SALES, SERVICE] {
        let body = json!({"name": name, "team": team});
        let (status, answer) = server.send(Method::POST, "/employees", Some(body)).await;
        assert!(status < 300, "{answer}");
    }
}

/// Somebody with a role and a reach, signed in.
pub(crate) async fn person(server: &Server, name: &str, role: &str, reach: Value) -> Client {
    let body = json!({"name": name, "role": role, "reach": reach});
    let (status, made) = server.send(Method::POST, "/accounts", Some(body)).await;
    assert_eq!(status, 200, "{made}");
    let password = made["password"].as_str().expect("a password");
    Client::login(&server.base, name, password).await
}

/// For the calls of a team.
pub(crate) fn of_team(team: &str) -> Value {
    json!({"teams": [team]})
}

/// An API key with scopes.
pub(crate) async fn key(server: &Server, body: Value) -> (Client, String) {
    let (status, made) = server.send(Method::POST, "/api-keys", Some(body)).await;
    assert_eq!(status, 200, "{made}");
    let mut client = Client::anonymous(&server.base);
    client.token = Some(made["secret"].as_str().expect("a secret").to_owned());
    let id = made["key"]["id"].as_str().expect("an id").to_owned();
    (client, id)
}
