//! How requests name dropped files: one by its key, or all that pass a filter.

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::utf8_percent_encode;
use poem_openapi::Object;

use super::error::ApiError;
use super::export::UNRESERVED;
use super::filters::{bad_filter, milliseconds, sources, text, time};
use crate::domain::DropKind;
use crate::domain::sftp_user::validate_sender_name;
use crate::domain::terms::Terms;
use crate::store::DroppedFilter;

/// Before a path whose bytes are written as base64url, because they are no UTF-8.
const BYTES: &str = "bytes:";
/// Longest path in bytes.
const MAX_PATH: usize = 4000;
/// Longest text of a filter in characters.
const MAX_TEXT: usize = 200;

/// What names a path in requests: the path itself where it is UTF-8.
pub(super) fn key(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(text) if !text.starts_with(BYTES) => text.to_owned(),
        _ => format!("{BYTES}{}", URL_SAFE_NO_PAD.encode(path)),
    }
}

/// A key as one part of an address, '/' included.
pub(super) fn url_name(key: &str) -> String {
    utf8_percent_encode(key, UNRESERVED).to_string()
}

/// The sender's folder and the bytes of the path that a request names.
///
/// # Errors
/// 400 for what no file can be called, such as `a/../b`.
pub(super) fn file_of(user: &str, key: &str) -> Result<(String, Vec<u8>), ApiError> {
    let bad = |what: &str| ApiError::bad_request("bad_name", what);
    if validate_sender_name(user).is_err() {
        return Err(bad("There can be no such SFTP user."));
    }
    let path = match key.strip_prefix(BYTES) {
        Some(bytes) => URL_SAFE_NO_PAD
            .decode(bytes)
            .map_err(|_| bad("After \"bytes:\" comes the path as base64url without padding."))?,
        None => key.as_bytes().to_vec(),
    };
    let part = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
    if path.len() > MAX_PATH || !path.split(|byte| *byte == b'/').all(part) {
        return Err(bad(
            "That is no name of a file: give its path in the sender's folder, without empty parts, \".\" and \"..\".",
        ));
    }
    Ok((user.to_owned(), path))
}

/// The path of a file's bytes.
pub(super) fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// A file.
#[derive(Debug, Object)]
pub(super) struct SftpFileName {
    pub(super) user: String,
    /// Its `key`: the path in the folder, or `bytes:` and base64url.
    pub(super) path: String,
}

/// Which files; what is left out is not looked at.
#[derive(Debug, Default, Object)]
#[oai(deny_unknown_fields)]
pub(super) struct SftpFilter {
    /// A part of the path, in whatever case.
    pub(super) q: Option<String>,
    /// Of this sender.
    pub(super) user: Option<String>,
    /// `receiving`, `incomplete`, `waiting`, `taken`, `known`, `other`, `refused`, `deleted`; several separated by commas.
    pub(super) state: Option<String>,
    /// RFC 3339 time or `YYYY-MM-DD` of the conversation, or else of arrival; inclusive.
    pub(super) date_from: Option<String>,
    /// RFC 3339 time or `YYYY-MM-DD`; inclusive.
    pub(super) date_to: Option<String>,
    /// Seconds.
    pub(super) duration_min: Option<f64>,
    /// Seconds.
    pub(super) duration_max: Option<f64>,
    /// Operator's name.
    pub(super) operator: Option<String>,
    /// Digits of the number of any party.
    pub(super) phone: Option<String>,
    /// Digits of the caller's number, in any form.
    pub(super) callerphone: Option<String>,
    /// Digits of the number that was called.
    pub(super) calledphone: Option<String>,
    /// Digits of our person's phone, or the extension.
    pub(super) operatorphone: Option<String>,
    /// An order.
    pub(super) order_id: Option<String>,
    /// `upload`, `sftp`, `pull`, `import`, `mango`, `calltouch`: by which door the call came first; several separated by commas.
    pub(super) source: Option<String>,
    /// A tag.
    pub(super) tag: Option<String>,
}

impl SftpFilter {
    /// The filter, or what is wrong with it.
    pub(super) fn read(self) -> Result<DroppedFilter, ApiError> {
        let short = |name: &str, value: Option<String>| match text(value) {
            Some(text) if text.chars().count() > MAX_TEXT => Err(bad_filter(format!(
                "{name} has at most {MAX_TEXT} characters."
            ))),
            text => Ok(text),
        };
        let phone = short("phone", self.phone)?;
        let caller = short("callerphone", self.callerphone)?;
        let called = short("calledphone", self.calledphone)?;
        let operator_phone = short("operatorphone", self.operatorphone)?;
        let operator = short("operator", self.operator)?;
        let order = short("order_id", self.order_id)?;
        let tag = short("tag", self.tag)?;
        Ok(DroppedFilter {
            text: short("q", self.q)?,
            user: short("user", self.user)?,
            kinds: kinds(self.state.as_deref().unwrap_or_default())?,
            from: time("date_from", self.date_from, false)?,
            to: time("date_to", self.date_to, true)?,
            duration_min_ms: milliseconds("duration_min", self.duration_min)?,
            duration_max_ms: milliseconds("duration_max", self.duration_max)?,
            terms: Terms::default()
                .phone(phone.as_deref())
                .caller(caller.as_deref())
                .called(called.as_deref())
                .operator_phone(operator_phone.as_deref())
                .operator(operator.as_deref())
                .order(order.as_deref())
                .tag(tag.as_deref())
                .sources(&sources(self.source.as_deref().unwrap_or_default())?),
        })
    }
}

fn kinds(list: &str) -> Result<Vec<DropKind>, ApiError> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| {
            DropKind::ALL
                .into_iter()
                .find(|kind| kind.name() == name)
                .ok_or_else(|| {
                    let known = DropKind::ALL.map(DropKind::name).join(", ");
                    bad_filter(format!("{name:?} is not a state; known: {known}."))
                })
        })
        .collect()
}

/// Files that something is done with: give either `files` or `all`.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(super) struct SftpSelection {
    /// These.
    files: Option<Vec<SftpFileName>>,
    /// All that pass the filter; `{}` stands for every file.
    all: Option<SftpFilter>,
}

/// What was chosen.
pub(super) enum Chosen {
    /// Files by name: senders and bytes of paths.
    Files(Vec<(String, Vec<u8>)>),
    /// All that pass.
    All(Box<DroppedFilter>),
}

impl SftpSelection {
    /// What was chosen; at most `most` files by name.
    pub(super) fn read(self, most: usize) -> Result<Chosen, ApiError> {
        match (self.files, self.all) {
            (Some(files), None) if files.len() > most => Err(too_many(most)),
            (Some(files), None) => files
                .into_iter()
                .map(|file| file_of(&file.user, &file.path))
                .collect::<Result<_, _>>()
                .map(Chosen::Files),
            (None, Some(all)) => Ok(Chosen::All(Box::new(all.read()?))),
            _ => Err(ApiError::bad_request(
                "bad_selection",
                "Give either the files or, as \"all\", the filter that they pass.",
            )),
        }
    }
}

/// More files than are taken at once.
pub(super) fn too_many(most: usize) -> ApiError {
    ApiError::bad_request(
        "too_many_files",
        format!("At most {most} files at once: choose fewer, or narrow the filter."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_of_a_file_is_a_key_and_back() {
        let names: [&[u8]; 7] = [
            "2026/11/звонок №1.mp3".as_bytes(),
            b"a b+c%20d#e?f&g=h.wav",
            b"bytes:abc",
            b"\xff\xfe/\xd0.mp3",
            b"%2F",
            b"~._-",
            "\u{1F600}\\:\"'".as_bytes(),
        ];
        for name in names {
            let key = key(name);
            let url = url_name(&key);
            assert!(!url.contains(['/', '?', '#', ' ']), "{url}");
            let decoded = percent_encoding::percent_decode_str(&url);
            let decoded = decoded.decode_utf8().expect("UTF-8");
            let (user, path) = file_of("mango", &decoded).expect("a name");
            assert_eq!((user.as_str(), path.as_slice()), ("mango", name));
        }
    }

    #[test]
    fn what_no_file_is_called_is_refused() {
        for name in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "../b",
            "a/./b",
            "a\0b",
            "bytes:*",
            "bytes:",
            "bytes:Li4",
        ] {
            assert!(file_of("mango", name).is_err(), "{name:?}");
        }
        assert!(file_of("mango", &"a".repeat(5000)).is_err());
        assert!(file_of("../mango", "a").is_err());
    }
}
