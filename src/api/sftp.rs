//! The SFTP server and who may drop recordings there.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};

use super::auth::{Settings, Who};
use super::error::ApiError;
use crate::app::Parts;
use crate::domain::{DropMode, SenderKey, SftpUser};
use crate::sftp::users::{self, Change, Password, SenderError};
use crate::store::{Store, StoreError};

pub(super) struct SftpApi;

/// What becomes of a complete recording that is dropped.
#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum DropModeView {
    /// It is recognized by itself.
    Auto,
    /// It waits until somebody sends it to recognition.
    Manual,
}

/// A public key.
#[derive(Object)]
struct SftpKeyView {
    /// Such as ssh-ed25519.
    kind: String,
    /// SHA256:…, as ssh-keygen -l writes it.
    fingerprint: String,
    /// What the line of the key says after it.
    comment: String,
    /// The whole line, to be sent back with the other keys.
    line: String,
}

/// Somebody who may drop recordings over SFTP.
#[derive(Object)]
struct SftpUserView {
    /// Also the name of the folder.
    name: String,
    mode: DropModeView,
    /// Most bytes in the folder; 0 for no bound.
    quota_bytes: u64,
    /// Bytes in the folder; null while the server is off.
    used_bytes: Option<u64>,
    has_password: bool,
    keys: Vec<SftpKeyView>,
    disabled: bool,
    created_at: String,
}

/// All of them.
#[derive(Object)]
struct SftpUsersView {
    items: Vec<SftpUserView>,
}

/// One, after a change.
#[derive(Object)]
struct SftpUserChangedView {
    user: SftpUserView,
    /// The password, when the server made one. It is shown this once only.
    password: Option<String>,
}

/// A new one. Without `password` and with `no_password` false the server makes a password.
#[derive(Object)]
struct NewSftpUserRequest {
    /// 1–32 of a-z, 0-9, '.', '_' and '-', the first a letter or digit.
    name: String,
    /// At least 10 characters.
    password: Option<String>,
    /// Keys only.
    #[oai(default)]
    no_password: bool,
    mode: Option<DropModeView>,
    /// Most bytes in the folder; 0 for no bound.
    quota_bytes: Option<u64>,
    /// Public keys, each the line of a .pub file.
    keys: Option<Vec<String>>,
}

/// What is changed; what is left out stays.
#[derive(Object)]
struct SftpUserRequest {
    /// Another password, at least 10 characters.
    password: Option<String>,
    /// The server makes another password.
    #[oai(default)]
    reset_password: bool,
    /// Keys only from now on.
    #[oai(default)]
    no_password: bool,
    mode: Option<DropModeView>,
    /// Most bytes in the folder; 0 for no bound.
    quota_bytes: Option<u64>,
    /// All public keys, each the line of a .pub file.
    keys: Option<Vec<String>>,
    /// May not sign in.
    disabled: Option<bool>,
}

/// A key by which clients know the server.
#[derive(Object)]
struct HostKeyView {
    kind: String,
    /// SHA256:…, as clients show it.
    fingerprint: String,
}

/// The SFTP server.
#[derive(Object)]
struct SftpServerView {
    enabled: bool,
    /// Address it listens at; 0.0.0.0 stands for every address of the machine.
    address: Option<String>,
    port: Option<u16>,
    host_keys: Vec<HostKeyView>,
    /// Connections that are signed in.
    connections: u64,
    /// A file is complete when it did not change for this long after it was closed.
    settle_ms: u64,
}

#[derive(ApiResponse)]
enum Made {
    /// Made.
    #[oai(status = 201)]
    Made(Json<SftpUserChangedView>),
}

#[derive(ApiResponse)]
enum Removed {
    /// Removed; the files stay.
    #[oai(status = 204)]
    Removed,
}

#[OpenApi]
impl SftpApi {
    /// The SFTP server: address, host keys, connections.
    #[oai(path = "/sftp/server", method = "get", operation_id = "sftpServer")]
    async fn server(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Json<SftpServerView> {
        let server = parts.sftp.as_ref();
        let address = server.map(|server| server.local_addr());
        let keys = server.map(|server| server.host_keys()).unwrap_or_default();
        Json(SftpServerView {
            enabled: server.is_some(),
            address: address.map(|address| address.ip().to_string()),
            port: address.map(|address| address.port()),
            host_keys: keys
                .iter()
                .map(|key| HostKeyView {
                    kind: key.kind.to_owned(),
                    fingerprint: key.fingerprint.clone(),
                })
                .collect(),
            connections: server.map_or(0, |server| server.connections().0 as u64),
            settle_ms: parts.config.sftp.settle_ms,
        })
    }

    /// Who may drop recordings over SFTP.
    #[oai(path = "/sftp/users", method = "get", operation_id = "sftpUsers")]
    async fn users(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Result<Json<SftpUsersView>, ApiError> {
        let items = run(parts, |parts, store| {
            let users = store.sftp_users()?;
            Ok(users.iter().map(|user| view(parts, user)).collect())
        })
        .await?;
        Ok(Json(SftpUsersView { items }))
    }

    /// Make an SFTP user.
    #[oai(path = "/sftp/users", method = "post", operation_id = "addSftpUser")]
    async fn add(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        request: Json<NewSftpUserRequest>,
    ) -> Result<Made, ApiError> {
        let request = request.0;
        let change = Change {
            password: password(request.password, true, request.no_password)?,
            keys: keys(request.keys)?,
            mode: request.mode.map(DropMode::from),
            quota_bytes: request.quota_bytes,
            disabled: None,
        };
        let made = run(parts, move |parts, store| {
            let (user, password) = users::add(store, &request.name, change)?;
            Ok(SftpUserChangedView {
                user: view(parts, &user),
                password,
            })
        })
        .await?;
        Ok(Made::Made(Json(made)))
    }

    /// Change an SFTP user. Another password, other keys and `disabled` end the user's connections.
    #[oai(
        path = "/sftp/users/:name",
        method = "put",
        operation_id = "changeSftpUser"
    )]
    async fn change(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        name: Path<String>,
        request: Json<SftpUserRequest>,
    ) -> Result<Json<SftpUserChangedView>, ApiError> {
        let request = request.0;
        let change = Change {
            password: password(
                request.password,
                request.reset_password,
                request.no_password,
            )?,
            keys: keys(request.keys)?,
            mode: request.mode.map(DropMode::from),
            quota_bytes: request.quota_bytes,
            disabled: request.disabled,
        };
        let ends =
            change.password.is_some() || change.keys.is_some() || change.disabled == Some(true);
        let changed = run(parts, move |parts, store| {
            let (user, password) = users::change(store, &name.0, change)?;
            if let Some(server) = &parts.sftp {
                server.changed(&user, ends);
            }
            Ok(SftpUserChangedView {
                user: view(parts, &user),
                password,
            })
        })
        .await?;
        Ok(Json(changed))
    }

    /// Remove an SFTP user; the files stay.
    #[oai(
        path = "/sftp/users/:name",
        method = "delete",
        operation_id = "removeSftpUser"
    )]
    async fn remove(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        name: Path<String>,
    ) -> Result<Removed, ApiError> {
        run(parts, move |parts, store| {
            users::remove(store, &name.0)?;
            if let Some(server) = &parts.sftp {
                server.end_user(&name.0);
            }
            Ok(())
        })
        .await?;
        Ok(Removed::Removed)
    }
}

/// Works on the store on a thread where blocking is allowed.
async fn run<T: Send + 'static>(
    parts: &Arc<Parts>,
    work: impl FnOnce(&Parts, &Store) -> Result<T, SenderError> + Send + 'static,
) -> Result<T, ApiError> {
    let parts = Arc::clone(parts);
    let done = tokio::task::spawn_blocking(move || work(&parts, &parts.store)).await;
    match done {
        Ok(done) => Ok(done?),
        Err(_) => Err(StoreError::Interrupted.into()),
    }
}

fn password(given: Option<String>, random: bool, none: bool) -> Result<Option<Password>, ApiError> {
    match (given, none) {
        (Some(_), true) => Err(ApiError::bad_request(
            "bad_sftp_user",
            "Give a password or say that there is none, not both.",
        )),
        (Some(given), false) => Ok(Some(Password::Given(given))),
        (None, true) => Ok(Some(Password::None)),
        (None, false) => Ok(random.then_some(Password::Random)),
    }
}

fn keys(lines: Option<Vec<String>>) -> Result<Option<Vec<SenderKey>>, ApiError> {
    lines
        .map(|lines| lines.iter().map(|line| SenderKey::parse(line)).collect())
        .transpose()
        .map_err(|fault: String| ApiError::bad_request("bad_sftp_key", fault))
}

fn view(parts: &Parts, user: &SftpUser) -> SftpUserView {
    let folders = parts.sftp.as_ref().map(|server| server.folders());
    SftpUserView {
        name: user.name.clone(),
        mode: match user.mode {
            DropMode::Auto => DropModeView::Auto,
            DropMode::Manual => DropModeView::Manual,
        },
        quota_bytes: user.quota_bytes,
        used_bytes: folders.and_then(|folders| folders.used_bytes(&user.name).ok()),
        has_password: user.password_hash.is_some(),
        keys: user
            .keys
            .iter()
            .map(|key| SftpKeyView {
                kind: key.kind.clone(),
                fingerprint: key.fingerprint(),
                comment: key.comment.clone(),
                line: format!("{} {} {}", key.kind, key.base64, key.comment)
                    .trim_end()
                    .to_owned(),
            })
            .collect(),
        disabled: user.disabled,
        created_at: user.created_at.to_string(),
    }
}

impl From<DropModeView> for DropMode {
    fn from(mode: DropModeView) -> Self {
        match mode {
            DropModeView::Auto => DropMode::Auto,
            DropModeView::Manual => DropMode::Manual,
        }
    }
}
