//! The trackers: what is looked for in every call.

use std::collections::HashMap;
use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::auth::{ReadCalls, Settings, Who};
use super::error::ApiError;
use super::views::SpeakerView;
use crate::app::Parts;
use crate::domain::tracker::{MAX_TRACKERS, Tracker, Trackers};

pub(super) struct TrackersApi;

/// A topic that is looked for.
#[derive(Object)]
struct TrackerView {
    key: String,
    name: String,
    name_en: Option<String>,
    /// Who says it; null: anybody.
    speaker: Option<SpeakerView>,
    /// Any one counts; in any word form. Signs: a|b, word*, =word, word?, * and ...
    phrases: Vec<String>,
    /// What looks like it and is not.
    except: Vec<String>,
    /// Calls in which it was found.
    calls: u64,
}

/// All trackers.
#[derive(Object)]
struct TrackersView {
    items: Vec<TrackerView>,
    /// Calls that are still to be looked through.
    waiting: u64,
}

/// A tracker as a person writes it.
#[derive(Object)]
struct TrackerRequest {
    name: String,
    name_en: Option<String>,
    /// `operator` or `client`; left out: anybody.
    speaker: Option<SpeakerView>,
    #[oai(default)]
    phrases: Vec<String>,
    #[oai(default)]
    except: Vec<String>,
}

#[derive(ApiResponse)]
enum Removed {
    /// Removed.
    #[oai(status = 204)]
    Removed,
}

/// Why a change is refused.
enum Refused {
    Unknown,
    TooMany,
    Faults(Vec<String>),
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unknown => ApiError::missing("not_found", "There is no such tracker."),
            Refused::TooMany => ApiError::conflict(
                "too_many_trackers",
                format!("There are at most {MAX_TRACKERS} trackers; remove one first."),
            ),
            Refused::Faults(faults) => ApiError::bad_request("bad_tracker", faults.join("\n")),
        }
    }
}

impl TrackerRequest {
    fn tidy(self, key: String) -> Result<Tracker, Refused> {
        let speaker = match self.speaker {
            Some(SpeakerView::Unknown) => {
                let fault = "speaker: operator, client or nobody in particular".to_owned();
                return Err(Refused::Faults(vec![fault]));
            }
            speaker => speaker.map(Into::into),
        };
        Tracker {
            key,
            name: self.name,
            name_en: self.name_en,
            speaker,
            phrases: self.phrases,
            except: self.except,
        }
        .tidy()
        .map_err(Refused::Faults)
    }
}

async fn read(parts: &Arc<Parts>) -> Result<Json<TrackersView>, ApiError> {
    let (trackers, counts, waiting) = parts
        .store
        .run(|store| {
            let counts: HashMap<String, u64> = store.topic_counts()?.into_iter().collect();
            Ok((store.trackers()?, counts, store.count_owed_insights()?.0))
        })
        .await?;
    Ok(Json(TrackersView {
        items: trackers
            .items
            .into_iter()
            .map(|tracker| TrackerView {
                calls: counts.get(&tracker.key).copied().unwrap_or(0),
                key: tracker.key,
                name: tracker.name,
                name_en: tracker.name_en,
                speaker: tracker.speaker.map(SpeakerView::from),
                phrases: tracker.phrases,
                except: tracker.except,
            })
            .collect(),
        waiting,
    }))
}

/// Changes the trackers; all calls are looked through again in the background.
async fn change(
    parts: &Arc<Parts>,
    change: impl FnOnce(&mut Trackers) -> Result<(), Refused> + Send + 'static,
) -> Result<(), ApiError> {
    parts
        .store
        .run(move |store| store.change_trackers(change))
        .await??;
    parts.insights.wake();
    Ok(())
}

#[OpenApi]
impl TrackersApi {
    /// The trackers, and in how many calls each was found.
    #[oai(path = "/trackers", method = "get", operation_id = "trackers")]
    async fn list(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<ReadCalls>,
    ) -> Result<Json<TrackersView>, ApiError> {
        read(parts).await
    }

    /// Add a tracker. All calls are looked through in the background.
    #[oai(path = "/trackers", method = "post", operation_id = "addTracker")]
    async fn add(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        request: Json<TrackerRequest>,
    ) -> Result<Json<TrackersView>, ApiError> {
        let key = ulid::Ulid::generate().to_string().to_lowercase();
        let tracker = request.0.tidy(key)?;
        change(parts, move |trackers| {
            if trackers.items.len() >= MAX_TRACKERS {
                return Err(Refused::TooMany);
            }
            trackers.items.push(tracker);
            Ok(())
        })
        .await?;
        read(parts).await
    }

    /// Change a tracker. All calls are looked through in the background.
    #[oai(path = "/trackers/:id", method = "put", operation_id = "putTracker")]
    async fn put(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        /// Its key.
        id: Path<String>,
        request: Json<TrackerRequest>,
    ) -> Result<Json<TrackersView>, ApiError> {
        change(parts, move |trackers| {
            let known = trackers.items.iter_mut().find(|known| known.key == id.0);
            let known = known.ok_or(Refused::Unknown)?;
            *known = request.0.tidy(id.0)?;
            Ok(())
        })
        .await?;
        read(parts).await
    }

    /// Remove a tracker; its topic is in no call any more.
    #[oai(
        path = "/trackers/:id",
        method = "delete",
        operation_id = "removeTracker"
    )]
    async fn remove(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        /// Its key.
        id: Path<String>,
    ) -> Result<Removed, ApiError> {
        change(parts, move |trackers| {
            let before = trackers.items.len();
            trackers.items.retain(|known| known.key != id.0);
            if trackers.items.len() == before {
                return Err(Refused::Unknown);
            }
            Ok(())
        })
        .await?;
        Ok(Removed::Removed)
    }

    /// Put the trackers of the program in place of all others.
    #[oai(
        path = "/trackers/reset",
        method = "post",
        operation_id = "resetTrackers"
    )]
    async fn reset(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Result<Json<TrackersView>, ApiError> {
        change(parts, |trackers| {
            trackers.items = Trackers::default().items;
            Ok(())
        })
        .await?;
        read(parts).await
    }
}
