//! `call-analytics user …`.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;

use super::Common;
use crate::accounts::UserCommand;
use crate::control::{self, Command as Ask};
use crate::domain::Role;

/// What can be done with accounts.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Make an account
    Add {
        /// Name to sign in with
        name: String,
        /// What it may do
        #[arg(long, default_value = "admin")]
        role: Role,
        /// Read the password from standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Set another password; the account's sessions end
    Passwd {
        /// The account
        name: String,
        /// Read the password from standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the accounts
    List,
    /// Remove an account
    Remove {
        /// The account
        name: String,
    },
}

pub(super) fn run(common: &Common, command: Command) -> anyhow::Result<ExitCode> {
    let config = common.load(None)?;
    let command = match command {
        Command::Add {
            name,
            role,
            password_stdin,
        } => UserCommand::Add {
            name,
            role,
            password: password(password_stdin)?,
        },
        Command::Passwd {
            name,
            password_stdin,
        } => UserCommand::Passwd {
            name,
            password: password(password_stdin)?,
        },
        Command::List => UserCommand::List,
        Command::Remove { name } => UserCommand::Remove { name },
    };
    println!(
        "{}",
        control::execute(&config.data_dir, Ask::User(command))?
    );
    Ok(ExitCode::SUCCESS)
}

fn password(from_stdin: bool) -> anyhow::Result<String> {
    if from_stdin {
        return read_password();
    }
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal to ask for the password: give it with --password-stdin");
    }
    let first = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Once more: ")? != first {
        bail!("the two passwords differ");
    }
    Ok(first)
}

/// The password on standard input.
pub(super) fn read_password() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("the password cannot be read from standard input")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
