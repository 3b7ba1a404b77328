//! Lines of FTP listings: MLSD (RFC 3659), and what LIST prints on Unix and on
//! Windows. Names are bytes as they come.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use regex::bytes::{Captures, Regex};

use super::remote::{Entry, Kind};

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// `drwxr-xr-x 2 owner group 4096 Jan 31 10:20 name`; the group may be missing.
static UNIX: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?s-u)^([-dlbcps])\S{9}\S*\s+\d+\s+(?:\S+\s+){1,2}?(\d+)\s+(?:([A-Za-z]{3})\s+(\d{1,2})|(\d{1,2})\s+([A-Za-z]{3}))\s+(\d{4}|\d{1,2}:\d{2})\s(.+)$").ok()
});
/// `01-31-26  10:20AM  <DIR>  name`, with a year of two or four digits.
static DOS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?s-u)^(\d{2})-(\d{2})-(\d{2}|\d{4})\s+(\d{1,2}):(\d{2})\s*([AaPp][Mm])?\s+(<DIR>|<JUNCTION>|\d+)\s+(.+)$").ok()
});

/// An entry of MLSD: `type=file;size=1;modify=20260131102000; name`.
pub(super) fn mlsd(line: &[u8]) -> Option<Entry> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let (facts, name) = (&line[..space], &line[space + 1..]);
    let facts = std::str::from_utf8(facts).ok()?;
    let mut entry = Entry {
        name: name.to_vec(),
        kind: Kind::Other,
        size: 0,
        modified_s: None,
    };
    for fact in facts.split(';').filter(|fact| !fact.is_empty()) {
        let (key, value) = fact.split_once('=')?;
        match key.to_ascii_lowercase().as_str() {
            "type" => {
                entry.kind = match value.to_ascii_lowercase().as_str() {
                    "file" => Kind::File,
                    "dir" => Kind::Dir,
                    _ => Kind::Other,
                }
            }
            "size" => entry.size = value.parse().ok()?,
            "modify" => entry.modified_s = digits_time(value),
            _ => {}
        }
    }
    usable(entry)
}

/// `20260131102000`, perhaps with a fraction, in UTC.
fn digits_time(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    let at = DateTime::new(
        number(0, 4)?,
        i8::try_from(number(4, 6)?).ok()?,
        i8::try_from(number(6, 8)?).ok()?,
        i8::try_from(number(8, 10)?).ok()?,
        i8::try_from(number(10, 12)?).ok()?,
        i8::try_from(number(12, 14)?).ok()?.min(59),
        0,
    )
    .ok()?;
    Some(TimeZone::UTC.to_timestamp(at).ok()?.as_second())
}

/// A line of LIST. Its times have no zone: they tell files apart and give them an
/// order. On Unix they lose their minutes when they grow old.
pub(super) fn list(line: &[u8], now: Timestamp) -> Option<Entry> {
    let unix = UNIX.as_ref().and_then(|regex| regex.captures(line));
    if let Some(found) = unix {
        return usable(unix_entry(&found, now)?);
    }
    let found = DOS.as_ref()?.captures(line)?;
    let what = &found[7];
    let year: i16 = text(&found, 3)?.parse().ok()?;
    let year = if year < 100 { 2000 + year } else { year };
    let date = Date::new(
        year,
        text(&found, 1)?.parse().ok()?,
        text(&found, 2)?.parse().ok()?,
    );
    usable(Entry {
        name: found[8].to_vec(),
        kind: match what {
            b"<DIR>" => Kind::Dir,
            b"<JUNCTION>" => Kind::Other,
            _ => Kind::File,
        },
        size: text(&found, 7)?.parse().unwrap_or(0),
        modified_s: date.ok().and_then(day_s),
    })
}

fn unix_entry(found: &Captures<'_>, now: Timestamp) -> Option<Entry> {
    let kind = match &found[1] {
        b"-" => Kind::File,
        b"d" => Kind::Dir,
        _ => Kind::Other,
    };
    let month = text(found, 3).or_else(|| text(found, 6))?;
    let day: i8 = text(found, 4).or_else(|| text(found, 5))?.parse().ok()?;
    let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let month = months
        .iter()
        .position(|known| known.eq_ignore_ascii_case(month));
    let year = text(found, 7)?;
    let modified_s = month.and_then(|month| {
        let month = i8::try_from(month).ok()? + 1;
        let Some((hour, minute)) = year.split_once(':') else {
            return day_s(Date::new(year.parse().ok()?, month, day).ok()?);
        };
        let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
        // Without a year it is the last such day; a clock may go ahead by a day.
        let this = now.to_zoned(TimeZone::UTC).year();
        [this + 1, this, this - 1, this - 4]
            .into_iter()
            .filter_map(|year| day_s(Date::new(year, month, day).ok()?))
            .find(|at| *at <= now.as_second() + 2 * DAY_S)
            .map(|at| at + hour.min(23) * 3600 + minute.min(59) * 60)
    });
    Some(Entry {
        name: found[8].to_vec(),
        kind,
        size: text(found, 2)?.parse().ok()?,
        modified_s,
    })
}

fn day_s(date: Date) -> Option<i64> {
    let at = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(at.as_second())
}

fn text<'a>(found: &'a Captures<'_>, index: usize) -> Option<&'a str> {
    std::str::from_utf8(found.get(index)?.as_bytes()).ok()
}

/// Names that lead elsewhere are none.
fn usable(entry: Entry) -> Option<Entry> {
    is_name(&entry.name).then_some(entry)
}

/// Whether a name is one that a path can be made of and a command can hold.
pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name != b"."
        && name != b".."
        && name.len() <= 1024
        && !name
            .iter()
            .any(|byte| matches!(byte, b'/' | 0 | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-05T12:00:00Z".parse().expect("a time")
    }

    fn day(text: &str) -> Option<i64> {
        day_s(text.parse().expect("a date"))
    }

    fn parsed(line: &[u8]) -> (Vec<u8>, Kind, u64, Option<i64>) {
        let entry = list(line, now()).unwrap_or_else(|| panic!("{}", line.escape_ascii()));
        (entry.name, entry.kind, entry.size, entry.modified_s)
    }

    #[test]
    fn unix_lists() {
        for (line, name, kind, size, date) in [
            (
                "-rw-r--r--    1 1000     1000        12345 Mar 05 10:20 a b.mp3",
                "a b.mp3",
                Kind::File,
                12345,
                "2026-03-05",
            ),
            (
                "-rw-r--r-- 1 ftp ftp 7 Nov 20 10:33 звонок.mp3",
                "звонок.mp3",
                Kind::File,
                7,
                "2025-11-20",
            ),
            (
                "-rw-r--r--+ 1 ftp 7 Nov 20  2019 x.wav",
                "x.wav",
                Kind::File,
                7,
                "2019-11-20",
            ),
            (
                "drwxr-xr-x   2 root     root  4096 5 Mar 10:20 d",
                "d",
                Kind::Dir,
                4096,
                "2026-03-05",
            ),
            (
                "lrwxrwxrwx   1 root     root  4 Mar  5 10:20 l -> d",
                "l -> d",
                Kind::Other,
                4,
                "",
            ),
            (
                "-rw-r--r-- 1 a b 5 Feb 29  2024  two spaces.mp3",
                " two spaces.mp3",
                Kind::File,
                5,
                "2024-02-29",
            ),
        ] {
            let (found, is, bytes, modified) = parsed(line.as_bytes());
            assert_eq!(
                (found.as_slice(), is, bytes),
                (name.as_bytes(), kind, size),
                "{line}"
            );
            if !date.is_empty() && kind == Kind::File {
                let told = modified.map(|at| at - at.rem_euclid(DAY_S));
                assert_eq!(told, day(date), "{line}");
            }
        }
        // The same time is told with minutes first, with a year later.
        let young = parsed(b"-rw-r--r-- 1 a b 5 Nov 20 10:33 a.mp3");
        let old = parsed(b"-rw-r--r-- 1 a b 5 Nov 20  2025 a.mp3");
        assert!(crate::domain::pull::same_time(young.3, old.3) && young.3 > old.3);
        // Windows-1251 is no UTF-8.
        let (name, ..) = parsed(b"-rw-r--r-- 1 a b 5 Mar 05 10:20 \xe7\xe2\xee\xed\xee\xea.mp3");
        assert_eq!(name, b"\xe7\xe2\xee\xed\xee\xea.mp3");
    }

    #[test]
    fn dos_lists() {
        let file = parsed(b"03-04-26  02:15PM              1048576 in 1.mp3");
        assert_eq!(
            file,
            (
                b"in 1.mp3".to_vec(),
                Kind::File,
                1_048_576,
                day("2026-03-04")
            )
        );
        let dir = parsed(b"12-31-2025  11:59AM       <DIR>          archive");
        assert_eq!((dir.0.as_slice(), dir.1), (&b"archive"[..], Kind::Dir));
    }

    #[test]
    fn mlsd_lists() {
        let entry =
            mlsd("type=file;size=12;modify=20260304141516.123;perm=r; имя 1.mp3".as_bytes())
                .expect("an entry");
        assert_eq!(entry.name, "имя 1.mp3".as_bytes());
        assert_eq!((entry.kind, entry.size), (Kind::File, 12));
        let at: Timestamp = "2026-03-04T14:15:16Z".parse().expect("a time");
        assert_eq!(entry.modified_s, Some(at.as_second()));
        assert_eq!(
            mlsd(b"Type=DIR; d").map(|entry| entry.kind),
            Some(Kind::Dir)
        );
        assert_eq!(
            mlsd(b"type=OS.unix=slink:/etc; l").map(|entry| entry.kind),
            Some(Kind::Other)
        );
    }

    #[test]
    fn hostile_lines_are_no_entries() {
        for line in [
            &b"total 12"[..],
            b"",
            b"-rw-r--r-- 1 a b 5 Mar 05 10:20 ..",
            b"-rw-r--r-- 1 a b 5 Mar 05 10:20 a/../../b",
            b"-rw-r--r-- 1 a b 99999999999999999999999 Mar 05 10:20 a",
            b"-rw-r--r-- 1 a b 5 Mar 05 10:20 a\rDELE b",
        ] {
            assert_eq!(list(line, now()), None, "{}", line.escape_ascii());
        }
        for line in [
            &b"type=file;size=12;modify=1; .."[..],
            b"type=file;size=x; a",
            b"nothing",
            b"type=cdir; .",
            b"type=file;size=1; a/b",
            b"\xff=1; a",
        ] {
            assert_eq!(mlsd(line), None, "{}", line.escape_ascii());
        }
        let endless = [
            b"-rw-r--r-- 1 a b 5 Mar 05 10:20 ".as_slice(),
            &[b'a'; 5000],
        ]
        .concat();
        assert_eq!(list(&endless, now()), None);
    }
}
