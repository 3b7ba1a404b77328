//! Signing in at an identity provider: the real oidc-provider (npm), and one that lies.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::{Data, Form};
use poem::{EndpointExt, Response, Route, handler};
use reqwest::header::LOCATION;
use serde_json::{Value, json};

use crate::client::Client;
use crate::fixtures::repository;
use crate::server::{Server, Setup};
use crate::tls::{Helper, free_ports};

fn setup(listen: u16, issuer: &str, further: &str) -> Setup {
    Setup {
        // The page's address must be known before the server has one; the browser of the
        // tests finds it.
        sections: format!(
            "[oidc]\nenabled = true\nissuer = \"{issuer}\"\nclient_id = \"calls\"\nclient_secret = \"a secret of the tests\"\npublic_url = \"http://127.0.0.1:{listen}\"\nlabel = \"Вход через Тест\"\n{further}"
        ),
        ..Setup::scripted()
    }
}

/// A browser: it keeps cookies and shows each step.
struct Browser {
    http: reqwest::Client,
    /// What stands at `public_url` is the server's own address.
    public: String,
    real: String,
}

/// Where a browser is after a step.
struct Step {
    status: u16,
    to: Option<String>,
    body: String,
}

impl Browser {
    fn new(server: &Server, public: u16) -> Self {
        Self {
            http: reqwest::Client::builder()
                .no_proxy()
                .cookie_store(true)
                .redirect(reqwest::redirect::Policy::none())
                .timeout(Duration::from_secs(60))
                .build()
                .expect("a client"),
            public: format!("http://127.0.0.1:{public}"),
            real: server.base.clone(),
        }
    }

    async fn step(&self, request: reqwest::RequestBuilder) -> Step {
        let answer = request.send().await.expect("an answer");
        let to = answer.headers().get(LOCATION).map(|to| {
            let to = to.to_str().expect("a text").to_owned();
            let at = answer.url().join(&to).expect("an address");
            at.as_str().replace(&self.public, &self.real)
        });
        Step {
            status: answer.status().as_u16(),
            to,
            body: answer.text().await.expect("a body"),
        }
    }

    async fn get(&self, url: &str) -> Step {
        self.step(self.http.get(url)).await
    }

    fn api(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.real)
    }

    /// Begins; returns where the provider is.
    async fn start(&self) -> String {
        let step = self.get(&self.api("/auth/oidc/start")).await;
        assert_eq!(step.status, 303, "{}", step.body);
        step.to.expect("an address")
    }

    /// Fills in the provider's pages until it sends the browser back; returns that address.
    async fn through(&self, name: &str) -> String {
        let mut at = self.start().await;
        for _ in 0..20 {
            if at.starts_with(&self.real) {
                return at;
            }
            let step = self.get(&at).await;
            if let Some(to) = step.to {
                at = to;
                continue;
            }
            assert_eq!(step.status, 200, "{at}: {}", step.body);
            let prompt = if step.body.contains("value=\"login\"") {
                "login"
            } else {
                "consent"
            };
            let form = [("prompt", prompt), ("login", name), ("password", "any")];
            let step = self.step(self.http.post(&at).form(&form)).await;
            at = step.to.unwrap_or_else(|| panic!("{at}: {}", step.body));
        }
        panic!("the provider goes round in circles: {at}");
    }

    /// Who is signed in.
    async fn me(&self) -> Option<Value> {
        let step = self.get(&self.api("/auth/me")).await;
        (step.status == 200).then(|| serde_json::from_str(&step.body).expect("JSON"))
    }
}

fn packages() -> PathBuf {
    let dir = repository().join("tests/e2e/oidc");
    if !dir.join("node_modules/oidc-provider").exists() {
        let made = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--silent"])
            .current_dir(&dir)
            .status();
        assert!(
            made.is_ok_and(|made| made.success()),
            "npm ci in {}",
            dir.display()
        );
    }
    dir
}

fn failure(to: &str) -> &str {
    to.split_once("/?sign_in=")
        .map_or(to, |(_, failure)| failure)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_at_a_real_provider() {
    let [public, port] = free_ports();
    let issuer = format!("http://127.0.0.1:{port}");
    let roles = "scopes = [\"openid\", \"profile\", \"email\", \"groups\"]\ncreate = true\nrole_claim = \"groups\"\ndefault_role = \"viewer\"\nteams_claim = \"teams\"\n[oidc.roles]\nsupervisor = [\"leads\"]\n";
    let server = Server::start(&setup(public, &issuer, roles)).await;
    let ways = Client::anonymous(&server.base).get("/auth/ways").await;
    assert_eq!(ways["provider"]["label"], "Вход через Тест");

    // An outage: it is said, and passwords work.
    let browser = Browser::new(&server, public);
    let to = browser.start().await;
    assert_eq!(failure(&to), "provider_unavailable");
    Client::login(&server.base, "admin", &server.password).await;

    let log = tempfile::NamedTempFile::new().expect("a file");
    let _provider = Helper::start(
        Command::new("node")
            .arg(packages().join("provider.mjs"))
            .arg(port.to_string())
            .arg(format!(
                "http://127.0.0.1:{public}/api/v1/auth/oidc/callback"
            )),
        log.path(),
    );
    let end = Instant::now() + Duration::from_secs(60);
    while reqwest::get(format!("{issuer}/jwks")).await.is_err() {
        let said = std::fs::read_to_string(log.path()).unwrap_or_default();
        assert!(Instant::now() < end, "the provider does not serve: {said}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let callback = browser.through("olga").await;
    assert!(browser.me().await.is_none(), "nobody is signed in yet");
    let step = browser.get(&callback).await;
    assert_eq!(
        step.to.as_deref(),
        Some(&*format!("{}/", server.base)),
        "{}",
        step.body
    );
    let me = browser.me().await.expect("she is signed in");
    assert_eq!(me["name"], "olga@calls.test");
    assert_eq!(me["role"], "supervisor");
    let sessions = browser.get(&browser.api("/auth/sessions")).await.body;
    assert!(sessions.contains("\"by\":\"provider\""), "{sessions}");

    // The same answer again, here and in another browser: the code and the way are used up.
    for browser in [&browser, &Browser::new(&server, public)] {
        let step = browser.get(&callback).await;
        assert_eq!(failure(&step.to.expect("an address")), "sign_in_expired");
    }
    // A code of somebody else, brought to a sign-in that goes on here.
    let other = Browser::new(&server, public);
    let stolen = other.through("ivan").await;
    let victim = Browser::new(&server, public);
    let begun = victim.start().await;
    let state = query(&begun, "state");
    let code = query(&stolen, "code");
    let forged = format!("/auth/oidc/callback?code={code}&state={state}");
    let step = victim.get(&victim.api(&forged)).await;
    assert_eq!(failure(&step.to.expect("an address")), "provider_refused");
    assert!(victim.me().await.is_none());
    // Without the state, and with another one.
    for state in ["", "&state=", "&state=another"] {
        let victim = Browser::new(&server, public);
        victim.start().await;
        let path = format!("/auth/oidc/callback?code={code}{state}");
        let step = victim.get(&victim.api(&path)).await;
        assert_eq!(
            failure(&step.to.expect("an address")),
            "sign_in_expired",
            "{state}"
        );
    }
    // Whoever says no at the provider.
    let shy = Browser::new(&server, public);
    let state = query(&shy.start().await, "state");
    let path = format!("/auth/oidc/callback?error=access_denied&state={state}");
    let step = shy.get(&shy.api(&path)).await;
    assert_eq!(failure(&step.to.expect("an address")), "provider_refused");

    // An e-mail that is not verified names no account, whatever the groups.
    let eve = Browser::new(&server, public);
    let step = eve.get(&eve.through("eve").await).await;
    assert_eq!(failure(&step.to.expect("an address")), "no_account");
    // Ivan's groups give no role: he is a viewer, of the teams that the provider names.
    let ivan = Browser::new(&server, public);
    let step = ivan.get(&ivan.through("ivan").await).await;
    assert_eq!(step.to.as_deref(), Some(&*format!("{}/", server.base)));
    let me = ivan.me().await.expect("he is signed in");
    assert_eq!(me["role"], "viewer");
    assert_eq!(me["reach"]["teams"], json!(["Продажи"]), "{me}");
    let _ = server.stop().await;
}

fn query(url: &str, name: &str) -> String {
    let (_, query) = url.split_once('?').expect("a query");
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .unwrap_or_else(|| panic!("no {name} in {url}"))
        .1
        .into_owned()
}

/// A provider that signs what it is told to.
#[derive(Clone)]
struct Liar {
    issuer: String,
    keys: Arc<Mutex<Value>>,
    token: Arc<Mutex<String>>,
    forms: Arc<Mutex<Vec<HashMap<String, String>>>>,
}

#[handler]
fn metadata(Data(liar): Data<&Liar>) -> Response {
    let issuer = &liar.issuer;
    answer(&json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
    }))
}

#[handler]
fn jwks(Data(liar): Data<&Liar>) -> Response {
    answer(&liar.keys.lock().expect("a lock"))
}

#[handler]
fn token(Data(liar): Data<&Liar>, Form(form): Form<HashMap<String, String>>) -> Response {
    liar.forms.lock().expect("a lock").push(form);
    let token = liar.token.lock().expect("a lock").clone();
    answer(&json!({"id_token": token, "access_token": "a", "token_type": "Bearer"}))
}

fn answer(body: &Value) -> Response {
    Response::builder()
        .content_type("application/json")
        .body(body.to_string())
}

/// A key and what a provider tells of it.
fn key(name: &str) -> (EncodingKey, Value) {
    let pair = rcgen::KeyPair::generate().expect("a key");
    let point = pair.public_key_raw();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let told = json!({"kty": "EC", "crv": "P-256", "kid": name, "use": "sig",
        "x": part(&point[1..33]), "y": part(&point[33..65])});
    (EncodingKey::from_ec_der(&pair.serialize_der()), told)
}

fn signed(key: &EncodingKey, name: &str, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(name.to_owned());
    jsonwebtoken::encode(&header, claims, key).expect("a token")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_lies_lets_nobody_in() {
    let acceptor = TcpListener::bind("127.0.0.1:0")
        .into_acceptor()
        .await
        .expect("a port");
    let address = acceptor.local_addr()[0]
        .as_socket_addr()
        .copied()
        .expect("an address");
    let (first, first_told) = key("one");
    let liar = Liar {
        issuer: format!("http://{address}"),
        keys: Arc::new(Mutex::new(
            json!({"keys": [{"kty": "made up"}, first_told]}),
        )),
        token: Arc::default(),
        forms: Arc::default(),
    };
    let routes = Route::new()
        .at("/.well-known/openid-configuration", poem::get(metadata))
        .at("/jwks", poem::get(jwks))
        .at("/token", poem::post(token))
        .data(liar.clone());
    let task = tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(routes));
    let [public] = free_ports();
    let named = "account_claim = \"preferred_username\"\n";
    let server = Server::start(&setup(public, &liar.issuer, named)).await;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock")
        .as_secs();
    let claims = |nonce: &str| {
        json!({"iss": liar.issuer, "aud": "calls", "sub": "7", "nonce": nonce, "iat": now,
            "exp": now + 300, "preferred_username": "admin"})
    };
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let change = |nonce: &str, name: &str, value: Value| {
        let mut claims = claims(nonce);
        claims[name] = value;
        signed(&first, "one", &claims)
    };
    type Lie<'a> = (&'a str, Box<dyn Fn(&str) -> String + Send + Sync + 'a>);
    let (other_key, _) = key("one");
    let lies: Vec<Lie> = vec![
        (
            "another nonce",
            Box::new(|_| signed(&first, "one", &claims("another"))),
        ),
        (
            "another audience",
            Box::new(|n| change(n, "aud", json!("another"))),
        ),
        (
            "several audiences",
            Box::new(|n| change(n, "aud", json!(["calls", "another"]))),
        ),
        (
            "another party",
            Box::new(|n| change(n, "azp", json!("another"))),
        ),
        (
            "another issuer",
            Box::new(|n| change(n, "iss", json!("https://evil.test"))),
        ),
        ("expired", Box::new(|n| change(n, "exp", json!(now - 600)))),
        ("old", Box::new(|n| change(n, "iat", json!(now - 7200)))),
        ("no subject", Box::new(|n| change(n, "sub", json!("")))),
        (
            "another key",
            Box::new(|n| signed(&other_key, "one", &claims(n))),
        ),
        (
            "an unknown key",
            Box::new(|n| signed(&other_key, "two", &claims(n))),
        ),
        (
            "no signature",
            Box::new(|n| {
                format!(
                    "{}.{}.",
                    encode(&json!({"alg": "none", "kid": "one"})),
                    encode(&claims(n))
                )
            }),
        ),
        (
            "a shared secret",
            Box::new(|n| {
                let mut header = Header::new(Algorithm::HS256);
                header.kid = Some("one".to_owned());
                let key = EncodingKey::from_secret(b"a secret of the tests");
                jsonwebtoken::encode(&header, &claims(n), &key).expect("a token")
            }),
        ),
        ("rubbish", Box::new(|_| "rubbish".to_owned())),
    ];
    for (what, lie) in &lies {
        let browser = Browser::new(&server, public);
        let to = browser.start().await;
        *liar.token.lock().expect("a lock") = lie(&query(&to, "nonce"));
        let path = format!("/auth/oidc/callback?code=c&state={}", query(&to, "state"));
        let step = browser.get(&browser.api(&path)).await;
        assert_eq!(
            failure(&step.to.expect("an address")),
            "provider_unproven",
            "{what}"
        );
        assert!(browser.me().await.is_none(), "{what}");
    }
    // The truth lets in; what was asked for is what PKCE asks for.
    let enters = |key: EncodingKey, name: &'static str| {
        let (liar, server, claims) = (liar.clone(), &server, &claims);
        async move {
            let browser = Browser::new(server, public);
            let to = browser.start().await;
            assert_eq!(query(&to, "code_challenge_method"), "S256");
            let challenge = query(&to, "code_challenge");
            *liar.token.lock().expect("a lock") = signed(&key, name, &claims(&query(&to, "nonce")));
            let path = format!("/auth/oidc/callback?code=c&state={}", query(&to, "state"));
            browser.get(&browser.api(&path)).await;
            let form = liar.forms.lock().expect("a lock").pop().expect("a request");
            let digest = {
                use sha2::Digest;
                sha2::Sha256::digest(form["code_verifier"].as_bytes())
            };
            assert_eq!(URL_SAFE_NO_PAD.encode(digest), challenge);
            browser.me().await.is_some_and(|me| me["name"] == "admin")
        }
    };
    assert!(enters(first.clone(), "one").await);
    // The provider has new keys: they are fetched, though not with every lie.
    let (second, second_told) = key("new");
    *liar.keys.lock().expect("a lock") = json!({"keys": [second_told]});
    let end = Instant::now() + Duration::from_secs(60);
    while !enters(second.clone(), "new").await {
        assert!(Instant::now() < end, "the new key is not taken up");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    task.abort();
    let _ = server.stop().await;
}
