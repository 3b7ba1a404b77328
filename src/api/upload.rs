//! Taking recordings in over HTTP: streamed to disk, never whole in memory.

use std::sync::Arc;

use poem::web::{Data, Field, Multipart};
use poem::{FromRequest, Request, RequestBody};
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, ParsePayload, Payload};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object, OpenApi, impl_apirequest_for_payload};

use super::auth::{Upload, Who};
use super::calls::{StatusDetailView, status_of};
use super::error::{ApiError, ErrorView, refusal};
use super::views::{DirectionView, StatusView};
use crate::app::Parts;
use crate::domain::call::Direction;
use crate::domain::{CallDetails, Priority, Source};
use crate::intake::{Accepted, Arrival, IntakeError};
use crate::store::{Spool, StoreError};

/// Longest text field in bytes.
const MAX_TEXT_BYTES: usize = 4096;
/// Most files in one request.
const MAX_FILES: usize = 100;
/// Bytes handed to a blocking thread at once.
const WRITE_CHUNK: usize = 1 << 20;

/// Operations whose bodies are recordings: they have bounds of their own.
pub(super) const PATHS: [&str; 3] = ["/upload", "/upload/audio", "/upload/video"];

pub(super) struct UploadApi;

/// A multipart form with `files` and optional `operator_name`, `language` and `direction`.
struct UploadForm(Multipart);

impl Payload for UploadForm {
    const CONTENT_TYPE: &'static str = "multipart/form-data";

    fn check_content_type(content_type: &str) -> bool {
        content_type.starts_with(Self::CONTENT_TYPE)
    }

    fn schema_ref() -> MetaSchemaRef {
        let mut file = MetaSchema::new_with_format("string", "binary");
        file.description = Some("An audio or video recording; the type is found from the content.");
        let mut files = MetaSchema::new("array");
        files.items = Some(Box::new(MetaSchemaRef::Inline(Box::new(file))));
        let mut form = MetaSchema::new("object");
        form.required = vec!["files"];
        form.properties = vec![
            ("files", MetaSchemaRef::Inline(Box::new(files))),
            ("operator_name", String::schema_ref()),
            ("language", String::schema_ref()),
            ("direction", DirectionView::schema_ref()),
        ];
        MetaSchemaRef::Inline(Box::new(form))
    }
}

impl ParsePayload for UploadForm {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(Multipart::from_request(request, body).await?))
    }
}

impl_apirequest_for_payload!(UploadForm);

/// What became of one file.
#[derive(Object)]
struct UploadedView {
    /// Null when the file was not accepted.
    id: Option<String>,
    filename: String,
    status: Option<StatusView>,
    /// True when the same content was known already; `id` is that call's.
    duplicate: bool,
    /// Why the file was not accepted.
    error: Option<ErrorView>,
}

/// What became of all files.
#[derive(Object)]
struct UploadView {
    files: Vec<UploadedView>,
}

#[derive(ApiResponse)]
enum Uploaded {
    /// Each file was accepted or refused by itself.
    #[oai(status = 202)]
    Accepted(Json<UploadView>),
}

#[OpenApi]
impl UploadApi {
    /// Take in recordings.
    #[oai(path = "/upload", method = "post", operation_id = "upload")]
    async fn upload(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Upload>,
        form: UploadForm,
    ) -> Result<Uploaded, ApiError> {
        take_in(parts, &who, form).await
    }

    /// As `/upload`, under its earlier name.
    #[oai(path = "/upload/audio", method = "post", operation_id = "uploadAudio")]
    async fn upload_audio(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Upload>,
        form: UploadForm,
    ) -> Result<Uploaded, ApiError> {
        take_in(parts, &who, form).await
    }

    /// As `/upload`, under its earlier name.
    #[oai(path = "/upload/video", method = "post", operation_id = "uploadVideo")]
    async fn upload_video(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Upload>,
        form: UploadForm,
    ) -> Result<Uploaded, ApiError> {
        take_in(parts, &who, form).await
    }

    /// As `/status/{id}`, under its earlier name.
    #[oai(
        path = "/upload/status/:id",
        method = "get",
        operation_id = "uploadStatus"
    )]
    async fn upload_status(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Upload>,
        id: Path<String>,
    ) -> Result<Json<StatusDetailView>, ApiError> {
        status_of(parts, who.call(parts, &id.0).await?).await
    }
}

/// A file that was received, or why it was not.
struct Received {
    filename: String,
    spool: Result<Spool, IntakeError>,
}

async fn take_in(
    parts: &Arc<Parts>,
    who: &Who<Upload>,
    form: UploadForm,
) -> Result<Uploaded, ApiError> {
    let broken = |error: &dyn std::fmt::Display| {
        ApiError::bad_request("broken_form", format!("The form cannot be read: {error}"))
    };
    let mut form = form.0;
    let mut received = Vec::new();
    let mut operator = None;
    let mut language = None;
    let mut direction = None;
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        match field.name() {
            Some("operator_name") => operator = text(field).await?,
            Some("language") => language = text(field).await?,
            Some("direction") => direction = text(field).await?.map(who_called).transpose()?,
            Some("files" | "file") => {
                if received.len() == MAX_FILES {
                    return Err(ApiError::bad_request(
                        "too_many_files",
                        format!("Send at most {MAX_FILES} files at once."),
                    ));
                }
                let filename = field.file_name().unwrap_or("recording").to_owned();
                let spool = receive(parts, field)
                    .await
                    .map_err(|error| broken(&error))?;
                received.push(Received { filename, spool });
            }
            // A field that a newer client sends is no reason to refuse the files.
            Some(_) | None => {}
        }
    }
    if received.is_empty() {
        return Err(ApiError::bad_request(
            "no_files",
            "The form has no file: send at least one in the field 'files'.",
        ));
    }
    // The directory or the name of the file may say who it is, but not to whom it is shown.
    who.may_name(operator.as_deref())?;
    let mut files = Vec::new();
    for Received { filename, spool } in received {
        let arrival = Arrival {
            filename: filename.clone(),
            operator: operator.clone(),
            language: language.clone().filter(|language| !language.is_empty()),
            source: Source::Upload,
            direction,
            priority: Priority::Interactive,
            started_at: None,
            details: CallDetails::default(),
        };
        let accepted = match spool {
            Err(error) => Err(error),
            Ok(spool) => {
                let intake = Arc::clone(&parts.intake);
                tokio::task::spawn_blocking(move || intake.accept(spool, arrival))
                    .await
                    .unwrap_or(Err(StoreError::Interrupted.into()))
            }
        };
        files.push(match accepted {
            Ok(Accepted::New(id)) => {
                who.trace().subject(id.as_str());
                UploadedView {
                    id: Some(id.to_string()),
                    filename,
                    status: Some(StatusView::Queued),
                    duplicate: false,
                    error: None,
                }
            }
            Ok(Accepted::Known(id)) => {
                let known = id.clone();
                let entry = parts.store.run(move |store| store.entry(&known)).await?;
                // Of a call out of sight no more is told than that it is there.
                let entry = entry.filter(|entry| who.sight().sees(entry.call.operator.as_deref()));
                UploadedView {
                    id: entry.as_ref().map(|entry| entry.call.id.to_string()),
                    filename,
                    status: entry.map(|entry| StatusView::of(entry.job.state, entry.job.stage)),
                    duplicate: true,
                    error: None,
                }
            }
            Err(error) => UploadedView {
                id: None,
                filename,
                status: None,
                duplicate: false,
                error: Some(refusal(&error)),
            },
        });
    }
    Ok(Uploaded::Accepted(Json(UploadView { files })))
}

/// Writes a field to disk. The outer error ends the request (the form is
/// broken), the inner one refuses this file while the rest is read on.
async fn receive(
    parts: &Arc<Parts>,
    field: Field,
) -> Result<Result<Spool, IntakeError>, std::io::Error> {
    use tokio::io::AsyncReadExt;
    let mut reader = std::pin::pin!(field.into_async_read());
    let mut state = parts.intake.spool();
    loop {
        let mut chunk = Vec::with_capacity(WRITE_CHUNK);
        while chunk.len() < WRITE_CHUNK {
            if reader.read_buf(&mut chunk).await? == 0 {
                break;
            }
        }
        if chunk.is_empty() {
            return Ok(state);
        }
        if let Ok(mut spool) = state {
            let intake = Arc::clone(&parts.intake);
            state = tokio::task::spawn_blocking(move || {
                intake.write(&mut spool, &chunk).map(|()| spool)
            })
            .await
            .unwrap_or(Err(StoreError::Interrupted.into()));
        }
    }
}

fn who_called(text: String) -> Result<Direction, ApiError> {
    match text.as_str() {
        "inbound" => Ok(Direction::Inbound),
        "outbound" => Ok(Direction::Outbound),
        _ => Err(ApiError::bad_request(
            "bad_details",
            "The direction is \"inbound\" (the client called) or \"outbound\" (the operator called).",
        )),
    }
}

/// A short text field; empty is `None`.
async fn text(field: Field) -> Result<Option<String>, ApiError> {
    use tokio::io::AsyncReadExt;
    let mut bytes = Vec::new();
    let mut reader = std::pin::pin!(field.into_async_read().take(MAX_TEXT_BYTES as u64 + 1));
    reader
        .read_to_end(&mut bytes)
        .await
        .map_err(|error| ApiError::bad_request("broken_form", error.to_string()))?;
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(ApiError::bad_request(
            "bad_details",
            "A text field of the form is too long.",
        ));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| ApiError::bad_request("bad_details", "A text field is not UTF-8."))?;
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
