//! `call-analytics user …`.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;

use super::Common;
use crate::accounts::UserCommand;
use crate::control::{self, Command as Ask};
use crate::domain::Role;
use crate::domain::user::Reach;

/// What can be done with accounts.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Make an account
    Add {
        /// Name to sign in with
        name: String,
        /// What it may do: admin, supervisor, operator, viewer
        #[arg(long, default_value = "admin")]
        role: Role,
        /// For a supervisor or viewer: the team whose calls it shows; may be repeated; all calls without
        #[arg(long = "team")]
        teams: Vec<String>,
        /// For an operator: the name that stands with their calls
        #[arg(long)]
        operator: Option<String>,
        /// The password is for the first sign-in only
        #[arg(long)]
        temporary: bool,
        /// Read the password from standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Set another password; the account's sessions end
    Passwd {
        /// The account
        name: String,
        /// The password is for the next sign-in only
        #[arg(long)]
        temporary: bool,
        /// Read the password from standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Take the second factor of an account away
    ResetFactor {
        /// The account
        name: String,
    },
    /// End all sessions of an account
    EndSessions {
        /// The account
        name: String,
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
            teams,
            operator,
            temporary,
            password_stdin,
        } => UserCommand::Add {
            name,
            role,
            reach: reach(teams, operator)?,
            password: password(password_stdin)?,
            temporary,
        },
        Command::Passwd {
            name,
            temporary,
            password_stdin,
        } => UserCommand::Passwd {
            name,
            password: password(password_stdin)?,
            temporary,
        },
        Command::ResetFactor { name } => UserCommand::ResetFactor { name },
        Command::EndSessions { name } => UserCommand::EndSessions { name },
        Command::List => UserCommand::List,
        Command::Remove { name } => UserCommand::Remove { name },
    };
    println!(
        "{}",
        control::execute(&config.data_dir, Ask::User(command))?
    );
    Ok(ExitCode::SUCCESS)
}

fn reach(teams: Vec<String>, operator: Option<String>) -> anyhow::Result<Reach> {
    match (teams.is_empty(), operator) {
        (true, None) => Ok(Reach::All),
        (true, Some(name)) => Ok(Reach::Operator(name)),
        (false, None) => Ok(Reach::Teams(teams)),
        (false, Some(_)) => {
            bail!("an account is for teams or for one operator: give --team or --operator")
        }
    }
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
