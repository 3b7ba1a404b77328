//! `call-analytics sftp-user …`.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgGroup, Args, Subcommand};

use super::{Common, user};
use crate::control::{self, Command as Ask};
use crate::domain::DropMode;
use crate::sftp::users::{Password, SenderCommand};

/// What can be done with SFTP users.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Make an SFTP user; a password that is not given is made and printed
    Add {
        /// Name to sign in with, and of the folder
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
        /// Recordings wait until somebody sends them to recognition
        #[arg(long)]
        manual: bool,
        /// Most megabytes in the folder [default: no bound]
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        quota_mb: u64,
    },
    /// Set another password; one that is not given is made and printed
    Passwd {
        /// The SFTP user
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Keys to sign in with
    Key {
        /// The SFTP user
        name: String,
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// List the SFTP users
    List,
    /// Remove an SFTP user; the files stay
    Remove {
        /// The SFTP user
        name: String,
    },
}

#[derive(Args)]
#[command(group = ArgGroup::new("password"))]
pub(super) struct PasswordArgs {
    /// Read the password from standard input
    #[arg(long, group = "password")]
    password_stdin: bool,
    /// No password: keys only
    #[arg(long, group = "password")]
    no_password: bool,
}

/// What can be done with keys.
#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Add a public key
    Add {
        /// A .pub file, or - for standard input
        file: PathBuf,
    },
    /// List the keys
    List,
    /// Remove a key
    Remove {
        /// As `list` shows it: SHA256:…
        fingerprint: String,
    },
}

impl PasswordArgs {
    fn read(&self) -> anyhow::Result<Password> {
        Ok(if self.no_password {
            Password::None
        } else if self.password_stdin {
            Password::Given(user::read_password()?)
        } else {
            Password::Random
        })
    }
}

pub(super) fn run(common: &Common, command: Command) -> anyhow::Result<ExitCode> {
    let config = common.load(None)?;
    let command = match command {
        Command::Add {
            name,
            password,
            manual,
            quota_mb,
        } => SenderCommand::Add {
            name,
            password: password.read()?,
            mode: if manual {
                DropMode::Manual
            } else {
                DropMode::Auto
            },
            quota_bytes: quota_mb.saturating_mul(1024 * 1024),
        },
        Command::Passwd { name, password } => SenderCommand::Passwd {
            name,
            password: password.read()?,
        },
        Command::Key { name, command } => match command {
            KeyCommand::Add { file } => SenderCommand::AddKey {
                name,
                line: key_line(&file)?,
            },
            KeyCommand::List => SenderCommand::Keys { name },
            KeyCommand::Remove { fingerprint } => SenderCommand::RemoveKey { name, fingerprint },
        },
        Command::List => SenderCommand::List,
        Command::Remove { name } => SenderCommand::Remove { name },
    };
    println!(
        "{}",
        control::execute(&config.data_dir, Ask::Sender(command))?
    );
    Ok(ExitCode::SUCCESS)
}

fn key_line(file: &std::path::Path) -> anyhow::Result<String> {
    if file == std::path::Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("the key cannot be read from standard input")?;
        Ok(text)
    } else {
        std::fs::read_to_string(file).with_context(|| format!("the key {}", file.display()))
    }
}
