//! A file as an answer, whole or the part of it that is asked for (RFC 9110,
//! section 14). Used for recordings and for dropped files; the player of a
//! browser jumps by asking for parts.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use poem::http::StatusCode;
use poem::http::header::{CONTENT_RANGE, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE};
use poem::web::StaticFileResponse;
use poem::{Body, Request};
use tokio::io::AsyncReadExt;

use super::error::{ApiError, body};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// From the first byte to the first behind.
    Bytes(u64, u64),
    Nothing,
}

/// Answers with a file from its beginning, wherever it was read to.
pub(super) fn ranged(
    request: &Request,
    mut file: File,
    content_type: &str,
) -> poem::Result<StaticFileResponse> {
    let meta = file.metadata().map_err(failed)?;
    let size = meta.len();
    let etag = format!(
        "\"{:x}-{:x}-{:x}.{:x}\"",
        meta.ino(),
        size,
        meta.mtime(),
        meta.mtime_nsec()
    );
    let modified = Timestamp::new(meta.mtime(), 0).ok();
    let modified = modified.and_then(|time| {
        DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&time)
            .ok()
    });
    let header = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    if header(IF_NONE_MATCH).is_some_and(|known| matches_etag(known, &etag)) {
        return Ok(StaticFileResponse::NotModified);
    }
    // A part is of no use to whoever has the rest of another file.
    let same = header(IF_RANGE).is_none_or(|known| {
        known == etag.as_bytes()
            || modified
                .as_ref()
                .is_some_and(|time| known == time.as_bytes())
    });
    let part = match header(RANGE).filter(|_| same) {
        Some(range) => part(range, size),
        None => Part::Whole,
    };
    let (from, to) = match part {
        Part::Whole => (0, size),
        Part::Bytes(from, to) => (from, to),
        Part::Nothing => return Err(beyond(size)),
    };
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let file = tokio::fs::File::from_std(file).take(to - from);
    Ok(StaticFileResponse::Ok {
        body: Body::from_async_read(file),
        content_length: to - from,
        content_type: Some(content_type.to_owned()),
        etag: Some(etag),
        last_modified: modified,
        content_range: matches!(part, Part::Bytes(..)).then_some((from..to, size)),
        // It is somebody's call: no cache on the way keeps it, and one that does asks first.
        cache_control: Some("private, no-cache".to_owned()),
    })
}

fn failed(error: io::Error) -> poem::Error {
    ApiError::internal(&error).into()
}

fn beyond(size: u64) -> poem::Error {
    let message = format!("The file has {size} bytes: ask for a part of it.");
    let mut response = body(StatusCode::RANGE_NOT_SATISFIABLE, "bad_range", &message);
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    poem::Error::from_response(response)
}

fn matches_etag(header: &[u8], etag: &str) -> bool {
    header.split(|byte| *byte == b',').any(|one| {
        let one = one.trim_ascii();
        one == b"*" || one.strip_prefix(b"W/").unwrap_or(one) == etag.as_bytes()
    })
}

/// One part; several at once and what is not understood are answered with the whole.
fn part(range: &[u8], size: u64) -> Part {
    let Some((from, to)) = std::str::from_utf8(range)
        .ok()
        .and_then(|text| text.trim().strip_prefix("bytes="))
        .filter(|text| !text.contains(','))
        .and_then(|text| text.split_once('-'))
    else {
        return Part::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More than any file has.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (from, to) = (from.trim(), to.trim());
    match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => bytes(from, to.saturating_add(1), size),
        (Some(from), None) if to.is_empty() => bytes(from, size, size),
        (None, Some(last)) if from.is_empty() => bytes(size.saturating_sub(last), size, size),
        _ => Part::Whole,
    }
}

fn bytes(from: u64, to: u64, size: u64) -> Part {
    let to = to.min(size);
    if from < to {
        Part::Bytes(from, to)
    } else {
        Part::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        for (range, expected) in [
            ("bytes=0-0", Part::Bytes(0, 1)),
            ("bytes=0-", Part::Bytes(0, 10)),
            ("bytes=3-5", Part::Bytes(3, 6)),
            ("bytes=3-99999999999999999999999", Part::Bytes(3, 10)),
            ("bytes=-3", Part::Bytes(7, 10)),
            ("bytes=-30", Part::Bytes(0, 10)),
            ("bytes=10-", Part::Nothing),
            ("bytes=-0", Part::Nothing),
            ("bytes=5-3", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("lines=1-2", Part::Whole),
        ] {
            assert_eq!(part(range.as_bytes(), 10), expected, "{range}");
        }
        assert_eq!(part(b"bytes=0-", 0), Part::Nothing);
        assert_eq!(part(b"bytes=-1", 0), Part::Nothing);
    }

    #[test]
    fn tags() {
        assert!(matches_etag(b"\"a\", W/\"b\"", "\"b\""));
        assert!(matches_etag(b"*", "\"b\""));
        assert!(!matches_etag(b"\"a\"", "\"b\""));
    }
}
