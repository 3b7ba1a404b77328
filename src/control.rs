//! The control socket: how the command line reaches a server that runs, because
//! the store belongs to one process. A Unix socket in the data directory that
//! only its owner can open; one JSON value a line each way.

pub mod audit;
mod audited;
pub mod erase;
pub mod import;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::accounts::{self, UserCommand};
use crate::domain::employees_csv;
use crate::sftp::users::{self, SenderCommand};
use crate::store::{Store, StoreError};
use audit::AuditCommand;
use erase::{Erase, EraseCommand};
use import::Archive;

/// Longest command in bytes.
const MAX_COMMAND: u64 = 16 << 20;
/// The command line waits this long for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the command line asks for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Of the accounts of the page.
    User(UserCommand),
    /// Of the senders over SFTP.
    Sender(SenderCommand),
    /// Of the directory of employees.
    Employees(EmployeesCommand),
    /// Take in an archive: [`import`] goes on from there.
    Import,
    /// Of the audit.
    Audit(AuditCommand),
    /// Erase what is kept of a phone number.
    Erase(EraseCommand),
}

/// What can be done with the directory of employees.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmployeesCommand {
    /// Take in the bytes of a CSV file.
    Import(Vec<u8>),
    /// List them.
    List,
}

/// Called with the name of a sender whose connections shall end.
pub type Ended = dyn Fn(&str) + Send + Sync;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Done(String),
    Failed(String),
}

/// The command could not be done; the text says why.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Refused by the rules for accounts or by the store.
    #[error("{0}")]
    Refused(String),
    /// The running server cannot be reached.
    #[error(
        "the store is in use by a running server whose control socket {} cannot be reached: {source}",
        path.display()
    )]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

/// Opens the socket; one that an earlier process left behind is replaced.
pub fn bind(data_dir: &Path) -> std::io::Result<UnixListener> {
    let path = socket_path(data_dir);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers commands until the task is dropped.
pub async fn serve(
    listener: UnixListener,
    store: Arc<Store>,
    ended: Arc<Ended>,
    archive: Arc<dyn Archive>,
    erase: Arc<dyn Erase>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (store, ended) = (Arc::clone(&store), Arc::clone(&ended));
                let (archive, erase) = (Arc::clone(&archive), Arc::clone(&erase));
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, store, ended, archive, erase).await {
                        tracing::debug!(%error, "a control connection broke");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket cannot accept");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(
    stream: UnixStream,
    store: Arc<Store>,
    ended: Arc<Ended>,
    archive: Arc<dyn Archive>,
    erase: Arc<dyn Erase>,
) -> std::io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = tokio::io::BufReader::new(read.take(MAX_COMMAND));
    read.read_line(&mut line).await?;
    let reply = match serde_json::from_str::<Command>(&line) {
        Ok(command @ Command::Import) => {
            let entry = audited::entry(&command, uid);
            let recorded =
                move |store: &Store| audited::record(store, None, entry, &Ok::<_, String>(()));
            if let Err(error) = store.run(recorded).await {
                let reply = Reply::Failed(error.to_string());
                return write.write_all(&line_of(&reply)?).await;
            }
            // The other side waits for this answer: nothing more is in the buffer.
            write
                .write_all(&line_of(&Reply::Done(String::new()))?)
                .await?;
            let stream = read.into_inner().into_inner().reunite(write);
            let stream = stream.map_err(std::io::Error::other)?.into_std()?;
            // A thread that is not waited for when the server stops.
            std::thread::Builder::new()
                .name("import".to_owned())
                .spawn(move || {
                    if let Err(error) = import::answer(stream, &archive) {
                        tracing::debug!(%error, "an archive on its way in broke off");
                    }
                })?;
            return Ok(());
        }
        Err(error) => Reply::Failed(format!("the command is not understood: {error}")),
        Ok(command) => {
            let done = tokio::task::spawn_blocking(move || {
                obey(&store, command, uid, &*ended, Some(&*erase))
            })
            .await;
            match done {
                Ok(Ok(text)) => Reply::Done(text),
                Ok(Err(reason)) => Reply::Failed(reason),
                Err(error) => Reply::Failed(error.to_string()),
            }
        }
    };
    write.write_all(&line_of(&reply)?).await
}

fn line_of(reply: &Reply) -> std::io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(reply)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Does the command and writes into the audit that user `uid` of the system asked for
/// it; returns what to print, or why it was refused.
fn obey(
    store: &Store,
    command: Command,
    uid: u32,
    ended: &dyn Fn(&str),
    erase: Option<&dyn Erase>,
) -> Result<String, String> {
    let unwritten = |error| format!("the audit cannot be written: {error}");
    let entry = audited::entry(&command, uid);
    let begun = audited::begin(store, entry.as_ref()).map_err(unwritten)?;
    let done = match (command, erase) {
        (Command::Erase(command), Some(erase)) => erase::execute(erase, &command, uid),
        (command, _) => carry_out(store, command, ended),
    };
    audited::record(store, begun, entry, &done).map_err(unwritten)?;
    done
}

fn carry_out(store: &Store, command: Command, ended: &dyn Fn(&str)) -> Result<String, String> {
    match command {
        Command::Audit(command) => audit::execute(store, &command),
        Command::User(command) => {
            accounts::execute(store, command).map_err(|error| error.to_string())
        }
        Command::Sender(command) => {
            users::execute(store, command, ended).map_err(|error| error.to_string())
        }
        Command::Employees(EmployeesCommand::Import(bytes)) => {
            let employees = employees_csv::parse(&bytes).map_err(|fault| fault.to_string())?;
            let imported = store
                .import_employees(employees, || ulid::Ulid::generate().to_string())
                .map_err(|error| error.to_string())?;
            Ok(format!(
                "added: {}, changed: {}, already known: {}",
                imported.added, imported.changed, imported.same
            ))
        }
        Command::Import | Command::Erase(_) => Err("this is no single command".to_owned()),
        Command::Employees(EmployeesCommand::List) => {
            let directory = store.directory().map_err(|error| error.to_string())?;
            let mut lines: Vec<String> = directory
                .employees()
                .iter()
                .map(|employee| {
                    let numbers = [&employee.extensions[..], &employee.phones, &employee.sip];
                    let team = employee.team.as_deref().unwrap_or("-");
                    format!("{}\t{team}\t{}", employee.name, numbers.concat().join(", "))
                })
                .collect();
            lines.sort();
            Ok(lines.join("\n"))
        }
    }
}

/// Number of the user that this program runs as.
pub fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Writes into the audit that a command is done in a store that no server has open.
///
/// # Errors
/// [`StoreError`] when it cannot be written.
pub fn record_command(store: &Store, command: &Command) -> Result<(), StoreError> {
    audited::record(
        store,
        None,
        audited::entry(command, own_uid()),
        &Ok::<_, String>(()),
    )
}

/// Does the command: in the store itself, or through the server that has it open.
pub fn execute(data_dir: &Path, command: Command) -> Result<String, ControlError> {
    match Store::open(data_dir) {
        Ok(store) => obey(&store, command, own_uid(), &|_| {}, None).map_err(ControlError::Refused),
        Err(StoreError::InUse { .. }) => ask(&socket_path(data_dir), &command),
        Err(error) => Err(error.into()),
    }
}

fn ask(path: &Path, command: &Command) -> Result<String, ControlError> {
    let exchange = || -> std::io::Result<Reply> {
        let mut stream = std::os::unix::net::UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut line = serde_json::to_vec(command)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut reply = String::new();
        BufReader::new(stream).read_line(&mut reply)?;
        Ok(serde_json::from_str(&reply)?)
    };
    match exchange() {
        Ok(Reply::Done(text)) => Ok(text),
        Ok(Reply::Failed(text)) => Err(ControlError::Refused(text)),
        Err(source) => Err(ControlError::Unreachable {
            path: path.to_owned(),
            source,
        }),
    }
}
