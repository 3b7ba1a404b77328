//! The server's own keys: made at first start, kept for ever, readable by the
//! owner only. Ed25519, and RSA for clients that know nothing newer.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::SftpError;
use super::transport::{self, KeyKind};
use crate::domain::sftp_user::fingerprint;

/// A key by which clients know the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// Its kind, such as `ssh-ed25519`.
    pub kind: &'static str,
    /// `SHA256:…`, as clients show it.
    pub fingerprint: String,
    pub(super) path: PathBuf,
}

/// The keys in `dir`; those that are not there are made.
pub(super) fn open(dir: &Path) -> Result<Vec<HostKey>, SftpError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| SftpError::Io { path, source }
    };
    std::fs::create_dir_all(dir).map_err(io(dir))?;
    let private = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(dir, private(0o700)).map_err(io(dir))?;
    let mut keys = Vec::new();
    for (kind, name, file) in [
        (KeyKind::Ed25519, "ssh-ed25519", "ed25519"),
        (KeyKind::Rsa, "ssh-rsa", "rsa"),
    ] {
        let path = dir.join(file);
        if !path.exists() {
            // A whole key or none: the name comes last.
            let part = dir.join(format!("{file}.part"));
            transport::make_key(kind, &part)?;
            std::fs::set_permissions(&part, private(0o600)).map_err(io(&part))?;
            std::fs::File::open(&part)
                .and_then(|made| made.sync_all())
                .map_err(io(&part))?;
            std::fs::rename(&part, &path).map_err(io(&path))?;
            std::fs::File::open(dir)
                .and_then(|dir| dir.sync_all())
                .map_err(io(dir))?;
        }
        std::fs::set_permissions(&path, private(0o600)).map_err(io(&path))?;
        keys.push(HostKey {
            kind: name,
            fingerprint: fingerprint(&transport::public_part(&path)?),
            path,
        });
    }
    Ok(keys)
}
