//! `call-analytics employees …`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use super::Common;
use crate::control::{self, EmployeesCommand};

/// What can be done with the directory of employees.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Take employees in from a CSV file with a first line of names: name, team, extension, phone, sip, mango_user_id
    Import {
        /// UTF-8 or Windows-1251; `;` or `,` between the fields
        file: PathBuf,
    },
    /// List the employees with their team and numbers
    List,
}

pub(super) fn run(common: &Common, command: Command) -> anyhow::Result<ExitCode> {
    let config = common.load(None)?;
    let command = match command {
        Command::Import { file } => {
            let bytes =
                std::fs::read(&file).with_context(|| format!("the file {}", file.display()))?;
            EmployeesCommand::Import(bytes)
        }
        Command::List => EmployeesCommand::List,
    };
    let command = control::Command::Employees(command);
    println!("{}", control::execute(&config.data_dir, command)?);
    Ok(ExitCode::SUCCESS)
}
