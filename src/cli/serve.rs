//! `call-analytics serve`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::log::Lines;
use super::{Common, ServeArgs};
use crate::app::App;

pub(super) fn run(common: &Common, arguments: &ServeArgs) -> anyhow::Result<ExitCode> {
    let config = common.load(arguments.listen.as_deref())?;
    let coloured = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&config.log).context("the setting 'log'")?)
        .with_ansi(coloured)
        .with_writer(Lines { coloured })
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime")?;
    runtime.block_on(async {
        // Before anything is said: whoever reads that it serves may stop it.
        let mut terminate = signal(SignalKind::terminate())?;
        let app = App::build(config, own_executable()?).await?;
        if let Some(password) = app.first_password() {
            // Printed once and nowhere else kept; on a service it lands in the journal.
            println!("First start: the user 'admin' was made with the password {password}");
        }
        if let Some(sftp) = app.sftp() {
            if let Some(password) = app.first_sftp_password() {
                println!(
                    "First start: the SFTP user '{}' was made with the password {password}",
                    crate::sftp::users::FIRST
                );
            }
            println!(
                "call-analytics takes recordings at sftp://{}",
                sftp.local_addr()
            );
            for key in sftp.host_keys() {
                println!("    host key {} {}", key.kind, key.fingerprint);
            }
        }
        if let Some(https) = app.https() {
            println!("call-analytics serves https://{}", https.address);
            for name in &https.names {
                println!("    as https://{name}");
            }
            println!("    certificate SHA-256 {}", https.sha256);
            if let Some(redirect) = https.redirect {
                println!("    plain HTTP at {redirect} is redirected");
            }
            tracing::info!(address = %https.address, sha256 = https.sha256, "serves HTTPS");
        }
        println!("call-analytics serves http://{}", app.address());
        let stop = async move {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            tracing::info!("stopping");
        };
        app.run_until_stopped(stop).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// This program, also when its file was replaced by an upgrade meanwhile.
pub(super) fn own_executable() -> anyhow::Result<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        Ok(link)
    } else {
        // Without /proc (a bare chroot) the name it was called by has to do.
        std::env::args_os()
            .next()
            .map(PathBuf::from)
            .context("the name of the program is unknown")
    }
}
