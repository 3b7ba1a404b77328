//! Sound without a header: nothing in the file says how it is coded, so its
//! name's ending does, by configuration. Written in the configuration as
//! `"mulaw 8000 1"`; kept with the recording as a content type.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Most channels of a file without a header.
const MAX_CHANNELS: u16 = 8;

/// How samples without a header are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawCoding {
    /// G.711 µ-law.
    Mulaw,
    /// G.711 A-law.
    Alaw,
    /// 16 bits, low byte first ("signed linear").
    S16le,
    /// 16 bits, high byte first.
    S16be,
    /// G.722 at 64 kbit/s: always 16 kHz, one channel.
    G722,
}

/// Every coding with its name in the configuration and its media type
/// (RFC 3551, but for the 16 bits with the low byte first, which have none).
const CODINGS: [(RawCoding, &str, &str); 5] = [
    (RawCoding::Mulaw, "mulaw", "audio/PCMU"),
    (RawCoding::Alaw, "alaw", "audio/PCMA"),
    (RawCoding::S16le, "s16le", "audio/x-s16le"),
    (RawCoding::S16be, "s16be", "audio/L16"),
    (RawCoding::G722, "g722", "audio/G722"),
];

impl RawCoding {
    /// Name in the configuration.
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    fn entry(self) -> &'static (RawCoding, &'static str, &'static str) {
        // Every coding is in the table; the first stands in to have no panic here.
        CODINGS
            .iter()
            .find(|(coding, ..)| *coding == self)
            .unwrap_or(&CODINGS[0])
    }
}

/// How a file without a header is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawFormat {
    /// Coding of the samples.
    pub coding: RawCoding,
    /// Sample rate in Hz.
    pub rate_hz: u32,
    /// Interleaved channels.
    pub channels: u16,
}

impl RawFormat {
    /// As a content type, for example `audio/PCMU;rate=8000;channels=1`.
    pub fn content_type(&self) -> String {
        let media_type = self.coding.entry().2;
        format!(
            "{media_type};rate={};channels={}",
            self.rate_hz, self.channels
        )
    }

    /// Reads what [`RawFormat::content_type`] wrote; `None` for any other type.
    pub fn from_content_type(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let media_type = parts.next()?;
        let (coding, ..) = *CODINGS.iter().find(|(.., known)| *known == media_type)?;
        let rate_hz = parts.next()?.strip_prefix("rate=")?.parse().ok()?;
        let channels = parts.next()?.strip_prefix("channels=")?.parse().ok()?;
        Some(Self {
            coding,
            rate_hz,
            channels,
        })
    }
}

impl FromStr for RawFormat {
    type Err = String;

    /// Reads `coding [rate [channels]]`; without them 8000 Hz and one channel.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a coding (mulaw, alaw, s16le, s16be, g722), a sample rate from 4000 to 192000 and a number of channels from 1 to {MAX_CHANNELS}, such as \"mulaw 8000 1\""
            )
        };
        let mut parts = text.split_whitespace();
        let name = parts.next().ok_or_else(wrong)?;
        let (coding, ..) = *CODINGS
            .iter()
            .find(|(_, known, _)| *known == name)
            .ok_or_else(wrong)?;
        let usual_rate = if coding == RawCoding::G722 {
            16_000
        } else {
            8_000
        };
        let mut number = |usual: u32| match parts.next() {
            None => Ok(usual),
            Some(part) => part.parse().map_err(|_| wrong()),
        };
        let rate_hz = number(usual_rate)?;
        let channels = u16::try_from(number(1)?).map_err(|_| wrong())?;
        let possible = (4_000..=192_000).contains(&rate_hz)
            && (1..=MAX_CHANNELS).contains(&channels)
            && (coding != RawCoding::G722 || (rate_hz, channels) == (16_000, 1))
            && parts.next().is_none();
        if possible {
            Ok(Self {
                coding,
                rate_hz,
                channels,
            })
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for RawFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.coding.name(),
            self.rate_hz,
            self.channels
        )
    }
}

/// Which endings of names stand for which format; the ending is lower-case,
/// without the dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEndings(BTreeMap<String, RawFormat>);

/// Endings that are used for sound without a header, but by everybody for another coding.
const AMBIGUOUS: [&str; 8] = ["raw", "pcm", "vox", "sw", "sb", "ub", "lpcm", "g711"];

impl Default for RawEndings {
    /// What Asterisk and SoX write under these endings.
    fn default() -> Self {
        let mut endings = BTreeMap::new();
        let mut put = |names: &[&str], coding, rate_hz| {
            for name in names {
                endings.insert(
                    (*name).to_owned(),
                    RawFormat {
                        coding,
                        rate_hz,
                        channels: 1,
                    },
                );
            }
        };
        put(&["ulaw", "ul", "mulaw"], RawCoding::Mulaw, 8_000);
        put(&["alaw", "al"], RawCoding::Alaw, 8_000);
        put(&["g722"], RawCoding::G722, 16_000);
        put(&["sln", "slin"], RawCoding::S16le, 8_000);
        for (name, rate_hz) in [
            ("sln12", 12_000),
            ("sln16", 16_000),
            ("sln24", 24_000),
            ("sln32", 32_000),
            ("sln44", 44_100),
            ("sln48", 48_000),
            ("sln96", 96_000),
            ("sln192", 192_000),
        ] {
            put(&[name], RawCoding::S16le, rate_hz);
        }
        Self(endings)
    }
}

impl RawEndings {
    /// Gives an ending another meaning, or none.
    pub fn set(&mut self, ending: &str, format: Option<RawFormat>) {
        let ending = ending.trim_start_matches('.').to_lowercase();
        match format {
            Some(format) => self.0.insert(ending, format),
            None => self.0.remove(&ending),
        };
    }

    /// The format of a file with this name.
    pub fn of(&self, filename: &str) -> Option<RawFormat> {
        self.0.get(&ending(filename)?).copied()
    }
}

/// The ending of a name where it stands for sound without a header, whose coding
/// only the configuration can tell.
pub fn ambiguous_ending(filename: &str) -> Option<String> {
    ending(filename).filter(|ending| AMBIGUOUS.contains(&ending.as_str()))
}

fn ending(filename: &str) -> Option<String> {
    let (before, ending) = filename.rsplit_once('.')?;
    (!before.is_empty()).then(|| ending.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_written_and_read_back() {
        for (text, content_type) in [
            ("mulaw 8000 1", "audio/PCMU;rate=8000;channels=1"),
            ("alaw 8000 2", "audio/PCMA;rate=8000;channels=2"),
            ("s16le 44100 1", "audio/x-s16le;rate=44100;channels=1"),
            ("s16be 16000 1", "audio/L16;rate=16000;channels=1"),
            ("g722 16000 1", "audio/G722;rate=16000;channels=1"),
        ] {
            let format: RawFormat = text.parse().expect("a format");
            assert_eq!(format.to_string(), text);
            assert_eq!(format.content_type(), content_type);
            assert_eq!(RawFormat::from_content_type(content_type), Some(format));
        }
        assert_eq!("alaw".parse::<RawFormat>().expect("short").rate_hz, 8_000);
        assert_eq!("g722".parse::<RawFormat>().expect("short").rate_hz, 16_000);
        for wrong in [
            "",
            "mp3",
            "mulaw x",
            "mulaw 8000 0",
            "mulaw 1",
            "mulaw 8000 1 1",
            "g722 8000",
        ] {
            assert!(wrong.parse::<RawFormat>().is_err(), "{wrong}");
        }
        for other in [
            "audio/mpeg",
            "audio/PCMU",
            "audio/PCMU;rate=x;channels=1",
            "",
        ] {
            assert_eq!(RawFormat::from_content_type(other), None, "{other}");
        }
    }

    #[test]
    fn endings_stand_for_formats() {
        let mut endings = RawEndings::default();
        let text = |endings: &RawEndings, name| endings.of(name).map(|format| format.to_string());
        assert_eq!(text(&endings, "a.b.ULAW").as_deref(), Some("mulaw 8000 1"));
        assert_eq!(text(&endings, "a.sln16").as_deref(), Some("s16le 16000 1"));
        assert_eq!(text(&endings, "a.pcm"), None);
        assert_eq!(text(&endings, ".sln"), None);
        assert_eq!(text(&endings, "sln"), None);
        endings.set(".PCM", Some("alaw 8000 2".parse().expect("a format")));
        endings.set("sln", None);
        assert_eq!(text(&endings, "a.pcm").as_deref(), Some("alaw 8000 2"));
        assert_eq!(text(&endings, "a.sln"), None);
        assert_eq!(ambiguous_ending("a.PCM").as_deref(), Some("pcm"));
        assert_eq!(ambiguous_ending("a.mp3"), None);
    }
}
