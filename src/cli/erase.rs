//! `call-analytics erase --phone NUMBER`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::Common;
use super::serve::own_executable;
use crate::app::EraseDoor;
use crate::control::erase::{Erase, EraseCommand};
use crate::control::{self, Command as Ask};
use crate::store::{Store, StoreError};

/// The server is asked so often whether it is done.
const EVERY: Duration = Duration::from_millis(500);

/// What to erase.
#[derive(Args)]
pub(super) struct Arguments {
    /// Number of the client, such as +79161234567
    #[arg(long, value_name = "NUMBER")]
    phone: String,
    /// Erase it; without this it is only shown what would be erased
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = common.load(None)?;
    let phone = || arguments.phone.clone();
    let preview = EraseCommand::Preview { phone: phone() };
    let order = EraseCommand::Order { phone: phone() };
    let report = match Store::open(&config.data_dir) {
        Ok(store) => {
            let door = EraseDoor::without_server(&config, store, own_executable()?)?;
            control::record_command(door.store(), &Ask::Erase(preview))?;
            println!(
                "{}",
                door.preview(&arguments.phone).map_err(anyhow::Error::msg)?
            );
            if !arguments.yes {
                return Ok(only_shown());
            }
            control::record_command(door.store(), &Ask::Erase(order))?;
            let author = format!("uid {}", control::own_uid());
            let id = door
                .order(&arguments.phone, &author)
                .map_err(anyhow::Error::msg)?;
            door.work_off()?;
            door.report(&id).map_err(anyhow::Error::msg)?
        }
        Err(StoreError::InUse { .. }) => {
            let ask = |command| control::execute(&config.data_dir, Ask::Erase(command));
            println!("{}", ask(preview)?);
            if !arguments.yes {
                return Ok(only_shown());
            }
            let id = ask(order)?;
            loop {
                let report = ask(EraseCommand::Report { id: id.clone() })?;
                if !report.is_empty() {
                    break report;
                }
                std::thread::sleep(EVERY);
            }
        }
        Err(error) => return Err(error.into()),
    };
    println!("{report}");
    Ok(if report.contains("\nleft: ") {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn only_shown() -> ExitCode {
    println!("Nothing was erased: --yes erases it.");
    ExitCode::SUCCESS
}
