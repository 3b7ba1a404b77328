//! Senders: who may drop files over SFTP, and with which password or keys.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What becomes of a complete recording that a sender dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropMode {
    /// It goes to the pipeline by itself.
    #[default]
    Auto,
    /// It waits until somebody sends it there.
    Manual,
}

impl std::fmt::Display for DropMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DropMode::Auto => "auto",
            DropMode::Manual => "manual",
        })
    }
}

/// A public key that a sender may sign in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderKey {
    /// Its kind, such as `ssh-ed25519`.
    pub kind: String,
    /// The key itself in base64, as in the line of a `.pub` file.
    pub base64: String,
    /// What the line says after the key, often whose it is.
    pub comment: String,
}

/// A sender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SftpUser {
    /// Name to sign in with, and of the folder: 1–32 of `a-z 0-9 . _ -`.
    pub name: String,
    /// argon2id hash in PHC form; `None`: keys only.
    pub password_hash: Option<String>,
    /// Keys to sign in with.
    pub keys: Vec<SenderKey>,
    /// What becomes of complete recordings.
    pub mode: DropMode,
    /// Most bytes in the folder; 0 for no bound but the disk.
    pub quota_bytes: u64,
    /// When the sender was made.
    pub created_at: Timestamp,
    /// May not sign in.
    pub disabled: bool,
}

/// Kinds of keys that are taken, with what the inner name of the key is.
const KINDS: &[&str] = &[
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
];
/// Shortest RSA modulus in bits.
const MIN_RSA_BITS: usize = 2048;

impl SenderKey {
    /// Reads the line of a `.pub` file: kind, key, comment.
    pub fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.trim().splitn(3, char::is_whitespace);
        let (kind, text) = (
            words.next().unwrap_or(""),
            words.next().unwrap_or("").trim(),
        );
        let comment: String = words.next().unwrap_or("").trim().to_owned();
        if line.contains("PRIVATE KEY") {
            return Err("This is a private key: give the line of the .pub file.".into());
        }
        if !KINDS.contains(&kind) {
            return Err(format!(
                "This is not a public key in one line; known kinds: {}.",
                KINDS.join(", ")
            ));
        }
        let blob = STANDARD
            .decode(text)
            .map_err(|_| "The key is damaged: its text is not base64.".to_owned())?;
        let mut parts = Parts(&blob);
        if parts.next() != Some(kind.as_bytes()) {
            return Err("The key is damaged: it is not of the kind it begins with.".into());
        }
        if kind == "ssh-rsa" {
            let modulus = parts.next().and_then(|_| parts.next()).unwrap_or(&[]);
            let first = modulus.iter().position(|byte| *byte != 0).unwrap_or(0);
            let bits = (modulus.len() - first) * 8;
            if bits < MIN_RSA_BITS {
                return Err(format!(
                    "The RSA key has {bits} bits; at least {MIN_RSA_BITS} are needed."
                ));
            }
        } else if parts.next().is_none() {
            return Err("The key is damaged: it ends too early.".into());
        }
        if comment.chars().count() > 200 || comment.chars().any(char::is_control) {
            return Err("The comment of the key is too long or has control characters.".into());
        }
        Ok(Self {
            kind: kind.to_owned(),
            base64: STANDARD.encode(&blob),
            comment,
        })
    }

    /// `SHA256:…`, as `ssh-keygen -l` writes it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.base64)
    }
}

/// `SHA256:…` of a public key in base64; empty where it is not base64.
pub fn fingerprint(base64: &str) -> String {
    STANDARD
        .decode(base64)
        .map(|blob| format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&blob))))
        .unwrap_or_default()
}

/// Strings with their lengths before them, as keys are made of.
struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        self.0 = rest;
        Some(part)
    }
}

/// Refuses a name that cannot be that of a folder.
pub fn validate_sender_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let begins = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.is_empty() || name.len() > 32 || !name.chars().all(allowed) || !name.starts_with(begins)
    {
        return Err(
            "The name of an SFTP user has 1 to 32 characters of a-z, 0-9, '.', '_' and '-', the first a letter or digit.".into(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS olga@pbx";

    #[test]
    fn keys_are_read_and_damage_is_named() {
        let key = SenderKey::parse(ED25519).expect("a key");
        assert_eq!(key.comment, "olga@pbx");
        assert!(key.fingerprint().starts_with("SHA256:"));
        assert_eq!(key.fingerprint().len(), 50);
        for (bad, why) in [
            ("", "not a public key"),
            ("ssh-dss AAAA", "known kinds"),
            ("ssh-ed25519 ???", "base64"),
            ("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGPK", "kind"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "too early"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
            ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAwEAAQ==", "bits"),
        ] {
            let fault = SenderKey::parse(bad).expect_err(bad);
            assert!(fault.contains(why), "{bad}: {fault}");
        }
    }

    #[test]
    fn names_of_folders() {
        for good in ["mango", "a", "0", "mango-office_2.eu"] {
            assert!(validate_sender_name(good).is_ok(), "{good}");
        }
        let long = "x".repeat(33);
        for bad in ["", ".", "..", "-a", "Mango", "a/b", "манго", "a b", &long] {
            assert!(validate_sender_name(bad).is_err(), "{bad}");
        }
    }
}
