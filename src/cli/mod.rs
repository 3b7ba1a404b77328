//! The command line: what can be asked of the program, and who does it.

mod analyze;
mod audit;
mod employees;
mod erase;
mod import;
mod log;
mod model;
mod permissions;
mod score_stability;
mod serve;
mod sftp_user;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, InvalidConfig, Overrides};
use crate::speech;

/// Listens to every call, writes down who said what, and scores it by your own criteria.
///
/// Without a command it serves the page. Everything is kept in one data
/// directory; settings come from a file, the environment and these options, the
/// later ones winning.
#[derive(Parser)]
#[command(name = "call-analytics", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options of every command.
#[derive(Args, Clone)]
struct Common {
    /// Directory of the store, the models and the recordings [default: ./data]
    #[arg(
        long,
        value_name = "DIR",
        env = "CALL_ANALYTICS_DATA_DIR",
        global = true
    )]
    data_dir: Option<PathBuf>,
    /// File of settings [default: /etc/call-analytics/config.toml, where it exists]
    #[arg(
        long,
        value_name = "FILE",
        env = "CALL_ANALYTICS_CONFIG",
        global = true
    )]
    config: Option<PathBuf>,
    /// Speech model: a name of `model list` or a path [default: base-q8_0]
    #[arg(long, value_name = "NAME", env = "CALL_ANALYTICS_MODEL", global = true)]
    model: Option<String>,
}

#[derive(Args, Clone)]
struct ServeArgs {
    /// Address and port of the page and the API [default: 127.0.0.1:8001]
    #[arg(long, value_name = "ADDR:PORT", env = "CALL_ANALYTICS_LISTEN")]
    listen: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the page and the API (what happens without a command)
    Serve(ServeArgs),
    /// Transcribe and score files without a server
    Analyze(analyze::Arguments),
    /// Score one call several times and show how far the results lie apart
    ScoreStability(score_stability::Arguments),
    /// Bring an archive of recordings in; works while the server runs or not, and goes on where it stopped
    Import(import::Arguments),
    /// Read the settings and name every fault at once
    Check,
    /// Speech models: list, download, import, remove
    #[command(subcommand)]
    Model(model::Command),
    /// Accounts; works while the server runs or not
    #[command(subcommand)]
    User(user::Command),
    /// The directory of employees; works while the server runs or not
    #[command(subcommand)]
    Employees(employees::Command),
    /// Who may drop recordings over SFTP; works while the server runs or not
    #[command(subcommand)]
    SftpUser(sftp_user::Command),
    /// What was looked at and changed, by whom; works while the server runs or not
    #[command(subcommand)]
    Audit(audit::Command),
    /// Erase all calls of a client's phone number; works while the server runs or not
    Erase(erase::Arguments),
    /// Print the API's OpenAPI document
    Openapi,
    /// Print which role may call which operation of the API
    Permissions,
    /// Print the version and what this processor can do
    Version,
    /// The child process that runs the models (started by the server)
    #[command(hide = true)]
    SpeechWorker,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let missing = speech::cpu::missing_features();
    if !missing.is_empty()
        && !matches!(
            cli.command,
            Some(Command::Version | Command::Check | Command::Openapi | Command::Permissions)
        )
    {
        return fail(format!(
            "this processor cannot run call-analytics: it lacks {}; use one with AVX2, or build for this machine with './install.sh --native'",
            missing.join(", ")
        ));
    }
    let result = match cli.command {
        None => serve::run(&cli.common, &cli.serve),
        Some(Command::Serve(mut arguments)) => {
            arguments.listen = arguments.listen.or(cli.serve.listen);
            serve::run(&cli.common, &arguments)
        }
        Some(Command::Analyze(arguments)) => analyze::run(&cli.common, &arguments),
        Some(Command::ScoreStability(arguments)) => score_stability::run(&cli.common, &arguments),
        Some(Command::Import(arguments)) => import::run(&cli.common, &arguments),
        Some(Command::Check) => check(&cli.common),
        Some(Command::Model(command)) => model::run(&cli.common, command),
        Some(Command::User(command)) => user::run(&cli.common, command),
        Some(Command::Employees(command)) => employees::run(&cli.common, command),
        Some(Command::SftpUser(command)) => sftp_user::run(&cli.common, command),
        Some(Command::Audit(command)) => audit::run(&cli.common, command),
        Some(Command::Erase(arguments)) => erase::run(&cli.common, &arguments),
        Some(Command::Openapi) => {
            println!("{}", crate::api::openapi_document());
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Permissions) => permissions::run(),
        Some(Command::Version) => {
            println!("call-analytics {}", env!("CARGO_PKG_VERSION"));
            if missing.is_empty() {
                println!("processor: ok");
            } else {
                println!("processor: lacks {}", missing.join(", "));
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::SpeechWorker) => Ok(speech::worker::run()),
    };
    result.unwrap_or_else(|error| fail(format!("{error:#}")))
}

fn fail(message: String) -> ExitCode {
    eprintln!("call-analytics: {message}");
    ExitCode::FAILURE
}

impl Common {
    fn load(&self, listen: Option<&str>) -> Result<Config, InvalidConfig> {
        let overrides = Overrides {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            listen: listen.map(str::to_owned),
            model: self.model.clone(),
        };
        Config::load(&overrides, |name| std::env::var(name).ok())
    }
}

fn check(common: &Common) -> anyhow::Result<ExitCode> {
    let config = common.load(None)?;
    println!("The settings are valid.");
    println!("data directory: {}", config.data_dir.display());
    println!("listen: {}", config.listen);
    if config.sftp.enabled {
        println!("sftp: {}", config.sftp.listen);
    } else {
        println!("sftp: off");
    }
    if config.https.enabled {
        println!("https: {}", config.https.listen);
        for line in crate::https::check(&config.https)? {
            println!("https: {line}");
        }
    } else {
        println!("https: off");
    }
    for source in &config.pull {
        let (name, protocol) = (&source.name, source.protocol.name());
        println!(
            "pull: {name} from {protocol}://{}:{}",
            source.host, source.port
        );
    }
    println!(
        "speech: model {}, language {}, {} worker(s) of {} thread(s)",
        config.speech.model, config.speech.language, config.speech.workers, config.speech.threads
    );
    println!("processor: {}", speech::cpu::instructions());
    match crate::app::model_store(&config).resolve(&config.speech.model) {
        Ok(model) => println!("model file: {}", model.path.display()),
        Err(error) => {
            println!("model file: {error}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
