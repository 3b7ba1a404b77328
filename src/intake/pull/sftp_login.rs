//! Signing in over SSH.

use libssh_rs::{AuthMethods, AuthStatus, Session, SshKey};

use super::remote::{Fault, Guard};
use crate::config::PullSource;

/// Questions that a server may ask before it lets somebody in.
const MAX_PROMPTS: usize = 8;

/// By key where there is one, else by password, asked for directly or by questions.
pub(super) fn login(session: &Session, source: &PullSource, guard: &Guard) -> Result<(), Fault> {
    let failed = |error: libssh_rs::Error| guard.broken(words(&error));
    let password = source.password.expose();
    let mut status = AuthStatus::Denied;
    if let Some(path) = &source.key_file {
        let passphrase = (!password.is_empty()).then_some(password);
        let key = SshKey::from_privkey_file(&path.to_string_lossy(), passphrase).map_err(|_| {
            Fault::Login {
                user: source.user.clone(),
                said: format!("the key {} cannot be read", path.display()),
            }
        })?;
        status = guard
            .wait(|| session.userauth_publickey(None, &key))
            .map_err(failed)?;
    } else {
        // Asks what the server offers.
        let none = guard.wait(|| session.userauth_none(None)).map_err(failed)?;
        let offered = session.userauth_list(None).map_err(failed)?;
        if none == AuthStatus::Success {
            status = none;
        }
        if status != AuthStatus::Success && offered.contains(AuthMethods::PASSWORD) {
            status = guard
                .wait(|| session.userauth_password(None, Some(password)))
                .map_err(failed)?;
        } else if status != AuthStatus::Success && offered.contains(AuthMethods::INTERACTIVE) {
            status = answers(session, password, guard).map_err(failed)?;
        }
    }
    if status == AuthStatus::Success {
        return Ok(());
    }
    Err(Fault::Login {
        user: source.user.clone(),
        said: format!("{status:?}").to_lowercase(),
    })
}

fn answers(
    session: &Session,
    password: &str,
    guard: &Guard,
) -> Result<AuthStatus, libssh_rs::Error> {
    for _ in 0..MAX_PROMPTS {
        let status = guard.wait(|| session.userauth_keyboard_interactive(None, None))?;
        if status != AuthStatus::Info {
            return Ok(status);
        }
        let asked = session.userauth_keyboard_interactive_info()?;
        // What is typed unseen is the password; nothing else is known.
        let answers: Vec<String> = asked
            .prompts
            .iter()
            .map(|prompt| if prompt.echo { "" } else { password }.to_owned())
            .collect();
        session.userauth_keyboard_interactive_set_answers(&answers)?;
    }
    Ok(AuthStatus::Denied)
}

/// What libssh says.
pub(super) fn words(error: &libssh_rs::Error) -> String {
    match error {
        libssh_rs::Error::Fatal(text) | libssh_rs::Error::RequestDenied(text) => text.clone(),
        other => other.to_string(),
    }
}
