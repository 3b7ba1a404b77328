//! Corrections of a transcript by people, and its versions.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::{EditCalls, ReadCalls, Who};
use super::calls::detail;
use super::detail::CallDetail;
use super::error::ApiError;
use super::transcript::TranscriptView;
use super::views::SpeakerView;
use crate::app::Parts;
use crate::domain::revise::{NewTurn, TurnEdit};
use crate::domain::transcript::{Author, Change};
use crate::store::{KeptVersion, Revision, StoreError};

pub(super) struct CorrectionsApi;

/// A part of a turn that is divided.
#[derive(Object)]
struct PartRequest {
    speaker: SpeakerView,
    text: String,
}

/// What shall become of one turn; what is left out stays.
#[derive(Object)]
struct TurnPatchRequest {
    /// Version of the transcript that was looked at; when there is a newer one nothing is changed.
    version: u32,
    /// Its words; those that stay keep their times. Without any word the turn is removed.
    text: Option<String>,
    speaker: Option<SpeakerView>,
    /// The turn divided, in place of `text` and `speaker`.
    parts: Option<Vec<PartRequest>>,
}

/// Which version was looked at.
#[derive(Object)]
struct RestoreRequest {
    /// The newest version that was seen; when there is a newer one nothing is changed.
    version: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum ChangeKindView {
    /// Recognized, for the first time or anew.
    Recognized,
    /// A turn was corrected.
    Edited,
    /// Operator and client were exchanged.
    Swapped,
    /// An earlier version was put back.
    Restored,
}

/// A correction of one turn.
#[derive(Object)]
struct EditView {
    start_ms: u64,
    /// The beginning of its text before.
    before: String,
    /// The beginning of its text after; empty when the turn was removed.
    after: String,
    /// Somebody else is the speaker now, of all or of a part.
    speaker_changed: bool,
}

/// A version of a transcript.
#[derive(Object)]
struct VersionView {
    /// 0 is the first recognition.
    version: u32,
    /// The call's transcript is this one.
    current: bool,
    /// Name of the person; null for the program.
    author: Option<String>,
    /// RFC 3339; null where it was made before versions were kept.
    made_at: Option<String>,
    change: ChangeKindView,
    edit: Option<EditView>,
    /// The version that was put back.
    restored_from: Option<u32>,
    model: String,
    language: String,
}

#[derive(Object)]
struct VersionsView {
    /// The newest first.
    items: Vec<VersionView>,
}

#[OpenApi]
impl CorrectionsApi {
    /// Correct a turn: its words, its speaker, or where it is divided. The call is scored again.
    #[oai(
        path = "/results/:id/turns/:index",
        method = "patch",
        operation_id = "patchTurn"
    )]
    async fn patch_turn(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<EditCalls>,
        id: Path<String>,
        index: Path<u32>,
        patch: Json<TurnPatchRequest>,
    ) -> Result<Json<CallDetail>, ApiError> {
        let TurnPatchRequest {
            version,
            text,
            speaker,
            parts: divided,
        } = patch.0;
        let to = match divided {
            Some(_) if text.is_some() || speaker.is_some() => {
                return Err(ApiError::bad_request(
                    "bad_edit",
                    "Give either the parts of the turn, or its text and speaker.",
                ));
            }
            Some(divided) => NewTurn::Divided(
                divided
                    .into_iter()
                    .map(|part| (part.speaker.into(), part.text))
                    .collect(),
            ),
            None => NewTurn::Changed {
                text,
                speaker: speaker.map(Into::into),
            },
        };
        let edit = TurnEdit {
            turn: index.0 as usize,
            to,
        };
        revise(parts, &who, &id.0, version, Revision::Edit(edit)).await
    }

    /// All versions of a call's transcript.
    #[oai(
        path = "/results/:id/versions",
        method = "get",
        operation_id = "versions"
    )]
    async fn versions(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
    ) -> Result<Json<VersionsView>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        let (versions, current) = parts
            .store
            .run(move |store| {
                let current = store.transcript(&id)?;
                Ok((store.versions(&id)?, current))
            })
            .await?;
        let current = current.map(|transcript| transcript.version.number);
        Ok(Json(VersionsView {
            items: versions
                .iter()
                .map(|kept| VersionView::new(kept, current))
                .collect(),
        }))
    }

    /// The transcript as it was in one version.
    #[oai(
        path = "/results/:id/versions/:version",
        method = "get",
        operation_id = "version"
    )]
    async fn version(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
        version: Path<u32>,
    ) -> Result<Json<TranscriptView>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        let number = version.0;
        let transcript = parts
            .store
            .run(move |store| {
                store.entry(&id)?.ok_or(StoreError::NotFound)?;
                store.version(&id, number)?.ok_or(StoreError::NoSuchVersion)
            })
            .await?;
        Ok(Json(TranscriptView::from(&transcript)))
    }

    /// Put an earlier version back, as a new version. The call is scored again.
    #[oai(
        path = "/results/:id/versions/:version/restore",
        method = "post",
        operation_id = "restoreVersion"
    )]
    async fn restore(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<EditCalls>,
        id: Path<String>,
        version: Path<u32>,
        request: Json<RestoreRequest>,
    ) -> Result<Json<CallDetail>, ApiError> {
        let revision = Revision::Restore(version.0);
        revise(parts, &who, &id.0, request.0.version, revision).await
    }
}

async fn revise(
    parts: &Arc<Parts>,
    who: &Who<EditCalls>,
    id: &str,
    seen: u32,
    revision: Revision,
) -> Result<Json<CallDetail>, ApiError> {
    let id = who.call(parts, id).await?;
    let (runner, wanted) = (Arc::clone(&parts.runner), id.clone());
    let author = who.user().name.clone();
    parts
        .store
        .run(move |_| runner.revise(&wanted, Some(seen), &revision, &author))
        .await?;
    detail(parts, id).await
}

impl VersionView {
    fn new(kept: &KeptVersion, current: Option<u32>) -> Self {
        let version = &kept.version;
        Self {
            version: version.number,
            current: current == Some(version.number),
            author: match &version.author {
                Author::Pipeline => None,
                Author::Person(name) => Some(name.clone()),
            },
            made_at: version.made_at.map(|time| time.to_string()),
            change: match version.change {
                Change::Recognized => ChangeKindView::Recognized,
                Change::Edited { .. } => ChangeKindView::Edited,
                Change::Swapped => ChangeKindView::Swapped,
                Change::Restored { .. } => ChangeKindView::Restored,
            },
            edit: match &version.change {
                Change::Edited {
                    start_ms,
                    before,
                    after,
                    speaker,
                } => Some(EditView {
                    start_ms: *start_ms,
                    before: before.clone(),
                    after: after.clone(),
                    speaker_changed: *speaker,
                }),
                Change::Recognized | Change::Swapped | Change::Restored { .. } => None,
            },
            restored_from: match version.change {
                Change::Restored { from } => Some(from),
                Change::Recognized | Change::Swapped | Change::Edited { .. } => None,
            },
            model: kept.model.clone(),
            language: kept.language.clone(),
        }
    }
}
