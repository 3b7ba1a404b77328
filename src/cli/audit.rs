//! `call-analytics audit …`.

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;

use super::Common;
use crate::control::audit::{AuditCommand, Page};
use crate::control::{self, Command as Ask};
use crate::domain::audit::Verification;

/// What can be done with the audit.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Check that no entry was changed, removed, moved or put in; exit code 1 when one was
    Verify {
        /// A head that was noted earlier, as this command prints it: shows also that the end was cut off
        #[arg(long, value_name = "NUMBER:HASH")]
        noted: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write all entries to standard output, one JSON value a line
    Export,
}

pub(super) fn run(common: &Common, command: Command) -> anyhow::Result<ExitCode> {
    let data_dir = common.load(None)?.data_dir;
    match command {
        Command::Verify { noted, json } => {
            let ask = Ask::Audit(AuditCommand::Verify { noted });
            let answer = control::execute(&data_dir, ask)?;
            let found: Verification = serde_json::from_str(&answer)?;
            if json {
                println!("{answer}");
            } else {
                print(&found);
            }
            Ok(match found.fault {
                None => ExitCode::SUCCESS,
                Some(_) => ExitCode::FAILURE,
            })
        }
        Command::Export => {
            let mut out = std::io::stdout().lock();
            let mut after = Some(0);
            while let Some(from) = after {
                let ask = Ask::Audit(AuditCommand::Export { after: from });
                let page: Page = serde_json::from_str(&control::execute(&data_dir, ask)?)?;
                out.write_all(page.lines.as_bytes())?;
                after = page.next;
            }
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn print(found: &Verification) {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    println!("entries: {}", found.entries);
    println!("range: {} to {}", number(found.first), number(found.last));
    println!("head: {}", found.head);
    match &found.fault {
        None => println!(
            "The chain is whole. Note the head elsewhere: `audit verify --noted HEAD` shows later that nothing was cut off or written anew."
        ),
        Some(fault) => eprintln!(
            "call-analytics: the audit is broken at entry {}: {}",
            fault.number, fault.reason
        ),
    }
}
