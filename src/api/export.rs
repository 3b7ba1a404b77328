//! Transcripts as files to be downloaded.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use poem::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{PlainText, Response};
use poem_openapi::{Enum, OpenApi};

use super::auth::{ReadCalls, Who};
use super::error::ApiError;
use crate::app::Parts;
use crate::domain::audit::is_deceptive;
use crate::export::{self, Format, Names, Reviewed};
use crate::store::StoreError;

pub(super) struct ExportApi;

/// What stands for itself in an address and in a header.
pub(super) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The form of the file.
#[derive(Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
enum FormatView {
    /// A line a turn.
    Txt,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
    /// Everything, with the time of each word.
    Json,
}

/// The language of the speakers' names.
#[derive(Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
enum NamesView {
    Ru,
    En,
}

#[OpenApi]
impl ExportApi {
    /// The transcript as a file: text, subtitles or JSON, with the speakers. JSON of the current
    /// version has the score as well: what the machine says and what people made of it.
    #[oai(
        path = "/results/:id/transcript",
        method = "get",
        operation_id = "transcriptFile"
    )]
    async fn transcript(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
        format: Query<FormatView>,
        /// Language of the speakers' names, `ru` when left out.
        lang: Query<Option<NamesView>>,
        /// An earlier version; the current one when left out.
        version: Query<Option<u32>>,
    ) -> Result<Response<PlainText<String>>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        let format = match format.0 {
            FormatView::Txt => Format::Txt,
            FormatView::Srt => Format::Srt,
            FormatView::Vtt => Format::Vtt,
            FormatView::Json => Format::Json,
        };
        let names = match lang.0 {
            None | Some(NamesView::Ru) => Names::Ru,
            Some(NamesView::En) => Names::En,
        };
        let version = version.0;
        let (filename, text) = parts
            .store
            .run(move |store| {
                let call = store.entry(&id)?.ok_or(StoreError::NotFound)?.call;
                let transcript = match version {
                    None => store.transcript(&id)?.ok_or(StoreError::NotTranscribed)?,
                    Some(number) => store
                        .version(&id, number)?
                        .ok_or(StoreError::NoSuchVersion)?,
                };
                // The score is of the current transcript.
                let score = match version {
                    None => store.score(&id)?,
                    Some(_) => None,
                };
                let reviews = store.reviews(&id)?;
                let score = score.as_ref().map(|score| Reviewed {
                    score,
                    reviews: &reviews,
                });
                let text = export::write(&transcript, &call.filename, format, names, score);
                Ok((call.filename, text))
            })
            .await?;
        Ok(Response::new(PlainText(text))
            .header(CONTENT_TYPE, format.content_type())
            .header(
                CONTENT_DISPOSITION,
                attachment(&filename, format.extension()),
            ))
    }
}

/// `Content-Disposition` of a file named as the recording, with another ending.
fn attachment(recording: &str, extension: &str) -> String {
    let stem = match recording.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => recording,
    };
    disposition("attachment", &format!("{stem}.{extension}"))
}

/// `Content-Disposition` of a file: a name of ASCII for old programs, and the
/// real one (RFC 6266, RFC 8187). `kind` is `attachment` or `inline`.
pub(super) fn disposition(kind: &str, name: &str) -> String {
    // A browser shows the name: what turns or hides a part of it is left out.
    let name: String = name.chars().filter(|c| !is_deceptive(*c)).collect();
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '%' => '_',
            c if c.is_ascii_graphic() || c == ' ' => c,
            _ => '_',
        })
        .collect();
    let encoded = utf8_percent_encode(&name, UNRESERVED);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::attachment;

    #[test]
    fn names_of_files_are_sent_in_both_forms() {
        assert_eq!(
            attachment("звонок \"1\".mp3", "srt"),
            "attachment; filename=\"______ _1_.srt\"; filename*=UTF-8''%D0%B7%D0%B2%D0%BE%D0%BD%D0%BE%D0%BA%20%221%22.srt"
        );
        assert_eq!(
            attachment("a", "txt"),
            "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"
        );
    }

    #[test]
    fn a_name_adds_no_header_and_hides_no_ending() {
        for (name, sent) in [
            (
                "\"\r\nSet-Cookie: a=b",
                "attachment; filename=\"_Set-Cookie: a=b\"; filename*=UTF-8''%22Set-Cookie%3A%20a%3Db",
            ),
            (
                "звонок\u{202e}3pm.exe",
                "attachment; filename=\"______3pm.exe\"; filename*=UTF-8''%D0%B7%D0%B2%D0%BE%D0%BD%D0%BE%D0%BA3pm.exe",
            ),
            (
                "a\\\"; filename=x.html",
                "attachment; filename=\"a__; filename=x.html\"; filename*=UTF-8''a%5C%22%3B%20filename%3Dx.html",
            ),
            (
                "<img src=x onerror=alert(1)>",
                "attachment; filename=\"<img src=x onerror=alert(1)>\"; filename*=UTF-8''%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E",
            ),
        ] {
            let header = super::disposition("attachment", name);
            assert_eq!(header, sent);
            assert!(poem::http::HeaderValue::from_str(&header).is_ok());
        }
    }
}
