//! One TOML file, environment variables over it, command line over both;
//! validated whole at start, every fault named at once.

mod accounts;
mod http;
mod https;
mod keeping;
mod llm;
mod machine;
mod oidc;
mod outside;
mod pull;
mod sftp;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use crate::domain::language::LANGUAGES;
use crate::domain::{RawEndings, Source};

pub use accounts::{Accounts, FactorNeeded};
pub use http::{Http, ProxyHeader};
pub use https::{Acme, CertificateSource, Challenge, Https, Name};
pub use keeping::{Audit, Retention};
pub use llm::{Llm, Masking, Structured};
pub use oidc::Oidc;
pub(crate) use oidc::{is_protected, reach};
pub use outside::{CALLTOUCH_FIELDS, Calltouch, CalltouchSite, Mango, Names, Network, Secret};
pub use pull::{PullAfter, PullProtocol, PullSource};
pub use sftp::Sftp;

/// The file that is read when none is named, where it exists.
pub const DEFAULT_CONFIG: &str = "/etc/call-analytics/config.toml";
/// An example with every setting, embedded.
pub const EXAMPLE: &str = include_str!("../assets/config.example.toml");

/// All settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Directory of the store, the models and all files.
    pub data_dir: PathBuf,
    /// Address the page and the API are served at.
    pub listen: SocketAddr,
    /// Filter of the log, in the form of tracing's `EnvFilter`.
    pub log: String,
    /// Largest file taken in, in bytes.
    pub max_upload_bytes: u64,
    /// Connections, and proxies in front.
    pub http: Http,
    /// HTTPS.
    pub https: Https,
    /// Signing in at an identity provider.
    pub oidc: Oidc,
    /// Recognition.
    pub speech: Speech,
    /// Scoring.
    pub scoring: Scoring,
    /// The doors that recordings come by.
    pub sources: Sources,
    /// Names that stand for sound without a header.
    pub raw: RawEndings,
    /// Names of files.
    pub names: Names,
    /// MANGO OFFICE.
    pub mango: Mango,
    /// Calltouch.
    pub calltouch: Calltouch,
    /// The SFTP server.
    pub sftp: Sftp,
    /// Accounts of the page.
    pub accounts: Accounts,
    /// The language model.
    pub llm: Llm,
    /// Servers that recordings are pulled from.
    pub pull: Vec<PullSource>,
    /// The audit.
    pub audit: Audit,
    /// How long calls are kept.
    pub retention: Retention,
}

/// What is known of recordings by the door they come by.
#[derive(Debug, Clone, PartialEq)]
pub struct Sources {
    /// In the order of [`Source::ALL`].
    settings: [SourceSettings; Source::ALL.len()],
}

/// What is known of the recordings of one source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceSettings {
    /// Which channel of a stereo recording is the operator's.
    pub operator_channel: OperatorChannel,
}

impl Sources {
    /// What is known of recordings from `source`.
    pub fn of(&self, source: Source) -> &SourceSettings {
        &self.settings[source as usize]
    }
}

/// Settings of recognition.
#[derive(Debug, Clone, PartialEq)]
pub struct Speech {
    /// Name of a model in the models directory, or path of a ggml file.
    pub model: String,
    /// ISO 639-1 code or `auto`.
    pub language: String,
    /// Recordings worked on at the same time.
    pub workers: usize,
    /// Threads of a worker that works alone; several at once share them.
    pub threads: usize,
    /// Which channel of a stereo call is the operator's.
    pub operator_channel: OperatorChannel,
    /// A worker without work gives its model's memory back after this many seconds.
    pub idle_unload_s: u64,
    /// The team's own words, to which recognition is biased.
    pub vocabulary: Vec<String>,
    /// Text that recognition begins with; empty for none.
    pub prompt: String,
}

/// Most words in [`Speech::vocabulary`], and in [`Speech::prompt`].
pub const MAX_BIAS_WORDS: usize = 200;

/// Which channel of a stereo call is the operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorChannel {
    /// Found from what is said.
    Auto,
    /// The first.
    Left,
    /// The second.
    Right,
}

/// Settings of scoring.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scoring {
    /// A team's own scorecard; `None` is the built-in one.
    pub scorecard: Option<PathBuf>,
}

/// What the command line says; it wins over file and environment.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--model`.
    pub model: Option<String>,
}

/// Every fault found, each with its place.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has faults:\n{}", faults.join("\n"))]
pub struct InvalidConfig {
    /// One line a fault.
    pub faults: Vec<String>,
}

impl Config {
    /// Reads the file (the named one, else the default one where it exists),
    /// then `env` (variable name → value), then the overrides.
    pub fn load(
        overrides: &Overrides,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidConfig> {
        let mut faults = Vec::new();
        let named = overrides
            .config
            .clone()
            .or_else(|| env("CALL_ANALYTICS_CONFIG").map(PathBuf::from));
        let path = named.clone().or_else(|| {
            let default = PathBuf::from(DEFAULT_CONFIG);
            default.exists().then_some(default)
        });
        let table = match &path {
            None => Table::new(),
            Some(path) => match read(path) {
                Ok(table) => table,
                Err(fault) => {
                    faults.push(fault);
                    Table::new()
                }
            },
        };
        let config = Self::from_table(table, overrides, &env, &mut faults);
        if faults.is_empty() {
            Ok(config)
        } else {
            Err(InvalidConfig { faults })
        }
    }

    fn from_table(
        mut table: Table,
        overrides: &Overrides,
        env: &impl Fn(&str) -> Option<String>,
        faults: &mut Vec<String>,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut speech = section(&mut table, "speech", faults);
        let http = http::read(section(&mut table, "http", faults), faults);
        let https = section(&mut table, "https", faults);
        let https = https::read(https, env("CALL_ANALYTICS_HTTPS_LISTEN"), faults);
        let oidc = oidc::read(section(&mut table, "oidc", faults), env, faults);
        let mut scoring = section(&mut table, "scoring", faults);
        let sources = section(&mut table, "sources", faults);
        let raw = raw_of(section(&mut table, "raw", faults), faults);
        let names = outside::names(section(&mut table, "names", faults), faults);
        let mango = outside::mango(section(&mut table, "mango", faults), env, faults);
        let calltouch = outside::calltouch(section(&mut table, "calltouch", faults), env, faults);
        let sftp = section(&mut table, "sftp", faults);
        let sftp = sftp::read(sftp, env("CALL_ANALYTICS_SFTP_LISTEN"), faults);
        let llm = llm::read(section(&mut table, "llm", faults), env, faults);
        let accounts = accounts::read(section(&mut table, "accounts", faults), faults);
        let pull = pull::read(section(&mut table, "pull", faults), env, faults);
        let audit = keeping::audit(section(&mut table, "audit", faults), faults);
        let retention = keeping::retention(section(&mut table, "retention", faults), faults);
        let mut root = Section {
            name: "",
            table,
            faults,
        };
        let data_dir = overrides
            .data_dir
            .clone()
            .or_else(|| env("CALL_ANALYTICS_DATA_DIR").map(PathBuf::from));
        let data_dir_file: String = root.take("data_dir", "./data".to_owned());
        let data_dir = data_dir.unwrap_or_else(|| PathBuf::from(data_dir_file));
        let listen_file: String = root.take("listen", "127.0.0.1:8001".to_owned());
        let listen = overrides
            .listen
            .clone()
            .or_else(|| env("CALL_ANALYTICS_LISTEN"))
            .unwrap_or(listen_file);
        let listen = listen.parse().unwrap_or_else(|_| {
            root.fault(
                "listen",
                &format!("{listen:?} is not an address and port such as 127.0.0.1:8001"),
            );
            SocketAddr::from(([127, 0, 0, 1], 8001))
        });
        let log_file: String = root.take("log", "info".to_owned());
        let log = env("CALL_ANALYTICS_LOG").unwrap_or(log_file);
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&log) {
            root.fault("log", &format!("{log:?} is not a filter: {error}"));
        }
        let max_upload_mb: u64 = root.take("max_upload_mb", 500);
        if !(1..=100_000).contains(&max_upload_mb) {
            root.fault("max_upload_mb", "is from 1 to 100000");
        }
        root.finish();

        let mut section = Section {
            name: "speech.",
            table: std::mem::take(&mut speech),
            faults,
        };
        let model_file: String = section.take("model", "base-q8_0".to_owned());
        let model = overrides
            .model
            .clone()
            .or_else(|| env("CALL_ANALYTICS_MODEL"))
            .unwrap_or(model_file);
        let language: String = section.take("language", "ru".to_owned());
        if !valid_language(&language) {
            section.fault(
                "language",
                "is the code of a language that Whisper knows, such as \"ru\", or \"auto\"",
            );
        }
        let file = [data_dir.join("models").join(format!("ggml-{model}.bin"))]
            .into_iter()
            .chain([PathBuf::from(&model)])
            .find_map(|path| std::fs::metadata(path).ok());
        let room = machine::workers(cores, machine::memory(), file.map(|file| file.len()));
        let workers: usize = section.take("workers", room);
        let threads: usize = section.take("threads", cores.clamp(1, 4));
        for (key, value) in [("workers", workers), ("threads", threads)] {
            if !(1..=256).contains(&value) {
                section.fault(key, "is from 1 to 256");
            }
        }
        let vocabulary = vocabulary(&mut section);
        let prompt: String = section.take("prompt", String::new());
        if let Some(what) = bias_fault(&prompt) {
            section.fault("prompt", &what);
        }
        let speech = Speech {
            model,
            language,
            workers,
            threads,
            operator_channel: section.take("operator_channel", OperatorChannel::Auto),
            idle_unload_s: section.take("idle_unload_s", 600),
            vocabulary,
            prompt: prompt.trim().to_owned(),
        };
        section.finish();

        let sources = sources_of(sources, speech.operator_channel, faults);

        let mut section = Section {
            name: "scoring.",
            table: std::mem::take(&mut scoring),
            faults,
        };
        let scorecard: Option<String> = section.take("scorecard", None);
        section.finish();
        let scorecard = scorecard.map(PathBuf::from);
        if let Some(path) = &scorecard {
            match std::fs::read_to_string(path) {
                Err(error) => {
                    faults.push(format!("scoring.scorecard: {}: {error}", path.display()))
                }
                Ok(text) => {
                    if let Err(invalid) = crate::domain::scorecard_toml::parse(&text, 0) {
                        faults.extend(
                            invalid
                                .faults
                                .iter()
                                .map(|fault| format!("{}: {fault}", path.display())),
                        );
                    }
                }
            }
        }
        Self {
            data_dir,
            listen,
            log,
            max_upload_bytes: max_upload_mb.saturating_mul(1024 * 1024),
            http,
            https,
            oidc,
            speech,
            scoring: Scoring { scorecard },
            sources,
            raw,
            names,
            mango,
            calltouch,
            sftp,
            accounts,
            llm,
            pull,
            audit,
            retention,
        }
    }

    /// Directory of the speech models.
    pub fn models_dir(&self) -> PathBuf {
        self.data_dir.join("models")
    }
}

/// `general` holds where a source says nothing of its own.
fn sources_of(mut table: Table, general: OperatorChannel, faults: &mut Vec<String>) -> Sources {
    let settings = Source::ALL.map(|source| {
        let mut own = Section {
            name: match source {
                Source::Upload => "sources.upload.",
                Source::Sftp => "sources.sftp.",
                Source::Pull => "sources.pull.",
                Source::Import => "sources.import.",
                Source::Mango => "sources.mango.",
                Source::Calltouch => "sources.calltouch.",
            },
            table: section(&mut table, source.name(), faults),
            faults,
        };
        let operator_channel = match own.take("operator_channel", OperatorChannel::Auto) {
            OperatorChannel::Auto => general,
            channel => channel,
        };
        own.finish();
        SourceSettings { operator_channel }
    });
    for key in table.keys() {
        faults.push(format!("sources.{key}: there is no such source"));
    }
    Sources { settings }
}

/// The usual endings, with what the section says of them and of others.
fn raw_of(table: Table, faults: &mut Vec<String>) -> RawEndings {
    let mut endings = RawEndings::default();
    for (ending, value) in table {
        match value.as_str() {
            Some("off") => endings.set(&ending, None),
            Some(text) => match text.parse() {
                Ok(format) => endings.set(&ending, Some(format)),
                Err(fault) => faults.push(format!("raw.{ending}: {fault}")),
            },
            None => faults.push(format!(
                "raw.{ending}: is a text such as \"mulaw 8000 1\", or \"off\""
            )),
        }
    }
    endings
}

/// True for `auto` and for the code of a language that Whisper knows.
pub fn valid_language(language: &str) -> bool {
    language == "auto" || LANGUAGES.contains(&language)
}

fn vocabulary(section: &mut Section) -> Vec<String> {
    let words: Vec<String> = section.take("vocabulary", Vec::new());
    let words: Vec<String> = words.iter().map(|word| word.trim().to_owned()).collect();
    if words.iter().any(String::is_empty) {
        section.fault("vocabulary", "has an empty word");
    }
    if let Some(what) = bias_fault(&words.join(" ")) {
        section.fault("vocabulary", &what);
    }
    words
}

/// What is wrong with text that recognition is biased to.
fn bias_fault(text: &str) -> Option<String> {
    let words = text.split_whitespace().count();
    if words > MAX_BIAS_WORDS {
        return Some(format!(
            "has {words} words; at most {MAX_BIAS_WORDS} help, more push each other out"
        ));
    }
    text.chars()
        .any(|c| c.is_control() && !c.is_whitespace())
        .then(|| "has a character that cannot be written".to_owned())
}

fn read(path: &Path) -> Result<Table, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.parse::<Table>()
        .map_err(|error| format!("{}: {}", path.display(), error.to_string().trim_end()))
}

fn section(table: &mut Table, name: &str, faults: &mut Vec<String>) -> Table {
    match table.remove(name) {
        None => Table::new(),
        Some(Value::Table(table)) => table,
        Some(_) => {
            faults.push(format!("{name}: is a section: write [{name}]"));
            Table::new()
        }
    }
}

struct Section<'a> {
    name: &'static str,
    table: Table,
    faults: &'a mut Vec<String>,
}

impl Section<'_> {
    fn fault(&mut self, key: &str, what: &str) {
        self.faults.push(format!("{}{key}: {what}", self.name));
    }

    fn take<T: serde::de::DeserializeOwned>(&mut self, key: &str, default: T) -> T {
        match self.table.remove(key) {
            None => default,
            Some(value) => value.try_into().unwrap_or_else(|error: toml::de::Error| {
                let what = error.to_string();
                self.fault(key, what.trim_end());
                default
            }),
        }
    }

    fn finish(self) {
        for key in self.table.keys() {
            self.faults
                .push(format!("{}{key}: there is no such setting", self.name));
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
