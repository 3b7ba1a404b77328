//! The real program as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::fixtures::model;
use crate::server::without_sftp;

/// The program with a clean environment.
pub(crate) fn program(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_call-analytics"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CALL_ANALYTICS_") {
            command.env_remove(name);
        }
    }
    command
        .env("CALL_ANALYTICS_CONFIG", "/dev/null")
        .env("CALL_ANALYTICS_DATA_DIR", data_dir)
        .stdin(Stdio::null());
    command
}

/// Output of a command; `input` goes to its standard input.
pub(crate) fn output(command: &mut Command, input: Option<&str>) -> Output {
    let Some(input) = input else {
        return command.output().expect("the program starts");
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Dropped at once, so that the program sees the end.
    let written = child
        .stdin
        .take()
        .expect("its input")
        .write_all(input.as_bytes());
    let output = child.wait_with_output().expect("its output");
    if let Err(error) = written {
        assert!(!output.status.success(), "the input is not read: {error}");
    }
    output
}

/// Standard output and error of a command as one text.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A server that runs as a process. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    /// `http://ADDRESS`.
    pub(crate) base: String,
    /// Password of `admin`, when this start made it.
    pub(crate) first_password: Option<String>,
    /// What it printed until it served.
    pub(crate) said: String,
    log: PathBuf,
}

impl Process {
    /// Starts `serve` with one worker and waits until it serves.
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_with_model(data_dir, &model())
    }

    /// The same with a model of its own.
    pub(crate) fn start_with_model(data_dir: &Path, model: &Path) -> Self {
        Self::start_with(data_dir, model, "")
    }

    /// The same with further sections of the configuration.
    pub(crate) fn start_with(data_dir: &Path, model: &Path, sections: &str) -> Self {
        Self::start_in(data_dir, model, sections, &[])
    }

    /// The same with further variables of the environment.
    pub(crate) fn start_in(
        data_dir: &Path,
        model: &Path,
        sections: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let config = data_dir.with_extension("toml");
        let sftp = without_sftp(sections);
        let text = format!("[speech]\nworkers = 1\nthreads = 1\n{sftp}{sections}");
        std::fs::write(&config, text).expect("a config");
        let log = data_dir.with_extension("log");
        let stderr = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log");
        let mut child = program(data_dir)
            .env("CALL_ANALYTICS_CONFIG", &config)
            .env("CALL_ANALYTICS_LISTEN", "127.0.0.1:0")
            .env("CALL_ANALYTICS_MODEL", model)
            .envs(variables.iter().copied())
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("its output");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut process = Self {
            child,
            base: String::new(),
            first_password: None,
            said: String::new(),
            log,
        };
        while process.base.is_empty() {
            let line = lines
                .recv_timeout(Duration::from_secs(30))
                .unwrap_or_else(|error| panic!("it does not serve ({error}): {}", process.log()));
            process.said += &line;
            process.said.push('\n');
            if let Some((_, password)) = line.split_once("'admin' was made with the password ") {
                process.first_password = Some(password.trim().to_owned());
            }
            if let Some(at) = line.find("http://") {
                process.base = line[at..].trim().to_owned();
            }
        }
        process
    }

    /// Its administrator.
    pub(crate) async fn admin(&self, password: &str) -> Client {
        Client::login(&self.base, "admin", password).await
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its speech workers.
    pub(crate) fn workers(&self) -> Vec<u32> {
        speech_workers(self.child.id())
    }

    /// `kill -9`; returns when it is dead.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// `kill -TERM`; returns how and how fast it ended.
    pub(crate) fn terminate(mut self) -> (ExitStatus, Duration) {
        signal("-TERM", self.child.id());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return (status, begun.elapsed());
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "it does not end: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the server:\n{}", self.log());
        }
    }
}

/// Sends a signal.
pub(crate) fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").arg(name).arg(pid.to_string()).status();
    assert!(status.expect("kill starts").success(), "kill {name} {pid}");
}

/// Processes whose parent is `parent` and that are speech workers.
pub(crate) fn speech_workers(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // A process may end between the look at the directory and the look at it.
        let read =
            |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        // "pid (name) state ppid …"
        let stat = read("stat");
        let fields: Vec<&str> = stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .split(' ')
            .collect();
        let is_child = fields.get(1).and_then(|ppid| ppid.parse().ok()) == Some(parent);
        if is_child && fields.first() != Some(&"Z") && read("cmdline").contains("speech-worker") {
            found.push(pid);
        }
    }
    found
}

/// True while a process is there and no zombie.
pub(crate) fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .starts_with('Z')
    })
}
