//! The content of dropped files: played, downloaded one by one or as an archive.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use poem::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use poem::web::{Data, StaticFileResponse};
use poem::{Body, Request};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Binary, Json, Response};
use poem_openapi::{Object, OpenApi};
use tokio::sync::Semaphore;

use super::archive::{self, Member};
use super::auth::{Settings, Who};
use super::error::ApiError;
use super::export::disposition;
use super::ranged::ranged;
use super::sftp_files::drop_box;
use super::sftp_names::{Chosen, SftpSelection, file_of, path, too_many};
use crate::app::Parts;
use crate::intake::drop::DropError;
use crate::store::{DroppedName, Store, StoreError};

pub(super) struct SftpStreamApi;

/// Most files of an archive. Of their bytes there is no bound: the archive is not kept anywhere.
const MOST_FILES: usize = 10_000;
/// Archives that are sent at the same time; each has a thread.
const AT_ONCE: usize = 8;
/// Archives that were asked for and not fetched yet.
const MOST_PREPARED: usize = 16;
/// So long an archive that was asked for can be fetched.
const KEPT: Duration = Duration::from_secs(600);

/// Archives that were asked for, and those that are being sent.
pub struct Downloads {
    prepared: Mutex<HashMap<String, Prepared>>,
    sending: Arc<Semaphore>,
}

struct Prepared {
    at: Instant,
    files: Arc<Vec<DroppedName>>,
}

impl Default for Downloads {
    fn default() -> Self {
        Self {
            prepared: Mutex::default(),
            sending: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Downloads {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Prepared>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, files: Vec<DroppedName>) -> String {
        let id = ulid::Ulid::generate().to_string();
        let mut prepared = self.lock();
        prepared.retain(|_, kept| kept.at.elapsed() < KEPT);
        while prepared.len() >= MOST_PREPARED
            && let Some(oldest) = prepared
                .iter()
                .min_by_key(|(_, kept)| kept.at)
                .map(|(id, _)| id.clone())
        {
            prepared.remove(&oldest);
        }
        let kept = Prepared {
            at: Instant::now(),
            files: Arc::new(files),
        };
        prepared.insert(id.clone(), kept);
        id
    }

    fn get(&self, id: &str) -> Option<Arc<Vec<DroppedName>>> {
        let prepared = self.lock();
        let kept = prepared.get(id).filter(|kept| kept.at.elapsed() < KEPT)?;
        Some(Arc::clone(&kept.files))
    }
}

/// An archive that can be fetched at `/sftp/download/{id}` for ten minutes.
#[derive(Object)]
struct PreparedView {
    id: String,
    /// Files in it.
    files: u64,
    /// Their bytes.
    bytes: u64,
}

#[OpenApi]
impl SftpStreamApi {
    /// The content of a file to be played; `Range` requests are answered. The type is found from the content.
    #[oai(
        path = "/sftp/files/:filename/stream",
        method = "get",
        operation_id = "streamSftpFile"
    )]
    async fn stream(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        /// The `name` of the list: the path as one part of the address ('/' as %2F).
        filename: Path<String>,
        /// Whose folder.
        user: Query<String>,
        request: &Request,
    ) -> poem::Result<Response<StaticFileResponse>> {
        content(parts, request, "inline", &user.0, &filename.0).await
    }

    /// The content of a file to be kept; `Range` requests are answered.
    #[oai(
        path = "/sftp/files/:filename/download",
        method = "get",
        operation_id = "downloadSftpFile"
    )]
    async fn download(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        /// The `name` of the list: the path as one part of the address ('/' as %2F).
        filename: Path<String>,
        /// Whose folder.
        user: Query<String>,
        request: &Request,
    ) -> poem::Result<Response<StaticFileResponse>> {
        content(parts, request, "attachment", &user.0, &filename.0).await
    }

    /// A ZIP archive of files, at most 10000, as `user/path`. It is made while it is sent; a text
    /// in it tells what could not be included.
    #[oai(
        path = "/sftp/download",
        method = "post",
        operation_id = "downloadSftpFiles"
    )]
    async fn archive(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        request: Json<SftpSelection>,
    ) -> Result<Response<Binary<Body>>, ApiError> {
        let files = chosen(parts, request.0).await?;
        send(parts, Arc::new(files))
    }

    /// Choose the files of an archive that a browser then fetches from `/sftp/download/{id}`.
    #[oai(
        path = "/sftp/download/prepare",
        method = "post",
        operation_id = "prepareSftpDownload"
    )]
    async fn prepare(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        request: Json<SftpSelection>,
    ) -> Result<Json<PreparedView>, ApiError> {
        drop_box(parts)?;
        let files = chosen(parts, request.0).await?;
        Ok(Json(PreparedView {
            files: files.len() as u64,
            bytes: files.iter().map(|file| file.size_bytes).sum(),
            id: parts.downloads.keep(files),
        }))
    }

    /// The ZIP archive that was chosen before.
    #[oai(
        path = "/sftp/download/:id",
        method = "get",
        operation_id = "fetchSftpDownload"
    )]
    async fn fetch(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        id: Path<String>,
    ) -> Result<Response<Binary<Body>>, ApiError> {
        let files = parts.downloads.get(&id.0).ok_or_else(|| {
            ApiError::missing(
                "download_expired",
                "This archive was asked for too long ago: choose the files again.",
            )
        })?;
        send(parts, files)
    }
}

async fn content(
    parts: &Arc<Parts>,
    request: &Request,
    kind: &'static str,
    user: &str,
    filename: &str,
) -> poem::Result<Response<StaticFileResponse>> {
    let (user, bytes) = file_of(user, filename)?;
    let drop_box = drop_box(parts)?;
    let path = path(bytes);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let header = disposition(kind, &name);
    let opened = parts
        .store
        .run(move |_| {
            Ok(drop_box.open(&user, &path).and_then(|file| {
                let head = file.try_clone().map_err(DropError::Io)?;
                Ok((file, drop_box.inspect(head, &path)))
            }))
        })
        .await
        .map_err(ApiError::from)?;
    let (file, inspected) = opened.map_err(ApiError::from)?;
    // What is no recording is shown by no browser, whatever its name says.
    let content_type = inspected.map_or_else(
        || "application/octet-stream".to_owned(),
        |inspected| inspected.content_type,
    );
    let answer = ranged(request, file, &content_type)?;
    Ok(Response::new(answer).header(CONTENT_DISPOSITION, header))
}

/// The files of an archive.
async fn chosen(
    parts: &Arc<Parts>,
    selection: SftpSelection,
) -> Result<Vec<DroppedName>, ApiError> {
    let chosen = selection.read(MOST_FILES)?;
    let files = parts.store.run(move |store| names(store, chosen)).await?;
    if files.len() > MOST_FILES {
        return Err(too_many(MOST_FILES));
    }
    if files.is_empty() {
        return Err(ApiError::bad_request(
            "no_files",
            "No file was chosen, or none passes the filter any more.",
        ));
    }
    Ok(files)
}

fn names(store: &Store, chosen: Chosen) -> Result<Vec<DroppedName>, StoreError> {
    let files = match chosen {
        Chosen::All(filter) => return store.dropped_matching(&filter, MOST_FILES + 1),
        Chosen::Files(files) => files,
    };
    let mut names = Vec::with_capacity(files.len());
    for (user, path) in files {
        let Some(row) = store.dropped_row(&user, &path)? else {
            continue;
        };
        let name = DroppedName {
            user,
            path,
            size_bytes: row.file.size_bytes,
            kind: row.kind,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Sends the archive while it is made.
fn send(
    parts: &Arc<Parts>,
    files: Arc<Vec<DroppedName>>,
) -> Result<Response<Binary<Body>>, ApiError> {
    let drop_box = drop_box(parts)?;
    let sending = Arc::clone(&parts.downloads.sending);
    let Ok(permit) = sending.try_acquire_owned() else {
        return Err(ApiError::conflict(
            "too_many_downloads",
            "Several archives are being downloaded: wait until one of them is done.",
        ));
    };
    let zone = parts.intake.names().zone().clone();
    let (mut pipe, pieces) = archive::pipe();
    let store = Arc::clone(&parts.store);
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let members = files.iter().map(|file| {
            let known = store.dropped(&file.user, &file.path).ok().flatten();
            Member {
                name: format!("{}/{}", file.user, String::from_utf8_lossy(&file.path)),
                modified_at: known.map(|known| known.modified_at).unwrap_or_default(),
            }
        });
        let open = |number: usize| {
            let file = &files[number];
            let at = std::path::Path::new(std::ffi::OsStr::from_bytes(&file.path));
            drop_box.open(&file.user, at).map_err(|error| match error {
                DropError::Io(error) => {
                    tracing::error!(%error, "a dropped file cannot be read");
                    "it cannot be read".to_owned()
                }
                error => error.to_string(),
            })
        };
        match archive::write(&mut pipe, members, open, &zone) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            Err(error) => {
                tracing::warn!(%error, "an archive of dropped files breaks off");
                pipe.fail(error);
            }
        }
    });
    let stream = futures_util::stream::unfold(pieces, |mut pieces| async {
        pieces.recv().await.map(|piece| (piece, pieces))
    });
    let name = format!(
        "sftp-{}.zip",
        jiff::Timestamp::now().strftime("%Y-%m-%d-%H%M%S")
    );
    Ok(Response::new(Binary(Body::from_bytes_stream(stream)))
        .header(CONTENT_TYPE, "application/zip")
        .header(CACHE_CONTROL, "no-store")
        .header(CONTENT_DISPOSITION, disposition("attachment", &name)))
}
