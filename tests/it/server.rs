//! A server inside the test, on a free port and a fresh data directory.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use call_analytics::app::{App, HttpsAddress};
use call_analytics::config::{Config, Overrides};
use call_analytics::erasure::Erasures;
use call_analytics::store::TokenKey;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::fixtures::{model, repository};

/// How a server is started.
pub(crate) struct Setup {
    /// The speech worker.
    pub(crate) worker: PathBuf,
    /// Recordings worked on at the same time.
    pub(crate) workers: usize,
    /// Largest file.
    pub(crate) max_upload_mb: u64,
    /// An idle speech worker ends after this.
    pub(crate) idle_unload_s: u64,
    /// Further sections of the configuration; without `[sftp]` there is no SFTP server.
    pub(crate) sections: String,
}

/// The section that starts no SFTP server, unless `sections` have one.
pub(crate) fn without_sftp(sections: &str) -> &'static str {
    if sections.contains("[sftp]") {
        ""
    } else {
        "[sftp]\nenabled = false\n"
    }
}

impl Setup {
    /// With the real speech worker.
    pub(crate) fn real() -> Self {
        Self {
            worker: PathBuf::from(env!("CARGO_BIN_EXE_call-analytics")),
            workers: 1,
            max_upload_mb: 100,
            idle_unload_s: 600,
            sections: String::new(),
        }
    }

    /// With a script that plays the speech worker: everything but the speech is real.
    pub(crate) fn scripted() -> Self {
        Self {
            worker: repository().join("tests/it/fake_worker.sh"),
            ..Self::real()
        }
    }
}

/// A running server and its administrator; it derefs to that client.
pub(crate) struct Server {
    /// `admin`, signed in.
    pub(crate) client: Client,
    /// The administrator's password.
    pub(crate) password: String,
    /// The key that tokens are signed with.
    pub(crate) token_key: TokenKey,
    /// Where HTTPS is served, where it is.
    pub(crate) https: Option<HttpsAddress>,
    /// What removes calls; weak, because the store must not stay open after the end.
    pub(crate) erasures: Weak<Erasures>,
    data: TempDir,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Server {
    /// Starts on a fresh data directory.
    pub(crate) async fn start(setup: &Setup) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        Self::start_in(data, None, setup).await
    }

    /// Starts on the data directory of a server that was stopped.
    pub(crate) async fn start_in(data: TempDir, password: Option<String>, setup: &Setup) -> Self {
        let config = data.path().join("config.toml");
        let text = format!(
            "max_upload_mb = {}\n[speech]\nworkers = {}\nthreads = 1\nidle_unload_s = {}\n{}{}",
            setup.max_upload_mb,
            setup.workers,
            setup.idle_unload_s,
            without_sftp(&setup.sections),
            setup.sections
        );
        std::fs::write(&config, text).expect("the config is written");
        let overrides = Overrides {
            config: Some(config),
            data_dir: Some(data.path().join("store")),
            listen: Some("127.0.0.1:0".to_owned()),
            model: Some(model().display().to_string()),
        };
        let config = Config::load(&overrides, |_| None).expect("a valid config");
        // Connections of a server that was stopped may hold the store for a moment.
        let end = Instant::now() + Duration::from_secs(5);
        let app = loop {
            match App::build(config.clone(), setup.worker.clone()).await {
                Ok(app) => break app,
                Err(error) if Instant::now() > end || !format!("{error:#}").contains("in use") => {
                    panic!("the server does not start: {error:#}")
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        let base = format!("http://{}", app.address());
        let password = match (password, app.first_password()) {
            (None, Some(password)) => password.to_owned(),
            (Some(password), None) => password,
            (known, made) => panic!("known password: {known:?}, made: {made:?}"),
        };
        let token_key = app.parts().store.token_keys().expect("the keys").remove(0);
        let https = app.https();
        let erasures = Arc::downgrade(&app.parts().erasures);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(app.run_until_stopped(async {
            let _ = stopped.await;
        }));
        let client = Client::login(&base, "admin", &password).await;
        Self {
            password: client.password.clone(),
            client,
            token_key,
            https,
            erasures,
            data,
            stop,
            task,
        }
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data.path().join("store")
    }

    /// Stops the server; returns its data directory and password.
    pub(crate) async fn stop(self) -> (TempDir, String) {
        self.stop.send(()).expect("the server runs");
        self.task.await.expect("the server ends").expect("well");
        (self.data, self.password)
    }

    /// Files below a directory of the data directory.
    pub(crate) fn files(&self, dir: &str) -> Vec<PathBuf> {
        files(&self.data_dir().join(dir))
    }
}

/// All files below a directory.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Waits until something is true.
pub(crate) async fn eventually(what: &str, seconds: u64, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !is() {
        assert!(Instant::now() < end, "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
