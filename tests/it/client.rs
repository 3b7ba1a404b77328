//! A client of the API.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};

/// States in which nothing more happens by itself.
pub(crate) const FINAL: [&str; 4] = ["completed", "failed", "cancelled", "no_speech"];

/// A file to be uploaded.
pub(crate) struct Upload {
    name: String,
    mime: &'static str,
    bytes: Vec<u8>,
}

/// A file with the name and type that a browser would give.
pub(crate) fn file(name: &str, bytes: Vec<u8>) -> Upload {
    typed(name, "application/octet-stream", bytes)
}

/// A file with a type.
pub(crate) fn typed(name: &str, mime: &'static str, bytes: Vec<u8>) -> Upload {
    Upload {
        name: name.to_owned(),
        mime,
        bytes,
    }
}

/// Somebody who is signed in, or nobody.
#[derive(Clone)]
pub(crate) struct Client {
    /// `http://ADDRESS`.
    pub(crate) base: String,
    /// Without any credentials.
    pub(crate) http: reqwest::Client,
    /// The token, where signed in.
    pub(crate) token: Option<String>,
    /// The password that was right in the end.
    pub(crate) password: String,
}

impl Client {
    /// Nobody.
    pub(crate) fn anonymous(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(60))
                .build()
                .expect("a client"),
            token: None,
            password: String::new(),
        }
    }

    /// Signed in. A password that is for the first sign-in only is changed, always to the
    /// same one, so that it can be given again.
    pub(crate) async fn login(base: &str, name: &str, password: &str) -> Self {
        let mut client = Self::anonymous(base);
        let mine = format!("{password} mine");
        let (mut status, mut body) = client.try_login(name, password).await;
        password.clone_into(&mut client.password);
        if status == 401 {
            (status, body) = client.try_login(name, &mine).await;
            client.password.clone_from(&mine);
        }
        assert_eq!(status, 200, "signing in as {name}: {body}");
        client.token = Some(body["token"].as_str().expect("a token").to_owned());
        if body["user"]["must_change_password"] == json!(true) {
            let change = json!({"current_password": password, "new_password": mine});
            let (status, answer) = client
                .send(Method::POST, "/auth/password", Some(change))
                .await;
            assert_eq!(status, 204, "{answer}");
            client.password = mine;
        }
        client
    }

    /// Status and body of signing in.
    pub(crate) async fn try_login(&self, name: &str, password: &str) -> (u16, Value) {
        let body = json!({"username": name, "password": password});
        self.send(Method::POST, "/auth/login", Some(body)).await
    }

    /// Address of a path of the API.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.base)
    }

    /// A request that carries the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, self.url(path));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Status and JSON (null when the body is empty) of a request.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request.send().await.expect("an answer")).await
    }

    /// JSON of a GET that succeeds.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// Status and JSON of a POST without a body.
    pub(crate) async fn post(&self, path: &str) -> (u16, Value) {
        self.send(Method::POST, path, None).await
    }

    /// JSON of a PATCH of a call that succeeds.
    pub(crate) async fn patch(&self, id: &str, body: Value) -> Value {
        let path = format!("/results/{id}");
        let (status, answer) = self.send(Method::PATCH, &path, Some(body.clone())).await;
        assert_eq!(status, 200, "PATCH {path} {body}: {answer}");
        answer
    }

    /// Everything about a call.
    pub(crate) async fn result(&self, id: &str) -> Value {
        self.get(&format!("/results/{id}")).await
    }

    /// The list with a query.
    pub(crate) async fn results(&self, query: &[(&str, &str)]) -> Value {
        let request = self.request(Method::GET, "/results").query(query);
        let (status, body) = read(request.send().await.expect("an answer")).await;
        assert_eq!(status, 200, "GET /results {query:?}: {body}");
        body
    }

    /// Status and JSON of an upload.
    pub(crate) async fn upload(
        &self,
        files: Vec<Upload>,
        fields: &[(&'static str, &str)],
    ) -> (u16, Value) {
        let mut form = reqwest::multipart::Form::new();
        for (name, value) in fields {
            form = form.text(*name, (*value).to_owned());
        }
        for file in files {
            let part = reqwest::multipart::Part::bytes(file.bytes)
                .file_name(file.name)
                .mime_str(file.mime)
                .expect("a type");
            form = form.part("files", part);
        }
        let request = self.request(Method::POST, "/upload").multipart(form);
        read(request.send().await.expect("an answer")).await
    }

    /// Id of a file that is new here and accepted.
    pub(crate) async fn accepted(
        &self,
        name: &str,
        bytes: Vec<u8>,
        fields: &[(&'static str, &str)],
    ) -> String {
        let (status, body) = self.upload(vec![file(name, bytes)], fields).await;
        assert_eq!(status, 202, "{body}");
        let file = &body["files"][0];
        assert_eq!(file["error"], Value::Null, "{name}: {body}");
        assert_eq!(file["duplicate"], false, "{name}: {body}");
        file["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until `/status` of the call is as wanted; returns it.
    pub(crate) async fn wait(
        &self,
        id: &str,
        seconds: u64,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            let status = self.get(&format!("/status/{id}")).await;
            if wanted(&status) {
                return status;
            }
            assert!(
                Instant::now() < end,
                "{id} is not {what} after {seconds} s: {status}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for the end of the work on a call; returns its status.
    pub(crate) async fn finished(&self, id: &str) -> String {
        let status = self
            .wait(id, 180, "finished", |status| {
                FINAL.contains(&status["status"].as_str().unwrap_or_default())
            })
            .await;
        status["status"].as_str().expect("a status").to_owned()
    }

    /// Waits until the call is completed; returns everything about it.
    pub(crate) async fn completed(&self, id: &str) -> Value {
        let status = self.finished(id).await;
        let result = self.result(id).await;
        assert_eq!(status, "completed", "{}", result["call"]);
        result
    }

    /// Waits until the speech worker has told progress on a call.
    pub(crate) async fn transcribing(&self, id: &str) {
        self.wait(id, 60, "being transcribed", |status| {
            status["status"] == "processing"
                && status["stage"] == "transcribe"
                && status["stage_progress"].as_f64() > Some(0.0)
        })
        .await;
    }
}

/// Status and JSON (null when the body is empty) of an answer.
pub(crate) async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let url = response.url().clone();
    let text = response.text().await.expect("a body");
    if text.is_empty() {
        return (status, Value::Null);
    }
    let body = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{url} answers {status} without JSON ({error}): {text}"));
    (status, body)
}

/// Holds an answer to the form of every answer other than a success.
pub(crate) fn assert_error(what: &str, answer: &(u16, Value), status: u16, code: &str) {
    assert_eq!(answer.0, status, "{what}: {}", answer.1);
    let body = answer
        .1
        .as_object()
        .unwrap_or_else(|| panic!("{what}: {}", answer.1));
    let mut keys: Vec<&str> = body.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["code", "message"], "{what}");
    assert_eq!(body["code"], code, "{what}: {}", answer.1);
    let message = body["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty(), "{what}: no message");
}
