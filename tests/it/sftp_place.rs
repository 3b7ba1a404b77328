//! An SFTP server inside the test, a sender with a key and a password, and the
//! real clients that drop files there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use call_analytics::config::{Config, Overrides};
use call_analytics::sftp::users::{self, Change, Password};
use call_analytics::sftp::{End, Server, Watch};
use call_analytics::store::Store;
use tempfile::TempDir;

/// The sender.
pub(crate) const USER: &str = "mango";
/// His password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Everything that the watch was told.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<String>>);

impl Told {
    fn add(&self, text: String) {
        self.0.lock().expect("told").push(text);
    }

    /// So far, and forgets it.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("told"))
    }

    /// True when this was told.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.0.lock().expect("told").iter().any(|told| told == text)
    }
}

impl Watch for Told {
    fn opened(&self, _: &str, path: &Path) {
        self.add(format!("opened {}", path.display()));
    }

    fn closed(&self, _: &str, path: &Path, end: End) {
        self.add(format!("closed {} {end:?}", path.display()));
    }

    fn renamed(&self, _: &str, from: &Path, to: &Path) {
        self.add(format!("renamed {} {}", from.display(), to.display()));
    }

    fn removed(&self, _: &str, path: &Path) {
        self.add(format!("removed {}", path.display()));
    }
}

/// A server, its sender, and a directory of the client's.
pub(crate) struct Place {
    dir: TempDir,
    /// The store behind the server.
    pub(crate) store: Arc<Store>,
    /// The server.
    pub(crate) server: Server,
    /// What its watch was told.
    pub(crate) told: Arc<Told>,
}

impl Place {
    /// With the usual settings.
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// With more lines in `[sftp]`.
    pub(crate) fn with(settings: &str) -> Self {
        Self::on(tempfile::tempdir().expect("a directory"), settings)
    }

    /// In a directory of choice.
    pub(crate) fn on(dir: TempDir, settings: &str) -> Self {
        let file = dir.path().join("config.toml");
        // Several tests knock from the same address at the same time.
        let text = format!("[sftp]\nlisten = \"127.0.0.1:0\"\nkeep_free_mb = 1\n{settings}\n");
        std::fs::write(&file, text).expect("the config is written");
        let overrides = Overrides {
            config: Some(file),
            data_dir: Some(dir.path().join("data")),
            ..Overrides::default()
        };
        let config = Config::load(&overrides, |_| None).expect("a valid config");
        let store = Arc::new(Store::open(&config.data_dir).expect("a store"));
        let key = dir.path().join("key");
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key));
        let line = std::fs::read_to_string(key.with_extension("pub")).expect("a key");
        let new = Change {
            password: Some(Password::Given(PASSWORD.to_owned())),
            keys: Some(vec![
                call_analytics::domain::SenderKey::parse(&line).expect("a key"),
            ]),
            ..Change::default()
        };
        users::add(&store, USER, new).expect("a sender");
        let told = Arc::new(Told::default());
        let server = Server::bind(&config, Arc::clone(&store), told.clone()).expect("a server");
        std::fs::create_dir(dir.path().join("client")).expect("a directory");
        Self {
            dir,
            store,
            server,
            told,
        }
    }

    /// Port of the server.
    pub(crate) fn port(&self) -> u16 {
        self.server.local_addr().port()
    }

    /// The client's directory.
    pub(crate) fn client(&self, name: &str) -> PathBuf {
        self.dir.path().join("client").join(name)
    }

    /// The sender's folder.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.server.folders().path(USER).join(name)
    }

    /// The sender's key.
    pub(crate) fn key(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    /// A program that works in the client's directory.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(self.client("")).stdin(Stdio::null());
        command
    }

    /// Options of OpenSSH's clients but for the port.
    pub(crate) fn options(&self) -> Vec<String> {
        let mut options = vec!["-F".into(), "/dev/null".into(), "-i".into()];
        options.push(self.key().display().to_string());
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            "LogLevel=ERROR",
        ] {
            options.extend(["-o".into(), option.into()]);
        }
        options
    }

    /// `sftp` with a batch; its output.
    pub(crate) fn sftp(&self, batch: &str) -> Output {
        self.sftp_with(batch, &[])
    }

    /// The same with more options.
    pub(crate) fn sftp_with(&self, batch: &str, options: &[&str]) -> Output {
        let file = self.client("batch");
        std::fs::write(&file, batch).expect("a batch");
        let mut command = self.program("sftp");
        command
            .args(self.options())
            .args(options)
            .args(["-P", &self.port().to_string(), "-b"])
            .arg(&file)
            .arg(format!("{USER}@127.0.0.1"));
        output(&mut command)
    }
}

/// Output of a program that has to be installed.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        panic!(
            "{} cannot be run ({error}); the tests need the Debian packages openssh-client, openssh-server, lftp, rclone, curl, python3-paramiko",
            command.get_program().display()
        )
    })
}

/// Runs a program that shall succeed; returns what it says.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = output(command);
    succeeded(&output)
}

/// What a program says that shall have succeeded.
#[track_caller]
pub(crate) fn succeeded(output: &Output) -> String {
    let text = crate::process::text(output);
    assert!(output.status.success(), "{text}");
    text
}
