//! Names on the servers: which are fetched, how they are joined and shown.

use regex::bytes::{RegexSet, RegexSetBuilder};

use super::remote::Fault;
use crate::domain::RawEndings;

/// Endings of recordings, beside those of sound without a header.
const RECORDINGS: &[&str] = &[
    "mp3", "wav", "m4a", "mp4", "aac", "flac", "ogg", "oga", "opus", "gsm", "mkv", "mka", "webm",
    "amr", "wma", "aif", "aiff", "caf",
];
/// Which names are fetched.
pub(super) struct Wanted {
    included: Option<RegexSet>,
    raw: RawEndings,
}

impl Wanted {
    pub(super) fn new(include: &[String], raw: &RawEndings) -> Result<Self, Fault> {
        let patterns = include.iter().map(|entry| {
            let entry = entry.trim();
            let glob = entry.contains(['*', '?']);
            let body: String = entry
                .trim_start_matches(if glob { "" } else { "." })
                .chars()
                .map(|c| match c {
                    '*' => "[^/]*".to_owned(),
                    '?' => "[^/]".to_owned(),
                    c => regex::escape(&c.to_string()),
                })
                .collect();
            match (glob, entry.contains('/')) {
                (false, _) => format!(r"(?:^|/|\.){body}$"),
                (true, false) => format!("(?:^|/){body}$"),
                (true, true) => format!("^{body}$"),
            }
        });
        let set = RegexSetBuilder::new(patterns)
            .case_insensitive(true)
            .unicode(false)
            .build()
            .map_err(|error| Fault::Local(format!("include: {error}")))?;
        Ok(Self {
            included: (!include.is_empty()).then_some(set),
            raw: raw.clone(),
        })
    }

    /// `path` is relative to the directory of the source.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        match &self.included {
            Some(set) => set.is_match(path),
            None => is_recording(&String::from_utf8_lossy(path), &self.raw),
        }
    }
}

/// Whether the ending of a name is one of recordings.
pub fn is_recording(name: &str, raw: &RawEndings) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    RECORDINGS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(ending))
        || raw.of(name).is_some()
}

/// The path of a name in a directory; empty is where signing in led to.
pub(super) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    match dir {
        b"" => name.to_vec(),
        b"/" => [b"/", name].concat(),
        dir => [dir, b"/", name].concat(),
    }
}

/// A name to be read by people: UTF-8, else Windows-1251, in which old servers
/// of this part of the world write.
pub(super) fn readable(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1251.decode(name).0.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_and_patterns_say_what_is_fetched() {
        let has = |include: &[&str], path: &str| {
            let include: Vec<String> = include.iter().map(|entry| (*entry).to_owned()).collect();
            Wanted::new(&include, &RawEndings::default())
                .expect("patterns")
                .has(path.as_bytes())
        };
        assert!(has(&[], "2026/a.MP3") && has(&[], "a.ulaw"));
        assert!(!has(&[], "a.txt") && !has(&[], "mp3"));
        assert!(has(&[".mp3"], "d/a.Mp3") && has(&["mp3"], "a.mp3"));
        assert!(!has(&["mp3"], "a.wav") && !has(&["mp3"], "amp3"));
        assert!(has(&["a.mp3"], "d/a.mp3") && !has(&["a.mp3"], "ba.mp3"));
        assert!(has(&["in_*.mp3"], "d/in_1.mp3") && !has(&["in_*.mp3"], "out_in_1.mp3"));
        assert!(has(&["2026/*/a?.wav"], "2026/01/a1.wav"));
        assert!(!has(&["2026/*.wav"], "2026/01/a1.wav"));
        assert!(!has(&["a+b*.mp3"], "aab.mp3"), "no regular expression");
    }

    #[test]
    fn names_in_windows_1251_can_be_read() {
        assert_eq!(readable(b"\xe7\xe2\xee\xed\xee\xea.mp3"), "звонок.mp3");
        assert_eq!(readable("звонок.mp3".as_bytes()), "звонок.mp3");
        assert_eq!(join(b"", b"a"), b"a");
        assert_eq!(join(b"/", b"a"), b"/a");
        assert_eq!(join(b"/d", b"a"), b"/d/a");
    }
}
