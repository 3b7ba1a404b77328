//! Scorecards: versions, the one in force, checking as one types, drafts.

use std::sync::Arc;

use jiff::Timestamp;
use poem::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{Json, PlainText, Response};
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::{ReadCalls, Settings, Who};
use super::card_document::CardDocumentView;
use super::card_drafts::CardDraftView;
use super::error::ApiError;
use crate::app::Parts;
use crate::domain::Scorecard;
use crate::domain::card_document::CardDocument;
use crate::domain::card_fault::{Fault, InvalidScorecard};
use crate::domain::card_version::{CardKey, CardNote, CardOrigin};
use crate::domain::scorecard::MetricName;
use crate::domain::scorecard_toml::{self, DEFAULT_SCORECARD};
use crate::pipeline::score::Rules;
use crate::store::{CardVersion, Enforced, StoreError};

/// Longest comment on a version, in characters.
const MAX_COMMENT: usize = 500;

pub(super) struct ScorecardsApi;

#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum OriginView {
    /// It came with the program.
    BuiltIn,
    /// The file that the configuration names.
    File,
    /// A person, on the page.
    Person,
}

/// One version.
#[derive(Object)]
struct CardVersionView {
    id: String,
    version: u32,
    name: String,
    in_force: bool,
    /// Null for versions of the first programs.
    created_at: Option<String>,
    origin: Option<OriginView>,
    author: Option<String>,
    comment: String,
}

/// A version that came into force.
#[derive(Object)]
struct EnforcedView {
    id: String,
    version: u32,
    at: String,
    /// The account; null where a start of the program did it.
    by: Option<String>,
}

/// All there is.
#[derive(Object)]
struct ScorecardsView {
    /// The newest of each scorecard first.
    versions: Vec<CardVersionView>,
    drafts: Vec<CardDraftView>,
    /// What was in force, the latest first.
    history: Vec<EnforcedView>,
    /// The configuration names a file: a change of it takes over at the next start.
    from_file: bool,
    /// Metrics that an item can hold against bounds.
    metrics: Vec<MetricView>,
}

/// A metric.
#[derive(Object)]
struct MetricView {
    name: String,
    /// `percent`, `per_min`, `s`, `wpm`, `ratio`, `count`, `dbfs`.
    unit: String,
}

/// The content of a version.
#[derive(Object)]
struct CardContentView {
    id: String,
    version: u32,
    /// The file, as it was written.
    text: String,
    document: CardDocumentView,
}

/// A fault with its place.
#[derive(Object)]
struct FaultView {
    /// Stable name of the kind.
    code: String,
    /// Path of keys in the file, or the line.
    place: String,
    /// Number of the criterion, from 0.
    criterion: Option<u32>,
    /// Number of the item in it, from 0.
    item: Option<u32>,
    /// What it is about: a phrase, a name, or what the reader of the form says.
    detail: String,
    /// The same in one English sentence.
    message: String,
}

/// A scorecard to be looked at: as a file or as a form.
#[derive(Object)]
struct CardCheckRequest {
    text: Option<String>,
    document: Option<CardDocumentView>,
}

/// What there is to say of it.
#[derive(Object)]
struct CardCheckView {
    /// None: it could be put in force.
    faults: Vec<FaultView>,
    /// The file.
    text: String,
    /// The form; null where the file cannot be read.
    document: Option<CardDocumentView>,
}

/// A new version.
#[derive(Object)]
struct PublishRequest {
    text: String,
    /// What the change is for.
    comment: Option<String>,
    /// Put it in force at once.
    activate: Option<bool>,
    /// A draft that is thrown away with that.
    draft_id: Option<String>,
}

impl From<Enforced> for EnforcedView {
    fn from(enforced: Enforced) -> Self {
        Self {
            id: enforced.key.id,
            version: enforced.key.version,
            at: enforced.at.to_string(),
            by: enforced.by,
        }
    }
}

impl From<Fault> for FaultView {
    fn from(fault: Fault) -> Self {
        Self {
            code: fault.code.name().to_owned(),
            message: fault.to_string(),
            place: fault.place,
            criterion: fault.criterion.map(|number| number as u32),
            item: fault.item.map(|number| number as u32),
            detail: fault.detail,
        }
    }
}

impl From<InvalidScorecard> for ApiError {
    fn from(invalid: InvalidScorecard) -> Self {
        Self::bad_request("bad_scorecard", invalid.to_string())
    }
}

fn version_view(version: CardVersion, in_force: &CardKey) -> CardVersionView {
    let note = version.note;
    CardVersionView {
        in_force: version.key == *in_force,
        id: version.key.id,
        version: version.key.version,
        name: version.name,
        created_at: note.as_ref().map(|note| note.created_at.to_string()),
        origin: note.as_ref().map(|note| match note.origin {
            CardOrigin::BuiltIn => OriginView::BuiltIn,
            CardOrigin::File => OriginView::File,
            CardOrigin::Person => OriginView::Person,
        }),
        author: note.as_ref().and_then(|note| note.author.clone()),
        comment: note.map(|note| note.comment).unwrap_or_default(),
    }
}

fn in_force(parts: &Parts) -> CardKey {
    let rules = parts.runner.tools().in_force.rules();
    CardKey {
        id: rules.card().id.clone(),
        version: rules.card().version,
    }
}

fn content(key: CardKey, text: String) -> Result<CardContentView, ApiError> {
    let document = scorecard_toml::read(&text)?;
    Ok(CardContentView {
        id: key.id,
        version: key.version,
        text,
        document: CardDocumentView::new(&document)?,
    })
}

/// Compiles what will be tried or kept; megabytes of phrases are not compiled on an async thread.
pub(super) async fn compiled(text: String) -> Result<Scorecard, ApiError> {
    let card = tokio::task::spawn_blocking(move || scorecard_toml::parse(&text, 0))
        .await
        .map_err(|_| StoreError::Interrupted)??;
    Ok(card)
}

/// Puts a kept version in force.
async fn enforce(parts: &Arc<Parts>, key: CardKey, by: String) -> Result<(), ApiError> {
    let runner = Arc::clone(&parts.runner);
    parts
        .store
        .run(move |store| {
            let card = store.enforce_scorecard(&key, &by, Timestamp::now())?;
            tracing::info!(
                id = card.id,
                version = card.version,
                by,
                "a scorecard is put in force"
            );
            runner.tools().in_force.replace(Rules::compile(card));
            Ok(())
        })
        .await?;
    Ok(())
}

#[OpenApi]
impl ScorecardsApi {
    /// All versions of scorecards, drafts, and what was in force when.
    #[oai(path = "/scorecards", method = "get", operation_id = "scorecards")]
    async fn list(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<ReadCalls>,
    ) -> Result<Json<ScorecardsView>, ApiError> {
        all(parts).await
    }

    /// The scorecard that came with the program.
    #[oai(
        path = "/scorecards/default",
        method = "get",
        operation_id = "defaultScorecard"
    )]
    async fn default(&self, _who: Who<ReadCalls>) -> Result<Json<CardContentView>, ApiError> {
        let key = CardKey {
            id: scorecard_toml::read(DEFAULT_SCORECARD)?.id,
            version: 0,
        };
        Ok(Json(content(key, DEFAULT_SCORECARD.to_owned())?))
    }

    /// One version with its content.
    #[oai(
        path = "/scorecards/:id/versions/:version",
        method = "get",
        operation_id = "scorecard"
    )]
    async fn one(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<ReadCalls>,
        id: Path<String>,
        version: Path<u32>,
    ) -> Result<Json<CardContentView>, ApiError> {
        let key = CardKey {
            id: id.0,
            version: version.0,
        };
        let wanted = key.clone();
        let text = parts
            .store
            .run(move |store| store.scorecard_text(&wanted)?.ok_or(StoreError::NoSuchCard))
            .await?;
        Ok(Json(content(key, text)?))
    }

    /// One version as a file, to be kept or given to another team.
    #[oai(
        path = "/scorecards/:id/versions/:version/file",
        method = "get",
        operation_id = "scorecardFile"
    )]
    async fn file(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<ReadCalls>,
        id: Path<String>,
        version: Path<u32>,
    ) -> Result<Response<PlainText<String>>, ApiError> {
        let key = CardKey {
            id: id.0,
            version: version.0,
        };
        let wanted = key.clone();
        let text = parts
            .store
            .run(move |store| store.scorecard_text(&wanted)?.ok_or(StoreError::NoSuchCard))
            .await?;
        // Ids that are kept have letters, digits, - and _ only.
        let name = format!("attachment; filename=\"{}-{}.toml\"", key.id, key.version);
        Ok(Response::new(PlainText(text))
            .header(CONTENT_TYPE, "application/toml; charset=utf-8")
            .header(CONTENT_DISPOSITION, name))
    }

    /// What is wrong with a scorecard, with the exact places; and the file as a form, the form as a file.
    #[oai(
        path = "/scorecards/check",
        method = "post",
        operation_id = "checkScorecard"
    )]
    async fn check(
        &self,
        _who: Who<Settings>,
        request: Json<CardCheckRequest>,
    ) -> Result<Json<CardCheckView>, ApiError> {
        let read = match (request.0.text, request.0.document) {
            (Some(text), None) => Ok((scorecard_toml::read(&text), text)),
            (None, Some(view)) => view.read().map(|document: CardDocument| {
                let text = document.to_toml();
                (Ok(document), text)
            }),
            _ => Err(ApiError::bad_request(
                "bad_scorecard",
                "Send either the file as text, or the form as document.",
            )),
        };
        let (read, text) = read?;
        let (faults, document) = match read {
            Err(invalid) => (invalid.faults, None),
            Ok(document) => tokio::task::spawn_blocking(move || {
                let faults = scorecard_toml::compile(&document, 0).err();
                let faults = faults.map_or_else(Vec::new, |invalid| invalid.faults);
                (faults, Some(document))
            })
            .await
            .map_err(|_| StoreError::Interrupted)?,
        };
        Ok(Json(CardCheckView {
            faults: faults.into_iter().map(FaultView::from).collect(),
            text,
            document: document.as_ref().map(CardDocumentView::new).transpose()?,
        }))
    }

    /// Keep a scorecard as a new version; the same content is the same version.
    #[oai(
        path = "/scorecards",
        method = "post",
        operation_id = "publishScorecard"
    )]
    async fn publish(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        request: Json<PublishRequest>,
    ) -> Result<Json<CardVersionView>, ApiError> {
        let request = request.0;
        let comment = request.comment.unwrap_or_default().trim().to_owned();
        if comment.chars().count() > MAX_COMMENT {
            return Err(ApiError::bad_request(
                "bad_comment",
                format!("A comment has at most {MAX_COMMENT} characters."),
            ));
        }
        let card = compiled(request.text.clone()).await?;
        let author = who.user().name.clone();
        let note = CardNote {
            text: request.text,
            created_at: Timestamp::now(),
            origin: CardOrigin::Person,
            author: Some(author.clone()),
            comment,
        };
        let card = parts
            .store
            .run(move |store| store.keep_scorecard(card, &note))
            .await?;
        let key = CardKey {
            id: card.id,
            version: card.version,
        };
        if request.activate == Some(true) {
            enforce(parts, key.clone(), author).await?;
        }
        if let Some(draft) = request.draft_id {
            let removed = parts
                .store
                .run(move |store| store.remove_card_draft(&draft))
                .await;
            // What was published stays so, whoever threw the draft away.
            if !matches!(removed, Ok(()) | Err(StoreError::NoSuchDraft)) {
                removed?;
            }
        }
        let now = in_force(parts);
        let versions = parts.store.run(|store| store.scorecard_versions()).await?;
        versions
            .into_iter()
            .find(|version| version.key == key)
            .map(|version| Json(version_view(version, &now)))
            .ok_or_else(|| StoreError::NoSuchCard.into())
    }

    /// Put a version in force: calls that arrive from now on are scored by it.
    #[oai(
        path = "/scorecards/:id/versions/:version/activate",
        method = "post",
        operation_id = "activateScorecard"
    )]
    async fn activate(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        id: Path<String>,
        version: Path<u32>,
    ) -> Result<Json<ScorecardsView>, ApiError> {
        let key = CardKey {
            id: id.0,
            version: version.0,
        };
        enforce(parts, key, who.user().name.clone()).await?;
        all(parts).await
    }
}

async fn all(parts: &Arc<Parts>) -> Result<Json<ScorecardsView>, ApiError> {
    let key = in_force(parts);
    let (versions, drafts, history) = parts
        .store
        .run(|store| {
            Ok((
                store.scorecard_versions()?,
                store.card_drafts()?,
                store.enforced()?,
            ))
        })
        .await?;
    Ok(Json(ScorecardsView {
        versions: versions
            .into_iter()
            .map(|version| version_view(version, &key))
            .collect(),
        drafts: drafts.iter().map(CardDraftView::from).collect(),
        history: history.into_iter().map(EnforcedView::from).collect(),
        from_file: parts.config.scoring.scorecard.is_some(),
        metrics: MetricName::ALL
            .iter()
            .map(|metric| MetricView {
                name: metric.name().to_owned(),
                unit: metric.unit().to_owned(),
            })
            .collect(),
    }))
}
