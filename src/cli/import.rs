//! `call-analytics import PATH…`: an old archive goes through the door that all
//! recordings come by, into the server that runs or into a store that waits.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Common;
use super::serve::own_executable;
use crate::app::ArchiveDoor;
use crate::config::Config;
use crate::control::import::{Archive, Remote, Taken};
use crate::domain::directory::Directory;
use crate::intake::names::Names;
use crate::intake::pull::is_recording;
use crate::store::{Store, StoreError};

/// What to bring in.
#[derive(Args)]
pub(super) struct Arguments {
    /// Files and directories; directories are walked, links in them are left alone
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Only show what the names tell
    #[arg(long)]
    dry_run: bool,
    /// Print JSON: the summary, or with --dry-run one value a file
    #[arg(long)]
    json: bool,
}

/// What became of the archive.
#[derive(Default, Serialize)]
struct Summary {
    /// Files that were looked at.
    files: u64,
    new: u64,
    /// Content that was here already.
    known: u64,
    /// Files that are no recordings.
    other: u64,
    failed: u64,
    /// Bytes that were sent.
    sent_bytes: u64,
    others: Vec<String>,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
struct Failure {
    file: String,
    code: String,
    message: String,
}

/// What a name tells.
#[derive(Serialize)]
struct Name {
    file: String,
    size_bytes: u64,
    recording: bool,
    pattern: Option<String>,
    started_at: Option<String>,
    direction: Option<crate::domain::call::Direction>,
    caller: Option<String>,
    called: Option<String>,
    operator: Option<String>,
}

/// Where the files go.
enum Door {
    /// The server that runs.
    Server(Remote),
    /// The store, which nobody else has open.
    Store(ArchiveDoor),
}

impl Door {
    fn open(config: &Config) -> anyhow::Result<Self> {
        match Store::open(&config.data_dir) {
            Ok(store) => {
                crate::control::record_command(&store, &crate::control::Command::Import)?;
                let door = ArchiveDoor::without_server(config, store, own_executable()?)?;
                Ok(Door::Store(door))
            }
            Err(StoreError::InUse { .. }) => Ok(Door::Server(Remote::connect(&config.data_dir)?)),
            Err(error) => Err(error.into()),
        }
    }

    fn known(&mut self, sha256: &str) -> anyhow::Result<Option<String>> {
        match self {
            Door::Server(server) => Ok(server.known(sha256)?),
            Door::Store(store) => store.known(sha256).map_err(anyhow::Error::msg),
        }
    }

    fn take(&mut self, name: &str, size: u64, file: &mut File) -> anyhow::Result<Taken> {
        match self {
            Door::Server(server) => Ok(server.take(name, size, file)?),
            Door::Store(store) => Ok(store.take(name, size, &mut file.take(size))),
        }
    }
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = common.load(None)?;
    let mut files = Vec::new();
    let mut summary = Summary::default();
    for path in &arguments.paths {
        // What is named is followed, also where it is a link.
        match std::fs::metadata(path) {
            Ok(about) if about.is_dir() => walk(path, &mut files, &mut summary),
            Ok(about) if about.is_file() => files.push((path.clone(), about.len())),
            Ok(_) => summary.fails(path, "not_a_file", &"neither a file nor a directory"),
            Err(error) => summary.fails(path, "unreadable", &error),
        }
    }
    files.sort();
    files.dedup();
    summary.files = files.len() as u64;
    if arguments.dry_run {
        show_names(&config, &files, arguments.json)?;
    } else {
        bring_in(&config, &files, &mut summary)?;
    }
    if !arguments.dry_run && arguments.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        print(&summary, arguments.dry_run);
    }
    Ok(if summary.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The files of a directory and of those in it.
fn walk(dir: &Path, files: &mut Vec<(PathBuf, u64)>, summary: &mut Summary) {
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) => {
                summary.fails(&dir, "unreadable", &error);
                continue;
            }
        };
        for entry in entries {
            let about = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)));
            match about {
                Ok((path, about)) if about.is_dir() => dirs.push(path),
                Ok((path, about)) if about.is_file() => files.push((path, about.len())),
                // Links, sockets and the like.
                Ok(_) => {}
                Err(error) => summary.fails(&dir, "unreadable", &error),
            }
        }
    }
}

fn bring_in(
    config: &Config,
    files: &[(PathBuf, u64)],
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let mut door = Door::open(config)?;
    let total = files.iter().map(|(_, size)| size).sum();
    // Drawn on a terminal only, on standard error.
    let bar = ProgressBar::new(total).with_style(
        ProgressStyle::with_template(
            "[{bar:40}] {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} {wide_msg}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    for (path, size) in files {
        let name = file_name(path);
        bar.set_message(name.clone());
        let before = bar.position();
        if is_recording(&name, &config.raw) {
            one(&mut door, path, &name, *size, &bar, summary)?;
        } else {
            summary.is_other(path);
        }
        bar.set_position(before + size);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Brings one file in. Only what stops the others as well is an error.
fn one(
    door: &mut Door,
    path: &Path,
    name: &str,
    size: u64,
    bar: &ProgressBar,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let hashed = File::open(path).and_then(|mut file| {
        let hash = hash(&mut file, bar)?;
        file.rewind()?;
        Ok((file, hash))
    });
    let (mut file, sha256) = match hashed {
        Ok(hashed) => hashed,
        Err(error) => {
            summary.fails(path, "unreadable", &error);
            return Ok(());
        }
    };
    if door.known(&sha256)?.is_some() {
        summary.known += 1;
        return Ok(());
    }
    let taken = door.take(name, size, &mut file)?;
    summary.sent_bytes += size;
    match taken {
        Taken::New(_) => summary.new += 1,
        Taken::Known(_) => summary.known += 1,
        Taken::Other => summary.is_other(path),
        Taken::Refused { code, message } => summary.fails(path, &code, &message),
        Taken::Failed(message) => summary.fails(path, "failed", &message),
    }
    Ok(())
}

fn hash(file: &mut File, bar: &ProgressBar) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => {
                hash.update(&buffer[..read]);
                bar.inc(read as u64);
            }
        }
    }
    let bytes = hash.finalize();
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn show_names(config: &Config, files: &[(PathBuf, u64)], json: bool) -> anyhow::Result<()> {
    let names = Names::new(&config.names)?;
    let nobody = Directory::default();
    for (path, size_bytes) in files {
        let file = file_name(path);
        let facts = names.read(&file, &nobody);
        let number =
            |number: Option<crate::domain::phone::Number>| number.map(|number| number.text);
        let name = Name {
            recording: is_recording(&file, &config.raw),
            file: path.display().to_string(),
            size_bytes: *size_bytes,
            pattern: facts.pattern,
            started_at: facts.started_at.map(|at| at.to_string()),
            direction: facts.direction,
            caller: number(facts.details.caller),
            called: number(facts.details.called),
            operator: facts.details.operator_name,
        };
        if json {
            println!("{}", serde_json::to_string(&name)?);
            continue;
        }
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        println!(
            "{}\t{}\t{} → {}\t{}",
            if name.recording {
                name.file.clone()
            } else {
                format!("({})", name.file)
            },
            or_dash(&name.started_at),
            or_dash(&name.caller),
            or_dash(&name.called),
            or_dash(&name.operator),
        );
    }
    Ok(())
}

fn print(summary: &Summary, dry_run: bool) {
    if !dry_run {
        println!(
            "files: {}, new: {}, known: {}, no recordings: {}, failed: {}",
            summary.files, summary.new, summary.known, summary.other, summary.failed
        );
    }
    for other in &summary.others {
        println!("no recording: {other}");
    }
    for failure in &summary.failures {
        eprintln!("call-analytics: {}: {}", failure.file, failure.message);
    }
}

impl Summary {
    fn is_other(&mut self, path: &Path) {
        self.other += 1;
        self.others.push(path.display().to_string());
    }

    fn fails(&mut self, path: &Path, code: &str, why: &dyn std::fmt::Display) {
        self.failed += 1;
        self.failures.push(Failure {
            file: path.display().to_string(),
            code: code.to_owned(),
            message: why.to_string(),
        });
    }
}
